//! Server addresses: validation and the canonical form.

use url::{Host, Url};

/// Maximum length of a host name, in bytes. Hosts become part of file names.
const MAX_HOST_BYTES: usize = 100;

/// Scheme of a connection that is not encrypted.
pub const PLAIN: &str = "http";
/// Scheme of a connection over TLS.
pub const ENCRYPTED: &str = "https";

/// Parses `https://HOST[:PORT]` or `http://HOST[:PORT]` and returns it in the canonical form
/// `SCHEME://HOST:PORT`. The default ports are 443 and 80.
///
/// # Errors
/// A message that quotes the text and says what is wrong with it.
pub fn address(text: &str) -> Result<String, String> {
    let invalid = |why: &str| {
        format!("invalid server address {text:?} ({why}); use https://HOST:PORT or http://HOST:PORT")
    };
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if ![PLAIN, ENCRYPTED].contains(&url.scheme()) {
        return Err(invalid("the scheme is neither https nor http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it contains a user name or password"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it continues after the port"));
    }
    let port = url.port_or_known_default().unwrap_or_default();
    address_for_host(url.scheme(), url.host_str(), port).ok_or_else(|| invalid("invalid host"))
}

/// Returns the canonical address of a host, or `None` if it is not a host name, an IPv4 or an IPv6 address.
pub fn address_for_host(scheme: &str, host: Option<&str>, port: u16) -> Option<String> {
    // `Url` does not validate the hosts of schemes that it does not know.
    let host = Host::parse(host?).ok()?;
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_valid = match &host {
        Host::Domain(name) => {
            name.len() <= MAX_HOST_BYTES && name.strip_suffix('.').unwrap_or(name).split('.').all(is_label)
        }
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    };
    is_valid.then(|| format!("{scheme}://{host}:{port}"))
}

/// The parts of a canonical address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl Parts {
    /// Takes a canonical address apart.
    ///
    /// # Errors
    /// As [`address`].
    pub fn of(base: &str) -> Result<Self, String> {
        let base = address(base)?;
        let url = Url::parse(&base).map_err(|error| error.to_string())?;
        let host = url.host().ok_or("invalid host")?.to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        Ok(Self { is_encrypted: url.scheme() == ENCRYPTED, host, port })
    }

    /// Whether the server is on this machine.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }

    /// The host without the brackets of an IPv6 address.
    pub fn host_name(&self) -> String {
        match &self.host {
            Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        }
    }

    /// The host and port, as in the header `Host`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_addresses_have_one_canonical_form() {
        for (written, canonical) in [
            ("http://desk.example:7000", "http://desk.example:7000"),
            ("HTTP://Desk.Example:7000/", "http://desk.example:7000"),
            ("http://desk", "http://desk:80"),
            ("http://desk:80", "http://desk:80"),
            ("http://127.0.0.1:7878", "http://127.0.0.1:7878"),
            ("http://[0:0::1]:7878", "http://[::1]:7878"),
            ("https://Desk.Example", "https://desk.example:443"),
            ("https://desk:7443/", "https://desk:7443"),
        ] {
            assert_eq!(address(written).as_deref(), Ok(canonical), "{written}");
        }
    }

    #[test]
    fn invalid_addresses_are_rejected_with_the_reason() {
        for (written, why) in [
            ("desk:7878", "scheme"),
            ("127.0.0.1:7878", "base"),
            ("ftp://desk:7878", "scheme"),
            ("http://", "empty host"),
            ("http://desk:99999", "port"),
            ("http://me:secret@desk", "password"),
            ("http://desk/path", "after the port"),
            ("http://desk/?token=x", "after the port"),
            ("http://-oProxyCommand=x/", "host"),
        ] {
            let message = address(written).unwrap_err();
            assert!(message.contains(why) && message.contains("https://HOST:PORT"), "{written}: {message}");
        }
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (base, is_encrypted, host, port, is_loopback, authority) in [
            ("https://desk.example:443", true, "desk.example", 443, false, "desk.example:443"),
            ("http://[::1]:80", false, "::1", 80, true, "[::1]:80"),
            ("http://127.0.0.2:7878", false, "127.0.0.2", 7878, true, "127.0.0.2:7878"),
            ("http://localhost:1", false, "localhost", 1, true, "localhost:1"),
            ("https://127.0.0.1.example:1", true, "127.0.0.1.example", 1, false, "127.0.0.1.example:1"),
        ] {
            let parts = Parts::of(base).unwrap();
            assert_eq!((parts.is_encrypted, &*parts.host_name(), parts.port), (is_encrypted, host, port));
            assert_eq!((parts.is_loopback(), &*parts.authority()), (is_loopback, authority));
        }
    }
}
