//! What a channel reads: older commits from the journal, and states from the room.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use shared::{
    edit::Commit,
    ids::{At, Revision, WatchlistId},
    watchlist::Frozen,
};
use tracing::warn;

use crate::{
    channel::Source,
    journal::{Journal, ReadLimit},
    room::RoomReader,
    unavailable::Unavailable,
};

/// The journal and the room of one watchlist.
pub(super) struct JournalAndRoom {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) watchlist: WatchlistId,
    pub(super) room: RoomReader,
}

impl Source for JournalAndRoom {
    fn commits_after(
        &self,
        revision: Revision,
        bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<Commit>, Unavailable>> {
        let limit = ReadLimit { commits: usize::MAX, bytes };
        Box::pin(async move {
            self.journal.commits(self.watchlist, revision, limit).await.map_err(|error| {
                let watchlist = self.watchlist;
                warn!(%watchlist, error = &error as &dyn std::error::Error, "failed to read older commits");
                Unavailable::from(&error)
            })
        })
    }

    fn state(&self) -> BoxFuture<'_, Result<(Frozen, At), Unavailable>> {
        Box::pin(self.room.read())
    }
}
