//! Which certificates of servers are trusted, and what a person is told of one that is not.

use std::{fmt, fs, path::PathBuf, str::FromStr, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    version::{TLS12, TLS13},
};
use rustls_platform_verifier::Verifier;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// SHA-256 of the certificate of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    /// Parses 64 hexadecimal digits, with or without colons between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let bytes = hex::decode(&digits).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            format!(
                "{text:?} is not the SHA-256 fingerprint of a certificate, which has 64 hexadecimal digits"
            )
        })
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// The authorities that are trusted for one server. Without either field they are those of the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// A file with more authorities, as PEM.
    pub ca_file: Option<PathBuf>,
    /// The only authority, if it is known by its fingerprint.
    pub fingerprint: Option<Fingerprint>,
}

impl Trust {
    /// Returns the TLS configuration. The files are read again for every connection, so that a renewed
    /// authority is used at once.
    ///
    /// # Errors
    /// A clause that says which file is invalid and why.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match self.fingerprint {
            Some(fingerprint) => Arc::new(Pinned { fingerprint, provider: provider.clone() }),
            None => {
                let extra = self.extra_authorities()?;
                let verifier = Verifier::new_with_extra_roots(extra, provider.clone());
                Arc::new(verifier.map_err(|error| {
                    format!("the authorities that this computer trusts cannot be read ({error})")
                })?)
            }
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| error.to_string())?;
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn extra_authorities(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let Some(file) = &self.ca_file else { return Ok(Vec::new()) };
        let name = file.display();
        let text = fs::read(file).map_err(|error| format!("{name} cannot be read ({error})"))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let found = found.map_err(|error| format!("{name} is not a valid PEM file ({error})"))?;
        match found.is_empty() {
            true => Err(format!("{name} has no certificate in PEM form")),
            false => Ok(found),
        }
    }
}

/// Accepts certificates of one authority, which the server sends along with its own.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut chain = intermediates.iter().chain([end_entity]);
        let authority = chain.find(|certificate| Fingerprint::of(certificate) == self.fingerprint);
        let authority = authority.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone()).build();
        let verifier = verifier.map_err(|error| Error::Other(OtherError(Arc::new(error))))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl Trust {
    /// Says in a sentence why the handshake with a host failed, and what to do.
    pub(super) fn explain(&self, host: &str, error: &Error) -> String {
        let certificate = format!("the certificate of {host}");
        match error {
            Error::InvalidCertificate(why) => match why {
                CertificateError::UnknownIssuer if self.fingerprint.is_some() => format!(
                    "{certificate} is not from the authority that the connection file names. Ask your administrator for a new \
                     connection file; if there is none, somebody may be intercepting the connection"
                ),
                CertificateError::UnknownIssuer => format!(
                    "{certificate} is from an authority that this computer does not trust. Ask your administrator for the \
                     authority's certificate and start Afterglow with --ca FILE, or for a connection file with its fingerprint"
                ),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
                    "{certificate} has expired. Check the clock of this computer; if it is right, ask your administrator to \
                     renew the certificate"
                ),
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    format!("{certificate} is not valid yet. Check the clock of this computer")
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    format!(
                        "{certificate} is for another name. Use the name that the certificate has, or ask your administrator"
                    )
                }
                CertificateError::Revoked => {
                    format!("{certificate} was revoked. Ask your administrator for a new one")
                }
                other => {
                    format!("{certificate} is invalid ({other:?}). Ask your administrator for another one")
                }
            },
            Error::InvalidMessage(_) => {
                format!("{host} does not encrypt at this port. Check the address")
            }
            other => format!("no encrypted connection to {host} ({other})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_with_and_without_colons() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        let read: Fingerprint = plain.parse().unwrap();
        assert_eq!(read, colons.parse().unwrap());
        assert_eq!(read.to_string(), plain);
        for text in ["", "ab", &"ab".repeat(33), &"zz".repeat(32)] {
            assert!(text.parse::<Fingerprint>().unwrap_err().contains("64 hexadecimal digits"), "{text}");
        }
    }

    #[test]
    fn an_invalid_file_of_authorities_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let error = || Trust { ca_file: Some(file.clone()), fingerprint: None }.config().unwrap_err();
        assert!(error().contains("ca.pem cannot be read"), "{}", error());
        fs::write(&file, "nonsense").unwrap();
        assert!(error().contains("ca.pem has no certificate"), "{}", error());
    }
}
