//! Certificates for a desk that has none: an authority of its own, and a certificate that it signs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sha2::{Digest, Sha256};
use shared::time::{MILLIS_PER_DAY, Timestamp};

use crate::files::{create_private_dir, with_suffix, write_atomically};

/// Days that the authority is valid.
const AUTHORITY_DAYS: i64 = 3_650;
/// Days that a certificate is valid: systems refuse longer ones.
const CERTIFICATE_DAYS: i64 = 397;

/// What was created.
pub struct Created {
    /// The certificate of the server.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The certificate of the authority, which clients have to trust.
    pub authority: PathBuf,
    /// SHA-256 of the authority's certificate, in hexadecimal.
    pub fingerprint: String,
}

/// Why no certificate was created.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// A file cannot be read or written.
    #[error("{} cannot be read or written", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A name cannot be one of a certificate, or the authority's files are damaged.
    #[error("the certificate cannot be created")]
    Certificate(#[from] rcgen::Error),
}

/// Creates a certificate for host names or addresses in a folder, signed by the authority in the folder
/// beside it, whose name ends in `-authority`. A missing authority is created. Its key is not where the
/// server reads its certificate.
///
/// # Errors
/// See [`SelfSignedError`].
pub fn create_self_signed(
    folder: &Path,
    names: &[String],
    now: Timestamp,
) -> Result<Created, SelfSignedError> {
    // Without a slash at the end.
    let folder = &folder.components().collect::<PathBuf>();
    let path = |name: &str| folder.join(name);
    let authority_folder = with_suffix(folder, "-authority");
    for folder in [folder, &authority_folder] {
        create_private_dir(folder).map_err(|error| SelfSignedError::File(folder.clone(), error))?;
    }
    let (authority, authority_key) = (authority_folder.join("ca.pem"), authority_folder.join("ca-key.pem"));
    if !authority.exists() {
        let (certificate, key) = new_authority(names, now)?;
        // The key first: an authority without one cannot sign.
        write(&authority_key, &key)?;
        write(&authority, &certificate)?;
    }
    let authority_pem = read(&authority)?;
    let signing = KeyPair::from_pem(&read(&authority_key)?)?;
    let issuer = Issuer::from_ca_cert_pem(&authority_pem, signing)?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, names.first().cloned().unwrap_or_default());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now, CERTIFICATE_DAYS);
    let signed_key = KeyPair::generate()?;
    let signed = params.signed_by(&signed_key, &issuer)?;
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    write(&key, &signed_key.serialize_pem())?;
    // With the authority, so that a client that knows only its fingerprint can find it in the handshake.
    write(&certificate, &(signed.pem() + &authority_pem))?;
    let der = CertificateDer::from_pem_slice(authority_pem.as_bytes());
    let fingerprint = der.map(|der| hex::encode(Sha256::digest(&der))).unwrap_or_default();
    Ok(Created { certificate, key, authority, fingerprint })
}

fn new_authority(names: &[String], now: Timestamp) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let name = format!("Afterglow CA of {}", names.first().map_or("this server", String::as_str));
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now, AUTHORITY_DAYS);
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Makes a certificate valid from the day before, because clocks differ.
fn set_validity(params: &mut CertificateParams, now: Timestamp, days: i64) {
    let day = |days: i64| {
        let moment = Timestamp::from_millis(now.as_millis() + days * MILLIS_PER_DAY);
        let date = moment.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (day(-1), day(days));
}

fn read(file: &Path) -> Result<String, SelfSignedError> {
    fs::read_to_string(file).map_err(|error| SelfSignedError::File(file.to_owned(), error))
}

fn write(file: &Path, text: &str) -> Result<(), SelfSignedError> {
    write_atomically(file, text.as_bytes()).map_err(|error| SelfSignedError::File(file.to_owned(), error))
}
