//! The encryption of connections to a database.

use std::{fs, io, path::Path, sync::Arc};

use rustls::{
    ClientConfig,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::Verifier;

use crate::journal::store::JournalError;

/// Returns how a connection is encrypted and the database verified: by the system's authorities, and those in a
/// file.
pub(super) fn verified(authorities: Option<&Path>) -> Result<ClientConfig, JournalError> {
    let extra = authorities.map(read).transpose();
    let extra = extra.map_err(|error| {
        JournalError::NotOurs(format!("the file sslrootcert of the setting journal cannot be used: {error}"))
    })?;
    config(extra.unwrap_or_default()).map_err(|error| {
        JournalError::NotOurs(format!("the certificate of the database cannot be verified: {error}"))
    })
}

fn read(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let text = fs::read(file).map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(io::Error::other)?;
    if certificates.is_empty() {
        return Err(io::Error::other(format!("{} holds no certificate in PEM form", file.display())));
    }
    Ok(certificates)
}

fn config(extra: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, provider.clone())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}
