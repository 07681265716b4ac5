//! Creates, deletes and restores watchlists. A write that was reported as failed may be stored nevertheless,
//! so its result is read.

use shared::{ids::WatchlistId, time::Timestamp};

use super::{
    record::{Record, StoredPart},
    store::{Journal, JournalError},
};

/// Creates a watchlist from its snapshot at revision 0.
///
/// # Errors
/// The journal's error, if the watchlist is not stored or that cannot be read.
pub async fn create(journal: &dyn Journal, record: Record, first: StoredPart) -> Result<(), JournalError> {
    let id = record.id;
    let written = journal.create(record, first).await;
    confirm(journal, written, |record| record.id == id).await
}

/// Marks a watchlist as deleted at a time, or as restored.
///
/// # Errors
/// The journal's error, if the mark is not stored or that cannot be read.
pub async fn set_deleted(
    journal: &dyn Journal,
    id: WatchlistId,
    at: Option<Timestamp>,
) -> Result<(), JournalError> {
    let written = journal.set_deleted(id, at).await;
    confirm(journal, written, |record| record.id == id && record.deleted_at == at).await
}

async fn confirm(
    journal: &dyn Journal,
    written: Result<(), JournalError>,
    is_result: impl Fn(&Record) -> bool,
) -> Result<(), JournalError> {
    let Err(error) = written else { return Ok(()) };
    let stored = journal.watchlists().await.unwrap_or_default();
    if stored.iter().any(is_result) { Ok(()) } else { Err(error) }
}
