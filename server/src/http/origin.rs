//! Where a request comes from: the address of the client, also behind a proxy.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::HeaderMap;

use crate::accounts::Origin;

/// The connection that a request came over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    /// Address of the other end.
    pub(super) remote: IpAddr,
    /// Address of this end, under which the server was reached.
    pub(super) local: IpAddr,
    /// Whether it is encrypted.
    pub(super) is_encrypted: bool,
    /// Whether it is to the listener for the user of the data folder, to which no proxy connects.
    pub(super) is_own: bool,
}

impl Connection {
    /// Returns a connection of which nothing is known.
    pub(super) fn unknown() -> Self {
        let unspecified = Ipv4Addr::UNSPECIFIED.into();
        Self { remote: unspecified, local: unspecified, is_encrypted: false, is_own: false }
    }
}

/// The client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// Where the request comes from.
    pub(super) origin: Origin,
    /// Whether it was encrypted on its way from the client.
    pub(super) is_encrypted: bool,
}

/// Returns the client of a request. What a proxy says counts only if the proxy is named in the settings.
pub(super) fn client_of(connection: Connection, headers: &HeaderMap, trusted_proxies: &[IpAddr]) -> Client {
    let Connection { remote, is_encrypted, .. } = connection;
    let is_trusted = |address: &IpAddr| trusted_proxies.contains(&address.to_canonical());
    let forwarded = || {
        let values = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim).collect::<Vec<_>>()
    };
    if connection.is_own || !is_trusted(&remote) {
        let is_forwarded =
            ["x-forwarded-for", "forwarded", "via"].iter().any(|name| headers.contains_key(*name));
        let is_remote = is_forwarded || !remote.to_canonical().is_loopback();
        return Client { origin: Origin { address: remote.to_canonical(), is_remote }, is_encrypted };
    }
    // Each proxy appends the address that it was called from: what is left of the last untrusted one, the
    // client may have made up.
    let named = forwarded().into_iter().rev().map(address_of);
    let mut address = remote;
    for named in named {
        let Some(named) = named else { break };
        address = named.to_canonical();
        if !is_trusted(&named) {
            break;
        }
    }
    let protocol = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let is_encrypted = protocol.is_some_and(|protocol| protocol.trim().eq_ignore_ascii_case("https"));
    Client { origin: Origin { address, is_remote: true }, is_encrypted }
}

/// Returns the address in an element of `X-Forwarded-For`, which some proxies give a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    text.parse().or_else(|_not_alone| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(remote: &str, headers: &[(&'static str, &str)], proxies: &[&str]) -> (String, bool, bool) {
        let proxies: Vec<IpAddr> = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        let mut given = HeaderMap::new();
        for (name, value) in headers {
            given.append(*name, value.parse().unwrap());
        }
        let connection = Connection { remote: remote.parse().unwrap(), ..Connection::unknown() };
        let Client { origin, is_encrypted } = client_of(connection, &given, &proxies);
        (origin.address.to_string(), origin.is_remote, is_encrypted)
    }

    #[test]
    fn the_address_of_the_connection_counts_unless_a_named_proxy_says_otherwise() {
        let local = |address: &str| (address.to_owned(), false, false);
        let remote = |address: &str| (address.to_owned(), true, false);
        assert_eq!(client("127.0.0.1", &[], &[]), local("127.0.0.1"));
        assert_eq!(client("::1", &[], &[]), local("::1"));
        assert_eq!(client("::ffff:127.0.0.1", &[], &[]), local("127.0.0.1"));
        assert_eq!(client("10.0.0.7", &[], &[]), remote("10.0.0.7"));
        let forged = [("x-forwarded-for", "10.9.9.9"), ("x-forwarded-proto", "https")];
        assert_eq!(client("10.0.0.7", &forged, &[]), remote("10.0.0.7"), "not a proxy");
        assert_eq!(client("127.0.0.1", &forged, &[]), remote("127.0.0.1"), "a proxy that is not named");
        assert_eq!(client("127.0.0.1", &forged, &["127.0.0.1"]), ("10.9.9.9".to_owned(), true, true));
        assert_eq!(client("127.0.0.1", &[], &["127.0.0.1"]), remote("127.0.0.1"));
    }

    #[test]
    fn what_is_left_of_the_last_untrusted_address_is_made_up() {
        let proxies = ["127.0.0.1", "10.0.0.2"];
        let address = |forwarded: &str| client("127.0.0.1", &[("x-forwarded-for", forwarded)], &proxies).0;
        assert_eq!(address("1.2.3.4, 10.0.0.9"), "10.0.0.9");
        assert_eq!(address("1.2.3.4, 10.0.0.9, 10.0.0.2"), "10.0.0.9");
        assert_eq!(address("1.2.3.4, nonsense, 10.0.0.2"), "10.0.0.2");
        assert_eq!(address("nonsense"), "127.0.0.1");
        assert_eq!(
            (address("10.0.0.9:5678"), address("[2001:db8::1]:9")),
            ("10.0.0.9".into(), "2001:db8::1".into())
        );
        let two = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "10.0.0.9")];
        assert_eq!(client("127.0.0.1", &two, &proxies).0, "10.0.0.9");
    }
}
