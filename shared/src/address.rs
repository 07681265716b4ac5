//! A server's address as people write it, brought to one form.

use url::{Host, Url};

/// Hosts stand in names of files; real ones are far shorter than this, in bytes.
const LONGEST: usize = 100;

/// Reads `http://HOST[:PORT]` and gives `http://HOST:PORT`, the same for every way to write it; without a port it is 80, as
/// everywhere.
///
/// # Errors
/// What is wrong with it, as half a sentence that quotes it.
pub fn address(text: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("{text:?} is not a server's address ({why}): write http://HOST:PORT");
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if url.scheme() != "http" {
        return Err(wrong("its scheme is not http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a name or a password"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("something stands behind the port"));
    }
    address_of(url.host_str(), url.port().unwrap_or(80))
        .ok_or_else(|| wrong("its host is no name and no address"))
}

/// The address for a host, where it is one: a name, or an address of version 4 or 6.
pub fn address_of(host: Option<&str>, port: u16) -> Option<String> {
    // Hosts of schemes that browsers do not know are taken as they stand: they are looked at here.
    let host = Host::parse(host?).ok()?;
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_sound = match &host {
        Host::Domain(name) => {
            name.len() <= LONGEST && name.strip_suffix('.').unwrap_or(name).split('.').all(is_label)
        }
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    };
    is_sound.then(|| format!("http://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_address() {
        for (written, meant) in [
            ("http://desk.example:7000", "http://desk.example:7000"),
            ("HTTP://Desk.Example:7000/", "http://desk.example:7000"),
            ("http://desk", "http://desk:80"),
            ("http://desk:80", "http://desk:80"),
            ("http://127.0.0.1:7878", "http://127.0.0.1:7878"),
            ("http://[0:0::1]:7878", "http://[::1]:7878"),
        ] {
            assert_eq!(address(written).as_deref(), Ok(meant), "{written}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (written, why) in [
            ("desk:7878", "scheme"),
            ("127.0.0.1:7878", "base"),
            ("https://desk:7878", "scheme"),
            ("http://", "empty host"),
            ("http://desk:99999", "port"),
            ("http://me:secret@desk", "password"),
            ("http://desk/path", "behind the port"),
            ("http://desk/?token=x", "behind the port"),
            ("http://-oProxyCommand=x/", "host"),
        ] {
            let said = address(written).unwrap_err();
            assert!(said.contains(why) && said.contains("http://HOST:PORT"), "{written}: {said}");
        }
    }
}
