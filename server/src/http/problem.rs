//! Errors as `application/problem+json` (RFC 9457), with the protocol's codes.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::rejection::{Code, Rejection};
use tracing::error;

/// An error's status and body.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    title: &'static str,
    detail: String,
    #[serde(flatten)]
    rejection: Option<Box<Rejection>>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    fn new(status: StatusCode, code: Option<Code>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let title = status.canonical_reason().unwrap_or("error");
        let rejection = code.map(|code| Box::new(Rejection::new(code, detail.clone())));
        Self { status, title, detail, rejection }
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, None, "there is nothing at this path; the calls are under /api/v1")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, None, "this path has no such method")
    }

    pub(super) fn bad_message(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some(Code::BadMessage), detail)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Some(Code::TooLarge),
            format!("a body of more than {limit} bytes"),
        )
    }

    pub(super) fn unauthorized() -> Self {
        let detail =
            "send the token as `Authorization: Bearer …`; it is in local.token in the server's data folder";
        Self::new(StatusCode::UNAUTHORIZED, None, detail)
    }

    pub(super) fn foreign_origin() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            Some(Code::Forbidden),
            "requests from pages of other sites are not allowed",
        )
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
            Code::Conflict => StatusCode::CONFLICT,
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
        let title = status.canonical_reason().unwrap_or("error");
        Self { status, title, detail: rejection.message.clone(), rejection: Some(Box::new(rejection)) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("a problem is plain data");
        let json = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(header::CONTENT_TYPE, json)], body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
