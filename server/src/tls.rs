//! TLS of the server's connections (rustls, TLS 1.2 and 1.3). The certificate and its key are read again when
//! their files change.

mod self_signed;

use std::{
    fmt, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use shared::time::Timestamp;
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use crate::clock::Clock;

pub use self::self_signed::{Created, SelfSignedError, create_self_signed};

/// Interval at which the files are looked at.
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those of the authorities between it and a root, as PEM.
    pub certificate: PathBuf,
    /// The private key, as PEM.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// Other users of the machine can read the key.
    #[error("the key {} is readable by every user of this machine (mode {mode:03o}); run chmod o-rwx", .file.display())]
    KeyIsPublic {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file has no certificate or no key.
    #[error("{} holds no {what} in PEM form", .file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The two do not belong together, or have a form that is not supported.
    #[error("the certificate {} and the key {} cannot be used", .0.certificate.display(), .0.key.display())]
    Unusable(TlsFiles, #[source] rustls::Error),
}

/// A certificate in use.
pub struct Tls {
    files: TlsFiles,
    clock: Clock,
    config: Arc<ServerConfig>,
    current: Arc<Current>,
}

/// The certificate that new connections get.
struct Current(RwLock<Loaded>);

struct Loaded {
    key: Arc<CertifiedKey>,
    names: Arc<[String]>,
    stamp: Stamp,
}

/// When the two files were last changed, and their sizes.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl fmt::Debug for Current {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Current(..)")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.read(|loaded| loaded.key.clone()))
    }
}

impl Current {
    fn read<T>(&self, get: impl FnOnce(&Loaded) -> T) -> T {
        get(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tls {
    /// Reads a certificate and its key. One that has ended is logged.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn open(files: TlsFiles, clock: Clock) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let current = Arc::new(Current(RwLock::new(load(&files, &provider, clock())?)));
        let unusable = |error| TlsError::Unusable(files.clone(), error);
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(unusable)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { files, clock, config: Arc::new(config), current })
    }

    /// Returns what makes a connection an encrypted one.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }

    /// Returns the names that the certificate is for.
    pub fn names(&self) -> Arc<[String]> {
        self.current.read(|loaded| loaded.names.clone())
    }

    /// Reads the files again when they have changed, until the server stops. Files that cannot be used are
    /// logged, and the certificate stays.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(RELOAD_INTERVAL);
        let mut seen = self.current.read(|loaded| loaded.stamp);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            let tls = self.clone();
            let reload = move || {
                let stamp = stamp(&tls.files);
                if stamp != seen {
                    tls.reload();
                }
                stamp
            };
            seen = tokio::task::spawn_blocking(reload).await.expect("reading a certificate does not panic");
        }
    }

    fn reload(&self) {
        match load(&self.files, &ring::default_provider(), (self.clock)()) {
            Ok(loaded) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                info!(certificate = %self.files.certificate.display(), "the certificate was read again");
            }
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "the changed certificate is not used");
            }
        }
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.certificate, &files.key].map(|file| {
        let data = fs::metadata(file).ok()?;
        Some((data.modified().ok()?, data.len()))
    })
}

fn load(files: &TlsFiles, provider: &CryptoProvider, now: Timestamp) -> Result<Loaded, TlsError> {
    let stamp = stamp(files);
    check_is_private(&files.key)?;
    let read = |file: &Path| fs::read(file).map_err(|error| TlsError::Read(file.to_owned(), error));
    let missing = |file: &Path, what| TlsError::Missing { file: file.to_owned(), what };
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&read(&files.certificate)?).collect();
    let certificates = certificates.ok().filter(|found| !found.is_empty());
    let certificates = certificates.ok_or_else(|| missing(&files.certificate, "certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).ok();
    let key = key.ok_or_else(|| missing(&files.key, "private key"))?;
    let names = names_of(&certificates[0]);
    check_dates(&files.certificate, &certificates[0], now);
    let key = CertifiedKey::from_der(certificates, key, provider);
    let key = key.map_err(|error| TlsError::Unusable(files.clone(), error))?;
    Ok(Loaded { key: Arc::new(key), names, stamp })
}

/// Returns the host names and addresses of a certificate. Names with a `*` cannot be one of a request.
fn names_of(certificate: &CertificateDer<'_>) -> Arc<[String]> {
    let parsed = parse_x509_certificate(certificate).ok();
    let alternative =
        parsed.as_ref().and_then(|(_, parsed)| parsed.subject_alternative_name().ok().flatten());
    let names = alternative.iter().flat_map(|names| &names.value.general_names);
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()).filter(|name| !name.contains('*')),
            GeneralName::IPAddress(bytes) => address_of(bytes).map(|address| address.to_string()),
            _ => None,
        })
        .collect()
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_not_v4| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Logs that a certificate has ended or has not begun yet: no client accepts it.
fn check_dates(file: &Path, certificate: &CertificateDer<'_>, now: Timestamp) {
    let Ok((_, parsed)) = parse_x509_certificate(certificate) else { return };
    let (validity, now) = (parsed.validity(), now.as_millis().div_euclid(1_000));
    let certificate = file.display();
    if now > validity.not_after.timestamp() {
        warn!(%certificate, end = %validity.not_after, "the certificate has ended: clients refuse to connect");
    } else if now < validity.not_before.timestamp() {
        warn!(%certificate, start = %validity.not_before, "the certificate is not valid yet: clients refuse to connect");
    }
}

/// Checks that not every user of the machine can read a key. A group may: it is how a service gets it.
#[cfg(unix)]
fn check_is_private(key: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::MetadataExt;
    let mode = fs::metadata(key).map_err(|error| TlsError::Read(key.to_owned(), error))?.mode() & 0o777;
    if mode & 0o007 == 0 { Ok(()) } else { Err(TlsError::KeyIsPublic { file: key.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_is_private(_: &Path) -> Result<(), TlsError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn created(folder: &Path, names: &[&str]) -> TlsFiles {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let created = create_self_signed(&folder.join("tls"), &names, now).unwrap();
        TlsFiles { certificate: created.certificate, key: created.key }
    }

    #[test]
    fn a_certificate_is_used_with_its_key_and_names() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["desk.example", "203.0.113.5", "2001:db8::5"];
        let tls = Tls::open(created(folder.path(), &names), clock::system()).unwrap();
        assert_eq!(&*tls.names(), names);
    }

    #[test]
    fn changed_files_are_used_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = created(folder.path(), &["desk.example"]);
        let tls = Tls::open(files.clone(), clock::system()).unwrap();
        created(folder.path(), &["other.example"]);
        tls.reload();
        assert_eq!(&*tls.names(), ["other.example"]);
        fs::write(&files.certificate, "no certificate").unwrap();
        tls.reload();
        assert_eq!(&*tls.names(), ["other.example"]);
    }

    #[test]
    fn an_error_says_which_file_is_wrong() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = created(folder.path(), &["desk.example"]);
        let other = created(elsewhere.path(), &["desk.example"]);
        let error = |files: TlsFiles| Tls::open(files, clock::system()).map(drop).unwrap_err().to_string();
        let swapped = TlsFiles { key: other.key, ..files.clone() };
        assert!(error(swapped).contains("cannot be used"));
        let reversed = TlsFiles { certificate: files.key.clone(), key: files.key.clone() };
        assert!(error(reversed).contains("holds no certificate"));
        let missing = TlsFiles { certificate: folder.path().join("none.pem"), ..files.clone() };
        assert!(error(missing).contains("none.pem cannot be read"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(error(files).contains("readable by every user"));
        }
    }
}
