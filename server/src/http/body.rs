//! Bodies of requests, which are read within limits of time and number, and bodies that are written while
//! they are sent.

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, Request},
    http::StatusCode,
};
use futures_util::stream;
use serde::de::DeserializeOwned;
use shared::{
    ids::{At, WatchlistId},
    watchlist::Frozen,
    wire::{
        api::Whole,
        codec::Encoding,
        snapshot::{self, SnapshotRow},
    },
};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{budget::Budget, context::HttpContext, problem::Problem};
use crate::long_work::{self, LONG_BYTES};

/// Maximum time that a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// Maximum size of a small body, in bytes.
const SMALL_BYTES: usize = 16 * 1024;
/// Size after which a piece of a watchlist is sent, in bytes.
const PIECE_BYTES: usize = 32 * 1024;

/// The body of a request.
pub(super) struct RequestBody {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl RequestBody {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Parses the body as JSON.
    pub(super) fn parse<T: DeserializeOwned + Send>(&self) -> Result<T, Problem> {
        let decode = || Encoding::Json.decode(&self.bytes);
        long_work::run(self.bytes.len() >= LONG_BYTES, decode).map_err(Problem::bad_message)
    }
}

/// The small body of a request that holds no place among the caller's: there may be no caller.
pub(super) struct SmallBody(Bytes);

impl SmallBody {
    /// Parses the body as JSON.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        // The error does not quote the body, which may have a password.
        Encoding::Json
            .decode(&self.0)
            .map_err(|_quoting| Problem::bad_message("the body is not the JSON of this call"))
    }
}

impl FromRequest<HttpContext> for SmallBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &HttpContext) -> Result<Self, Problem> {
        check_declared(&request, SMALL_BYTES)?;
        let read = timeout(BODY_TIMEOUT, axum::body::to_bytes(request.into_body(), SMALL_BYTES)).await;
        let read = read.map_err(|_elapsed| Problem::body_timeout(BODY_TIMEOUT))?;
        read.map(Self).map_err(|_too_large_or_lost| Problem::too_large(SMALL_BYTES))
    }
}

impl FromRequest<HttpContext> for RequestBody {
    type Rejection = Problem;

    async fn from_request(request: Request, context: &HttpContext) -> Result<Self, Problem> {
        let limit = context.session.settings.limits.message_bytes;
        check_declared(&request, limit)?;
        let budget = request.extensions().get::<Arc<Budget>>().cloned();
        let permit = budget.expect("authentication adds the caller's budget").body().await?;
        let read = timeout(BODY_TIMEOUT, Bytes::from_request(request, context)).await;
        let bytes =
            read.map_err(|_elapsed| Problem::body_timeout(BODY_TIMEOUT))?.map_err(|error| {
                match error.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(limit),
                    _ => Problem::bad_message(error.body_text()),
                }
            })?;
        Ok(Self { bytes, _permit: permit })
    }
}

/// Checks the size that a request declares, so that a body that is too large is not waited for.
fn check_declared(request: &Request, limit: usize) -> Result<(), Problem> {
    if request.body().size_hint().lower() > limit as u64 {
        return Err(Problem::too_large(limit));
    }
    Ok(())
}

/// Returns a body that is written piece by piece while it is sent, so that a slow reader holds one piece in
/// memory. `counted` is held until its end. It is cut off once the caller may no longer read it.
pub(super) fn streamed(
    pieces: impl Iterator<Item = Vec<u8>> + Send + 'static,
    may_read: impl Fn() -> bool + Send + 'static,
    counted: impl Send + 'static,
) -> Body {
    let pieces = pieces.map(move |piece| {
        let _counted = &counted;
        if may_read() { Ok(piece) } else { Err(io::Error::other("the caller may no longer read this")) }
    });
    Body::from_stream(stream::iter(pieces))
}

/// Returns bytes in pieces.
pub(super) fn pieces(bytes: Vec<u8>) -> impl Iterator<Item = Vec<u8>> + Send {
    let mut rest = Bytes::from(bytes);
    std::iter::from_fn(move || {
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        (!piece.is_empty()).then(|| piece.to_vec())
    })
}

/// Returns the JSON of a [`Whole`] watchlist, with its derived cells, in pieces.
pub(super) fn watchlist_json(
    watchlist: WatchlistId,
    frozen: Frozen,
    at: At,
) -> impl Iterator<Item = Vec<u8>> + Send {
    let whole = Whole {
        watchlist,
        name: frozen.name.clone(),
        columns: snapshot::columns(&frozen.columns),
        epoch: at.epoch,
        revision: at.revision,
        rows: Vec::new(),
    };
    let mut start = Encoding::Json.encode(&whole);
    // The rows are the last field.
    let end = start.split_off(start.len() - b"]}".len());
    let mut next = 0;
    let rows = std::iter::from_fn(move || {
        let mut piece = Vec::new();
        while next < frozen.len() && piece.len() < PIECE_BYTES {
            if next > 0 {
                piece.push(b',');
            }
            let row = SnapshotRow::with_derived(&frozen, frozen.row(next));
            piece.extend_from_slice(&Encoding::Json.encode(&row));
            next += 1;
        }
        (!piece.is_empty()).then_some(piece)
    });
    [start].into_iter().chain(rows).chain([end])
}

#[cfg(test)]
mod tests {
    use shared::{
        edit::Change,
        ids::{Epoch, Revision, RowId},
        limits::Limits,
        position::Position,
        watchlist::{Watchlist, apply::Mode},
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_pieces_of_a_watchlist_are_its_json() {
        for rows in [0, 1, 5_000] {
            let columns = shared::column::standard_columns();
            let mut list = Watchlist::new("Core book", columns, &Limits::default()).unwrap();
            for position in Position::between(None, None, rows).unwrap() {
                let cells = [("symbol".into(), "\"MMM\"".into()), ("price".into(), "71.72".into())].into();
                let insert = Change::insert(RowId(Uuid::now_v7()), &position, cells);
                list.apply(&[insert], &Mode::Pending { limits: &Limits::default() }).unwrap();
            }
            let (frozen, at) = (list.freeze(), At { epoch: Epoch(Uuid::nil()), revision: Revision(7) });
            let whole = Whole {
                watchlist: WatchlistId(Uuid::nil()),
                name: frozen.name.clone(),
                columns: snapshot::columns(&frozen.columns),
                epoch: at.epoch,
                revision: at.revision,
                rows: frozen.rows().map(|row| SnapshotRow::with_derived(&frozen, row)).collect(),
            };
            let pieces: Vec<_> = watchlist_json(WatchlistId(Uuid::nil()), frozen, at).collect();
            assert_eq!(pieces.concat(), Encoding::Json.encode(&whole));
            let largest = pieces.iter().map(Vec::len).max().unwrap();
            assert!(largest < PIECE_BYTES + 1_024, "{largest} bytes");
        }
    }
}
