//! Removes what is no longer kept, once a day: watchlists that were deleted long ago, and old commits.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use shared::{ids::WatchlistId, time::Timestamp};
use tracing::error;

use super::lists::Lists;
use crate::{
    journal::JournalError,
    room::{RoomContext, prune},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Erases the watchlists that were deleted long enough ago, and returns them.
pub(super) async fn purge(context: &RoomContext) -> Result<Vec<WatchlistId>, JournalError> {
    let kept = DAY * context.settings.deleted_days;
    let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis((context.clock)().as_millis().saturating_sub(kept));
    context.journal.purge(before).await
}

/// Prunes the commits of every watchlist, opened or not, and once a day purges and prunes again, until the
/// server stops.
pub(super) async fn run(context: RoomContext, lists: Weak<Lists>) {
    loop {
        let Some(ids) = lists.upgrade().map(|lists| ids(&lists)) else { return };
        for id in ids {
            prune(context.clone(), id).await;
        }
        tokio::select! {
            () = tokio::time::sleep(DAY) => {}
            () = context.stop.cancelled() => return,
        }
        match purge(&context).await {
            Ok(purged) => lists.upgrade().into_iter().for_each(|lists| lists.forget(&purged)),
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "failed to purge deleted watchlists");
            }
        }
    }
}

fn ids(lists: &Arc<Lists>) -> Vec<WatchlistId> {
    lists.entries().iter().map(|entry| entry.id).collect()
}
