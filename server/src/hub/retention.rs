//! Removes what is no longer kept, once a day: watchlists that were deleted long ago, old commits, and the
//! answers of clients that have not sent an edit for long.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use shared::{ids::WatchlistId, time::Timestamp};
use tracing::{error, warn};

use super::lists::Lists;
use crate::{
    accounts::Accounts,
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

/// Prunes the commits of every watchlist, opened or not, and expires answers; once a day purges, prunes and
/// expires again, until the server stops.
pub(super) async fn run(context: RoomContext, lists: Weak<Lists>, accounts: Arc<Accounts>) {
    loop {
        let Some(ids) = lists.upgrade().map(|lists| ids(&lists)) else { return };
        for id in ids {
            prune(context.clone(), id).await;
        }
        expire_answers(&context).await;
        tokio::select! {
            () = tokio::time::sleep(DAY) => {}
            () = context.stop.cancelled() => return,
        }
        match purge(&context).await {
            Ok(purged) => {
                lists.upgrade().into_iter().for_each(|lists| lists.forget(&purged));
                accounts.forget(&purged).await;
            }
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "failed to purge deleted watchlists");
            }
        }
    }
}

/// Deletes the answers that are no longer kept, until the server stops.
async fn expire_answers(context: &RoomContext) {
    let (now, days) = ((context.clock)(), context.settings.answers_days);
    if days == 0 {
        return;
    }
    let expired = tokio::select! {
        expired = context.journal.expire_answers(now, days) => expired,
        () = context.stop.cancelled() => return,
    };
    if let Err(error) = expired {
        warn!(error = &error as &dyn std::error::Error, "failed to delete old answers");
    }
}

fn ids(lists: &Arc<Lists>) -> Vec<WatchlistId> {
    lists.entries().iter().map(|entry| entry.id).collect()
}
