//! The calls about other accounts: finding people, sharing watchlists, and what administrators do.

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use shared::{
    account::User,
    ids::UserId,
    rejection::{Code, Rejection},
    wire::{
        account_api::{
            AccessEntry, AccountSummary, AddAccount, AddToken, AddedAccount, AddedToken, AuditEntry,
            AuditLog, ChangeAccount, Hidden, PersonRef, SetAccess, TokenSummary,
        },
        api::List,
    },
};
use uuid::Uuid;

use super::{
    api::WatchlistPath,
    body::{RequestBody, SmallBody},
    context::HttpContext,
    origin::Client,
    problem::Problem,
};
use crate::access::Caller;

#[derive(Deserialize)]
pub(super) struct PeopleQuery {
    /// Part of a name.
    #[serde(default)]
    query: String,
}

pub(super) async fn people(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<PeopleQuery>, QueryRejection>,
) -> Result<Json<List<PersonRef>>, Problem> {
    let Query(PeopleQuery { query }) = query.map_err(|error| Problem::bad_message(error.body_text()))?;
    let found = context.session.hub.accounts().find(&caller, &query)?;
    Ok(Json(List { list: found.into_iter().map(person).collect() }))
}

pub(super) async fn access(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    WatchlistPath(id): WatchlistPath,
) -> Result<Json<List<AccessEntry>>, Problem> {
    let list = context.session.hub.access(&caller, id)?;
    let entries = list.into_iter().map(|(user, role)| AccessEntry { user: user.map(person), role });
    Ok(Json(List { list: entries.collect() }))
}

pub(super) async fn share(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<Client>,
    WatchlistPath(id): WatchlistPath,
    body: RequestBody,
) -> Result<StatusCode, Problem> {
    let SetAccess { user, role } = body.parse()?;
    context.session.hub.share(&caller, id, (user, role), client.origin.address).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<List<AccountSummary>>, Problem> {
    let accounts = context.session.hub.accounts().list(&caller)?;
    let summaries = accounts.into_iter().map(|account| AccountSummary {
        id: account.id,
        name: account.name,
        role: account.role,
        disabled: account.is_disabled,
        created: account.created,
    });
    Ok(Json(List { list: summaries.collect() }))
}

pub(super) async fn add(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<Client>,
    body: SmallBody,
) -> Result<(StatusCode, Json<AddedAccount>), Problem> {
    let AddAccount { name, password, admin } = body.parse()?;
    let accounts = context.session.hub.accounts();
    let id = accounts.add(&caller, (&name, &password.0), admin, client.origin.address).await?;
    Ok((StatusCode::CREATED, Json(AddedAccount { id })))
}

pub(super) async fn change(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    body: SmallBody,
) -> Result<StatusCode, Problem> {
    let change: ChangeAccount = body.parse()?;
    let id = UserId(read_id("account", &id)?);
    context.session.hub.accounts().change(&caller, id, change, client.origin.address).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn tokens(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<List<TokenSummary>>, Problem> {
    let accounts = context.session.hub.accounts();
    let tokens = accounts.tokens(&caller)?;
    let summaries = tokens.into_iter().map(|token| TokenSummary {
        id: token.id,
        user: PersonRef { id: token.account, name: accounts.name_of(token.account).unwrap_or_default() },
        name: token.name,
        scope: token.scope,
        created: token.created,
        expires: token.expires,
        last_used: token.last_used,
    });
    Ok(Json(List { list: summaries.collect() }))
}

pub(super) async fn add_token(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<Client>,
    body: RequestBody,
) -> Result<(StatusCode, Json<AddedToken>), Problem> {
    let add: AddToken = body.parse()?;
    let accounts = context.session.hub.accounts();
    let (id, secret) = accounts.add_token(&caller, add, client.origin.address).await?;
    let token = Hidden(secret.text().to_owned());
    Ok((StatusCode::CREATED, Json(AddedToken { id, token })))
}

pub(super) async fn revoke_token(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = read_id("token", &id)?;
    context.session.hub.accounts().revoke_token(&caller, id, client.origin.address).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn audit_log(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<AuditLog>, Problem> {
    let (stored, broken_at) = context.session.hub.accounts().audit(&caller).await?;
    let entries = stored.into_iter().map(|stored| AuditEntry {
        number: stored.number,
        // A damaged entry is shown as the text that it is.
        entry: serde_json::from_str(&stored.entry).unwrap_or(serde_json::Value::String(stored.entry)),
        hash: stored.hash,
    });
    Ok(Json(AuditLog { entries: entries.collect(), broken_at }))
}

fn person(user: User) -> PersonRef {
    PersonRef { id: user.id, name: user.name }
}

fn read_id(what: &str, text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_not_a_uuid: uuid::Error| {
        Rejection::new(Code::InvalidValue, format!("invalid {what} id; use a UUID")).into()
    })
}
