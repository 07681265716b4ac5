//! Server addresses: validation and the canonical form.

use url::{Host, Url};

/// Maximum length of a host name, in bytes. Hosts become part of file names.
const MAX_HOST_BYTES: usize = 100;

/// Parses `http://HOST[:PORT]` and returns it in the canonical form `http://HOST:PORT`. The default port is
/// 80.
///
/// # Errors
/// A message that quotes the text and says what is wrong with it.
pub fn address(text: &str) -> Result<String, String> {
    let invalid = |why: &str| format!("invalid server address {text:?} ({why}); use http://HOST:PORT");
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if url.scheme() != "http" {
        return Err(invalid("the scheme is not http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it contains a user name or password"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it continues after the port"));
    }
    address_for_host(url.host_str(), url.port().unwrap_or(80)).ok_or_else(|| invalid("invalid host"))
}

/// Returns the canonical address of a host, or `None` if it is not a host name, an IPv4 or an IPv6 address.
pub fn address_for_host(host: Option<&str>, port: u16) -> Option<String> {
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
    is_valid.then(|| format!("http://{host}:{port}"))
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
        ] {
            assert_eq!(address(written).as_deref(), Ok(canonical), "{written}");
        }
    }

    #[test]
    fn invalid_addresses_are_rejected_with_the_reason() {
        for (written, why) in [
            ("desk:7878", "scheme"),
            ("127.0.0.1:7878", "base"),
            ("https://desk:7878", "scheme"),
            ("http://", "empty host"),
            ("http://desk:99999", "port"),
            ("http://me:secret@desk", "password"),
            ("http://desk/path", "after the port"),
            ("http://desk/?token=x", "after the port"),
            ("http://-oProxyCommand=x/", "host"),
        ] {
            let message = address(written).unwrap_err();
            assert!(message.contains(why) && message.contains("http://HOST:PORT"), "{written}: {message}");
        }
    }
}
