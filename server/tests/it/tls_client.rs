//! A client of an encrypted server that trusts one authority.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The name in the server's certificate.
pub const NAME: &str = "desk.example";

/// Encrypts a connection, as a client that trusts an authority, to a server of a name.
pub async fn connect_tls(
    stream: TcpStream,
    authority: &Path,
    name: &str,
) -> io::Result<TlsStream<TcpStream>> {
    connect_tls_with(stream, (authority, name), rustls::DEFAULT_VERSIONS, &[]).await
}

/// The same with these versions of TLS only, and an offer of application protocols.
pub async fn connect_tls_with(
    stream: TcpStream,
    (authority, name): (&Path, &str),
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}
