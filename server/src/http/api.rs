//! The calls under `/api/v1`. They follow the same path as WebSocket messages.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{FromRequestParts, Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{ClientId, EditId, Revision, RowId, UserId, WatchlistId},
    rejection::{Code, Rejection},
    sheet::csv,
    wire::{
        api::{Accepted, Create, Created, Edit, History, List},
        codec::Encoding,
    },
};

use super::{
    body::{RequestBody, pieces, streamed, watchlist_json},
    budget::Budget,
    connection_limit::Place,
    context::HttpContext,
    problem::Problem,
};
use crate::{
    access::Caller,
    journal::{HistoryFilter, HistoryPage, Verdict},
    long_work::{self, LONG_BYTES},
    room::Unreadable,
    session::history_limit,
};

/// The client and the number that identify an edit on its watchlist.
type EditName = (ClientId, EditId);

#[derive(Deserialize)]
pub(super) struct ListQuery {
    /// Whether to list the deleted watchlists that the caller may restore instead.
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
pub(super) struct ReadQuery {
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
}

#[derive(Deserialize)]
pub(super) struct HistoryQuery {
    row: Option<RowId>,
    column: Option<ColumnKey>,
    user: Option<UserId>,
    before: Option<Revision>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(ListQuery { deleted }) = query.map_err(|error| Problem::bad_message(error.body_text()))?;
    let hub = &context.session.hub;
    Ok(if deleted {
        Json(List { list: hub.deleted(&caller) }).into_response()
    } else {
        Json(List { list: hub.list(&caller) }).into_response()
    })
}

pub(super) async fn create(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    body: RequestBody,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let create: Create = body.parse()?;
    let watchlist = context.session.hub.create(&caller, None, &create.name, create.columns).await?;
    Ok((StatusCode::CREATED, Json(Created { watchlist })))
}

pub(super) async fn delete(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    WatchlistPath(id): WatchlistPath,
) -> Result<StatusCode, Problem> {
    context.session.hub.delete(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn restore(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    WatchlistPath(id): WatchlistPath,
) -> Result<StatusCode, Problem> {
    context.session.hub.restore(&caller, id).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn read(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    (Extension(budget), Extension(place)): (Extension<Arc<Budget>>, Extension<Arc<Place>>),
    WatchlistPath(id): WatchlistPath,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(ReadQuery { format }) = query.map_err(|error| Problem::bad_message(error.body_text()))?;
    let list = context.session.hub.connect(&caller, id)?;
    let download = budget.download(&place);
    let (frozen, at) = list.read().await.map_err(Rejection::from)?;
    // They may have been taken away in the meantime.
    list.rights()?;
    let tag = format!("\"{}-{}\"", at.epoch, at.revision);
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let may_read = move || list.rights().is_ok();
    let (kind, body) = match format {
        Format::Csv => ("text/csv; charset=utf-8", streamed(csv::write(frozen), may_read, download)),
        Format::Json => ("application/json", streamed(watchlist_json(id, frozen, at), may_read, download)),
    };
    let tag = HeaderValue::from_str(&tag).expect("a tag is hexadecimal and digits");
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::ETAG, tag)], body).into_response())
}

pub(super) async fn edit(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(budget): Extension<Arc<Budget>>,
    WatchlistPath(id): WatchlistPath,
    body: RequestBody,
) -> Result<Json<Accepted>, Problem> {
    let list = context.session.hub.connect(&caller, id)?;
    let bytes = body.bytes();
    let (name, changes) = long_work::run(bytes.len() >= LONG_BYTES, || read_edit(bytes))?;
    budget.edit().await?;
    match list.edit_answered(name, changes).await? {
        Verdict::Accepted(revision) => Ok(Json(Accepted { revision })),
        Verdict::Rejected(rejection) => Err((*rejection).into()),
    }
}

pub(super) async fn history(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(place): Extension<Arc<Place>>,
    WatchlistPath(id): WatchlistPath,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::bad_message(error.body_text()))?;
    let filter = HistoryFilter {
        row: query.row,
        column: query.column,
        user: query.user,
        before: query.before,
        limit: history_limit(query.limit),
    };
    let slot = context.session.histories.acquire(caller.user, place.eviction()).await;
    let hub = context.session.hub;
    let HistoryPage { commits, next } = hub.history(&caller, id, filter).await?;
    let json = Encoding::Json.encode(&History { commits, next });
    slot.ready();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_LENGTH, HeaderValue::from(json.len())),
    ];
    let may_read = move || hub.accounts().rights(&caller, id).is_some();
    Ok((headers, streamed(pieces(json), may_read, slot)).into_response())
}

/// Returns whether the client has the state of a tag already (RFC 9110, section 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Id of the watchlist in the path of a request.
pub(super) struct WatchlistPath(pub(super) WatchlistId);

impl<S: Send + Sync> FromRequestParts<S> for WatchlistPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await.ok();
        path.and_then(|Path(text)| text.parse().ok())
            .map(|id| Self(WatchlistId(id)))
            .ok_or_else(|| Rejection::new(Code::UnknownWatchlist, "invalid watchlist id; use a UUID").into())
    }
}

/// Reads an edit. If only its name can be read, it is answered as an edit whose changes are invalid.
fn read_edit(bytes: &[u8]) -> Result<(EditName, Result<Vec<Change>, Unreadable>), Problem> {
    #[derive(Deserialize)]
    struct NamedEdit {
        client: ClientId,
        edit: EditId,
    }
    let message = match Encoding::Json.decode::<Edit<'_>>(bytes) {
        Ok(Edit { client, edit, changes }) => return Ok(((client, edit), Ok(changes.into_owned()))),
        Err(message) => message,
    };
    let NamedEdit { client, edit } = Encoding::Json.decode(bytes).map_err(Problem::bad_message)?;
    Ok(((client, edit), Err(Unreadable { bytes: bytes.to_vec(), message })))
}
