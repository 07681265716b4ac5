//! Who sends a request: its token, and the site that it comes from.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    connection_limit::{Holder, Place},
    context::HttpContext,
    origin::{Client, Connection, client_of},
    problem::Problem,
};
use crate::{access::Credential, accounts::Presented};

/// Name of the cookie with the secret of a session.
pub(super) const SESSION_COOKIE: &str = "afterglow_session";

/// Passes a request on with its [`Caller`](crate::access::Caller) and the caller's budget, or rejects it.
pub(super) async fn authenticate(
    State(context): State<HttpContext>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Err(problem) = check_site(&context, &request) {
        return problem.into_response();
    }
    let client = client(&context, &request);
    let presented =
        Presented { bearer: bearer_token(request.headers()), session: session_cookie(request.headers()) };
    let Some(caller) = context.session.hub.accounts().authenticate(presented, client.origin) else {
        return Problem::unauthorized().into_response();
    };
    let place = request.extensions().get::<Arc<Place>>();
    let settings = &context.session.settings;
    // The user of the data folder and the programs of this machine are limited only with all others.
    let account = (caller.credential != Credential::Local)
        .then_some((Holder::Account(caller.user), settings.connections_per_account));
    let address = client
        .origin
        .is_remote
        .then_some((Holder::Address(client.origin.address), settings.connections_per_address));
    let holders: Vec<_> = [account, address].into_iter().flatten().filter(|(_, limit)| *limit > 0).collect();
    if let Some(Err(full)) = place.map(|place| place.authenticate(&holders)) {
        return Problem::no_place(full, settings.connections).into_response();
    }
    let budget = context.budgets.of(caller.user);
    request.extensions_mut().insert(budget);
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(caller.clone());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    let accounts = context.session.hub.accounts();
    match response.status() {
        // A session that has ended while its request arrived finds nothing, and may do nothing.
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND if accounts.role(&caller).is_none() => {
            Problem::unauthorized().into_response()
        }
        StatusCode::FORBIDDEN => {
            let what = format!("{method} {}", uri.path());
            accounts.record_denial(&caller, Some(client.origin.address), &what);
            response
        }
        _ => response,
    }
}

/// Rejects requests that a page of another site sent.
pub(super) async fn require_own_site(
    State(context): State<HttpContext>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Err(problem) = check_site(&context, &request) {
        return problem.into_response();
    }
    let client = client(&context, &request);
    request.extensions_mut().insert(client);
    next.run(request).await
}

/// Returns the client of a request.
fn client(context: &HttpContext, request: &Request) -> Client {
    client_of(connection(request), request.headers(), &context.session.settings.trusted_proxies)
}

fn connection(request: &Request) -> Connection {
    request.extensions().get().copied().unwrap_or_else(Connection::unknown)
}

fn check_site(context: &HttpContext, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let certified = context.tls.as_ref().map(|tls| tls.names()).unwrap_or_default();
    let names = OwnNames {
        address: connection(request).local,
        public: &context.session.settings.public_names,
        certified: &certified,
    };
    // A target with a host replaces the header (RFC 9112, section 3.2.2).
    if let Some(target) = request.uri().authority()
        && !names.contain(target.host())
    {
        return Err(Problem::foreign_host(target.host()));
    }
    if !is_own_host(headers, names) {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        return Err(Problem::foreign_host(host));
    }
    if is_own_origin(headers, client(context, request).is_encrypted) {
        Ok(())
    } else {
        Err(Problem::foreign_origin())
    }
}

/// Returns the token of the `Authorization` header, if there is one. A header that has no token counts as an
/// empty one.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?;
    let token = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map_or("", |(_, token)| token.trim());
    Some(token)
}

/// Returns the secret of the session cookie. Several that differ count as an empty one: one of them may be
/// from a page that wants the person to work in another session than their own.
pub(super) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let cookies =
        values.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let mut secrets = cookies.filter(|(name, _)| *name == SESSION_COOKIE).map(|(_, secret)| secret);
    let first = secrets.next()?;
    Some(if secrets.all(|other| other == first) { first } else { "" })
}

/// Returns whether the `Host` header names this server. A foreign name that resolves to this machine (DNS
/// rebinding) does not count.
fn is_own_host(headers: &HeaderMap, names: OwnNames<'_>) -> bool {
    let mut hosts = headers.get_all(header::HOST).into_iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    !authority.as_str().contains('@') && names.contain(authority.host())
}

/// The names of this server.
#[derive(Clone, Copy)]
struct OwnNames<'a> {
    /// The address under which the connection has reached the server.
    address: IpAddr,
    /// The names and addresses of the settings.
    public: &'a [String],
    /// The names and addresses of the certificate.
    certified: &'a [String],
}

