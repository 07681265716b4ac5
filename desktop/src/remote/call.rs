//! Calls of the server's HTTP API, each over a connection of its own.

use std::{fmt, time::Duration};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::handshake,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, RETRY_AFTER, SET_COOKIE, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use shared::{address::Parts, rejection::Code, wire::api::Problem};
use tokio::time::timeout;

use super::dial::{DialError, Server, dial};

/// Time limit for a call.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of an answer in bytes.
const MAX_ANSWER: usize = 8 << 20;
/// Name of the system, by which a person knows their computers apart.
const SYSTEM: &str = if cfg!(windows) {
    "Windows"
} else if cfg!(target_os = "macos") {
    "macOS"
} else {
    "Linux"
};
/// Name of the cookie with the secret of a session.
const SESSION_COOKIE: &str = "afterglow_session";

/// What proves to a server who is asking.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A token.
    Token(String),
    /// The secret of a session.
    Session(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Token(_) => "Token(..)",
            Self::Session(_) => "Session(..)",
        })
    }
}

impl Credential {
    /// Returns the header that carries it: its name and its value.
    pub fn header(&self) -> (&'static str, String) {
        match self {
            Self::Token(token) => (AUTHORIZATION.as_str(), format!("Bearer {token}")),
            Self::Session(secret) => (COOKIE.as_str(), format!("{SESSION_COOKIE}={secret}")),
        }
    }
}

/// A call.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    path: String,
    body: Option<Vec<u8>>,
}

impl Request {
    /// Creates a call without a body.
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None }
    }

    /// Adds a body as JSON.
    ///
    /// # Panics
    /// The bodies of the API can always be written as JSON.
    pub fn with(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("a body of the API can be written as JSON");
        Self { body: Some(body), ..self }
    }
}

/// A successful answer.
#[derive(Debug)]
pub struct Answer {
    body: Bytes,
    /// The secret of the session that a sign-in has started.
    pub session: Option<String>,
}

impl Answer {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// The body is not what the API defines.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|error| CallError::Unexpected(error.to_string()))
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke, or the server does not answer.
    #[error("the connection to the server was lost ({0})")]
    Lost(String),
    /// The credential is not valid, or no longer.
    #[error("you are not signed in")]
    SignedOut,
    /// The name or the password is wrong.
    #[error("{0}")]
    BadCredentials(String),
    /// There were too many tries.
    #[error("too many tries; try again in {0} s")]
    TooManyTries(u64),
    /// The server rejects the call for another reason, which it gives.
    #[error("{0}")]
    Rejected(String),
    /// The answer is not one of an Afterglow server.
    #[error("the server does not answer as an Afterglow server ({0})")]
    Unexpected(String),
}

/// Makes a call.
///
/// # Errors
/// See [`CallError`].
pub async fn call(
    server: &Server,
    credential: Option<&Credential>,
    request: Request,
) -> Result<Answer, CallError> {
    let called = timeout(TIMEOUT, call_at_leisure(server, credential, request)).await;
    called.unwrap_or_else(|_late| Err(CallError::Lost("no answer within 30 seconds".to_owned())))
}

async fn call_at_leisure(
    server: &Server,
    credential: Option<&Credential>,
    request: Request,
) -> Result<Answer, CallError> {
    let parts = Parts::of(&server.base).map_err(CallError::Unexpected)?;
    let stream = dial(server).await?;
    let lost = |error: hyper::Error| CallError::Lost(error.to_string());
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let driver = tokio::spawn(connection);
    let mut head = hyper::Request::builder()
        .method(request.method)
        .uri(&request.path)
        .header(HOST, parts.authority())
        .header(USER_AGENT, app());
    if request.body.is_some() {
        head = head.header(CONTENT_TYPE, "application/json");
    }
    if let Some((name, value)) = credential.map(Credential::header) {
        head = head.header(name, value);
    }
    let body = Full::new(Bytes::from(request.body.unwrap_or_default()));
    let message = head.body(body).map_err(|error| CallError::Unexpected(error.to_string()))?;
    let answer = sender.send_request(message).await.map_err(lost)?;
    let read = read(answer).await;
    driver.abort();
    read
}

async fn read(answer: hyper::Response<Incoming>) -> Result<Answer, CallError> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
        match error.downcast_ref::<LengthLimitError>() {
            Some(_) => CallError::Unexpected("the answer is too long".to_owned()),
            None => CallError::Lost(error.to_string()),
        }
    })?;
    let body = body.to_bytes();
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    if head.status.is_success() {
        // A load balancer may set cookies of its own.
        let cookies = head.headers.get_all(SET_COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let session = cookies.filter_map(session_of).next();
        return Ok(Answer { body, session });
    }
    let problem = serde_json::from_slice::<Problem>(&body).ok();
    let Some(problem) = problem else {
        return Err(CallError::Unexpected(head.status.to_string()));
    };
    Err(match (head.status, problem.rejection.map(|rejection| rejection.code)) {
        (_, Some(Code::BadCredentials)) => CallError::BadCredentials(problem.detail),
        (StatusCode::UNAUTHORIZED, _) => CallError::SignedOut,
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            CallError::TooManyTries(text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).unwrap_or(1))
        }
        _ => CallError::Rejected(problem.detail),
    })
}

/// Returns the secret in a `Set-Cookie` header that starts a session.
fn session_of(cookie: &str) -> Option<String> {
    let pair = cookie.split(';').next()?;
    let secret = pair.trim().strip_prefix(SESSION_COOKIE)?.strip_prefix('=')?;
    (!secret.is_empty()).then(|| secret.to_owned())
}

/// The name by which the server lists this program among the sessions.
fn app() -> String {
    format!("Afterglow/{} ({SYSTEM})", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_a_session_is_in_the_cookie() {
        let cookie = "afterglow_session=abc; HttpOnly; SameSite=Strict; Path=/; Secure";
        assert_eq!(session_of(cookie).as_deref(), Some("abc"));
        for other in ["afterglow_session=; Max-Age=0", "afterglow_sessions=x", "x=afterglow_session", ""] {
            assert_eq!(session_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_credential_is_not_printed() {
        let printed =
            format!("{:?} {:?}", Credential::Token("secret".into()), Credential::Session("secret".into()));
        assert!(!printed.contains("secret"));
    }
}
