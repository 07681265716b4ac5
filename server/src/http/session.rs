//! The calls about the caller's own account: signing in and out, its sessions and its password.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::wire::account_api::{ChangePassword, OwnAccount, OwnSession, SignIn, SignedIn};
use uuid::Uuid;

use super::{
    authentication::{SESSION_COOKIE, session_cookie},
    body::SmallBody,
    context::HttpContext,
    origin::Client,
    problem::Problem,
};
use crate::{access::Caller, accounts::SignInError};

pub(super) async fn sign_in(
    State(context): State<HttpContext>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: SmallBody,
) -> Result<Response, Problem> {
    let SignIn { name, password } = body.parse()?;
    let app = headers.get(header::USER_AGENT).and_then(|app| app.to_str().ok()).unwrap_or_default();
    let accounts = context.session.hub.accounts().clone();
    let (app, previous) = (app.to_owned(), session_cookie(&headers).map(str::to_owned));
    // It ends even if the client goes away, so that the try is counted and recorded.
    let signing_in = context.tasks.spawn(async move {
        let from = (client.origin.address, app.as_str());
        accounts.sign_in((&name, &password.0), from, previous.as_deref()).await
    });
    let signed_in = signing_in.await.expect("a sign-in does not panic")?;
    let secure = if client.is_encrypted { "; Secure" } else { "" };
    let cookie =
        format!("{SESSION_COOKIE}={}; HttpOnly; SameSite=Strict; Path=/{secure}", signed_in.secret.text());
    let mut cookie = HeaderValue::from_str(&cookie).expect("a secret is hexadecimal");
    cookie.set_sensitive(true);
    let answer = SignedIn { user: signed_in.user, expires: signed_in.expires };
    Ok(([(header::SET_COOKIE, cookie)], Json(answer)).into_response())
}

pub(super) async fn own(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
) -> Json<OwnAccount> {
    let accounts = context.session.hub.accounts();
    let sessions = accounts.sessions(&caller).into_iter().map(|own| OwnSession {
        id: own.session.id,
        created: own.session.created,
        last_used: own.session.last_used,
        address: own.session.address,
        app: own.session.app,
        current: own.is_current,
    });
    let sessions = sessions.collect();
    Json(OwnAccount { user: accounts.user(&caller), expires: accounts.expires(&caller), sessions })
}

pub(super) async fn sign_out(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<Client>,
) -> Result<Response, Problem> {
    context.session.hub.accounts().sign_out(&caller, client.origin.address).await?;
    let cookie = format!("{SESSION_COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

pub(super) async fn end(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    // An id that cannot be one of a session is like one of a session that has ended.
    if let Ok(id) = id.parse::<Uuid>() {
        context.session.hub.accounts().end_session(&caller, id, client.origin.address).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn change_password(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<Client>,
    body: SmallBody,
) -> Result<StatusCode, Problem> {
    let ChangePassword { old, new } = body.parse()?;
    let accounts = context.session.hub.accounts();
    accounts.change_password(&caller, (&old.0, &new.0), client.origin.address).await??;
    Ok(StatusCode::NO_CONTENT)
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::BadCredentials => Self::bad_credentials(),
            SignInError::TooMany(after) => Self::too_many("tries to sign in", after),
            SignInError::Unavailable(rejection) => rejection.into(),
        }
    }
}