impl OwnNames<'_> {
    fn contain(self, name: &str) -> bool {
        let mut own = self.public.iter().chain(self.certified);
        match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(ip) => {
                let is_reached = !self.address.is_unspecified() && ip == self.address.to_canonical();
                ip.is_loopback() || is_reached || own.any(|own| own.parse() == Ok(ip))
            }
            Err(_name) => {
                name.eq_ignore_ascii_case("localhost") || own.any(|own| own.eq_ignore_ascii_case(name))
            }
        }
    }
}

/// Whether a request comes from a program, which sends no `Origin`, or from a page of this server. A page that
/// someone on the network may have changed is not one of an encrypted server.
fn is_own_origin(headers: &HeaderMap, is_encrypted: bool) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    headers.get_all(header::ORIGIN).into_iter().all(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.zip(host).is_some_and(|((scheme, origin), host)| {
            // A proxy may have encrypted what arrives without encryption.
            (scheme.eq_ignore_ascii_case("https") || !is_encrypted) && origin.eq_ignore_ascii_case(host)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_token_of_a_bearer_scheme_is_read() {
        for (value, token) in
            [("", ""), ("Bearer", ""), ("Bearer x", "x"), ("bearer  x ", "x"), ("Basic x", ""), ("x", "")]
        {
            assert_eq!(bearer_token(&headers(&[(header::AUTHORIZATION, value)])), Some(token), "{value}");
        }
        assert_eq!(bearer_token(&HeaderMap::new()), None);
    }

    #[test]
    fn the_secret_of_the_session_cookie_is_read() {
        for (value, secret) in [
            ("afterglow_session=x", Some("x")),
            ("a=1; afterglow_session=x; b=2", Some("x")),
            ("afterglow_session=", Some("")),
            ("afterglow_session=x; afterglow_session=x", Some("x")),
            ("afterglow_session=x; afterglow_session=y", Some("")),
            ("afterglow_sessions=x", None),
            ("AFTERGLOW_SESSION=x", None),
            ("afterglow_session", None),
            ("", None),
        ] {
            assert_eq!(session_cookie(&headers(&[(header::COOKIE, value)])), secret, "{value}");
        }
    }

    #[test]
    fn requests_to_other_names_are_rejected() {
        let (public, certified) = (
            ["Desk.example".to_owned(), "10.0.0.9".to_owned()],
            ["tls.example".to_owned(), "2001:db8::5".to_owned()],
        );
        let names =
            |address: [u8; 4]| OwnNames { address: address.into(), public: &public, certified: &certified };
        for (host, is_own) in [
            ("127.0.0.1:7878", true),
            ("127.0.0.53", true),
            ("[::1]:7878", true),
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("10.0.0.5:7878", true),
            ("10.0.0.9", true),
            ("desk.example:7878", true),
            ("TLS.example", true),
            ("[2001:DB8:0::5]:7878", true),
            ("[2001:db8::6]", false),
            ("10.0.0.6", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("desk.example.evil", false),
            ("user@evil.example", false),
            ("", false),
            ("a b", false),
        ] {
            let given = headers(&[(header::HOST, host)]);
            assert_eq!(is_own_host(&given, names([10, 0, 0, 5])), is_own, "{host}");
        }
        assert!(!is_own_host(&HeaderMap::new(), names([127, 0, 0, 1])), "there is no host");
        let mut two = headers(&[(header::HOST, "localhost")]);
        two.append(header::HOST, "evil.example".parse().unwrap());
        assert!(!is_own_host(&two, names([127, 0, 0, 1])), "there are two hosts");
    }

    #[test]
    fn pages_of_other_sites_are_rejected() {
        for (origin, is_encrypted, is_own) in [
            ("http://evil.example", false, false),
            ("null", false, false),
            ("http://127.0.0.1:7878", false, true),
            ("https://127.0.0.1:7878", true, true),
            ("http://127.0.0.1:7878", true, false),
            ("https://127.0.0.1:7878", false, true),
        ] {
            let given = headers(&[(header::HOST, "127.0.0.1:7878"), (header::ORIGIN, origin)]);
            assert_eq!(is_own_origin(&given, is_encrypted), is_own, "{origin} {is_encrypted}");
        }
        assert!(is_own_origin(&HeaderMap::new(), true), "programs send no origin");
        assert!(
            !is_own_origin(&headers(&[(header::ORIGIN, "http://127.0.0.1:7878")]), false),
            "there is no host to compare"
        );
    }
}
