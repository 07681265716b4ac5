//! Errors as `application/problem+json` (RFC 9457), with the protocol's codes.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::{
    rejection::{Code, Rejection, shortened},
    wire::{api, codec::Encoding},
};
use tracing::error;

use super::connection_limit::{Holder, NoPlace};

/// An error's status and body.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// When the request may be sent again.
    retry_after: Option<Duration>,
    body: Box<api::Problem>,
}

impl Problem {
    fn new(status: StatusCode, code: Option<Code>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let rejection = code.map(|code| Rejection::new(code, detail.clone()));
        Self::with(status, detail, rejection)
    }

    fn with(status: StatusCode, detail: String, rejection: Option<Rejection>) -> Self {
        let title = status.canonical_reason().unwrap_or("error").into();
        let detail = shortened(detail);
        let body = Box::new(api::Problem { status: status.as_u16(), title, detail, rejection });
        Self { status, retry_after: None, body }
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, None, "unknown path; the API is under /api/v1")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, None, "method not allowed for this path")
    }

    pub(super) fn bad_message(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some(Code::BadMessage), detail)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Some(Code::TooLarge),
            format!("the request body is too large; the maximum is {limit} bytes"),
        )
    }

    pub(super) fn unauthorized() -> Self {
        let detail = "sign in, or send a token as `Authorization: Bearer …`; that of the server's own user is in local.token in its data folder, and works on the server's machine only";
        Self::new(StatusCode::UNAUTHORIZED, None, detail)
    }

    pub(super) fn bad_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Some(Code::BadCredentials), "the name or the password is wrong")
    }

    pub(super) fn foreign_origin() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            Some(Code::Forbidden),
            "requests from pages of other sites are not allowed",
        )
    }

    pub(super) fn foreign_host(host: &str) -> Self {
        let detail = format!("unknown host name {host:?}; add it to the setting `public_names`");
        Self::new(StatusCode::FORBIDDEN, Some(Code::Forbidden), detail)
    }

    pub(super) fn body_timeout(after: Duration) -> Self {
        let detail = format!("the body did not arrive within {} seconds", after.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, None, detail)
    }

    /// Too many calls of one caller at once, or too many edits a second.
    pub(super) fn too_many(what: &str, retry_after: Duration) -> Self {
        let detail = format!("too many {what}; try again in {} s", retry_after.as_secs().max(1));
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, None, detail);
        Self { retry_after: Some(retry_after), ..problem }
    }

    /// Returns the problem of a connection that has no place; `connections` is the limit of all of them.
    pub(super) fn no_place(why: NoPlace, connections: usize) -> Self {
        let message = match why {
            NoPlace::Full => format!("the limit of {connections} connections is reached; try again later"),
            NoPlace::HolderFull(Holder::Account(_), limit) => {
                format!("this account has {limit} connections, which is the limit; close some of them")
            }
            NoPlace::HolderFull(Holder::Address(address), limit) => {
                format!("{address} has {limit} connections, which is the limit; close some of them")
            }
        };
        Rejection::new(Code::Unavailable, message).into()
    }

    pub(super) fn unavailable(cause: &(dyn std::error::Error + 'static)) -> Self {
        error!(error = cause, "the store is not ready");
        let detail = "the server's store is not available; see the server's log";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Some(Code::Unavailable), detail)
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let status = match rejection.code {
            Code::UnknownWatchlist => StatusCode::NOT_FOUND,
            Code::Conflict | Code::LastOwner => StatusCode::CONFLICT,
            Code::BadCredentials => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::UnknownRow
            | Code::UnknownColumn
            | Code::ReadOnlyColumn
            | Code::InvalidValue
            | Code::TooLong
            | Code::DuplicateRow
            | Code::DuplicateColumn
            | Code::BadMessage
            | Code::EditReused
            | Code::TooOld => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::with(status, rejection.message.clone(), Some(rejection))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Encoding::Json.encode(&self.body);
        let json = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(header::CONTENT_TYPE, json)], body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}
