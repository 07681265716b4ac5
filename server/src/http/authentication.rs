//! Who sends a request: its token, and the site that it comes from.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{context::HttpContext, problem::Problem};
use crate::access::Caller;

/// Passes a request on with its [`Caller`], or rejects it.
pub(super) async fn authenticate(
    State(context): State<HttpContext>,
    mut request: Request,
    next: Next,
) -> Response {
    if !is_own_origin(request.headers()) {
        return Problem::foreign_origin().into_response();
    }
    match context.account.authenticate(bearer_token(request.headers())) {
        Some(user) => {
            request.extensions_mut().insert(Caller::new(user));
            next.run(request).await
        }
        None => Problem::unauthorized().into_response(),
    }
}

/// Rejects requests that a page of another site sent.
pub(super) async fn require_own_origin(request: Request, next: Next) -> Response {
    if is_own_origin(request.headers()) {
        next.run(request).await
    } else {
        Problem::foreign_origin().into_response()
    }
}

fn bearer_token(headers: &HeaderMap) -> &str {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map_or("", |(_, token)| token.trim())
}

/// Whether a request comes from a program, which sends no `Origin`, or from a page of this server.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin_host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    match (origin_host, host) {
        (Some(origin), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
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
            assert_eq!(bearer_token(&headers(&[(header::AUTHORIZATION, value)])), token, "{value}");
        }
        assert_eq!(bearer_token(&HeaderMap::new()), "");
    }

    #[test]
    fn pages_of_other_sites_are_rejected() {
        for (origin, is_own) in
            [("http://evil.example", false), ("null", false), ("http://127.0.0.1:7878", true)]
        {
            let given = headers(&[(header::HOST, "127.0.0.1:7878"), (header::ORIGIN, origin)]);
            assert_eq!(is_own_origin(&given), is_own, "{origin}");
        }
        assert!(is_own_origin(&HeaderMap::new()), "programs send no origin");
        assert!(
            !is_own_origin(&headers(&[(header::ORIGIN, "http://127.0.0.1:7878")])),
            "there is no host to compare"
        );
    }
}
