//! Reading a watchlist from the journal: its newest snapshot, and the commits since.

use shared::{
    ids::{Revision, WatchlistId},
    limits::Limits,
    watchlist::Watchlist,
};

use super::{RoomContext, judge::Judge};
use crate::journal::{JournalError, Most};

/// What is read at once.
const LOADED: Most = Most { commits: 1_000, bytes: 8 << 20 };

/// Reads a watchlist; gives it with the revision of the snapshot that it was read from.
pub(super) async fn load(
    context: &RoomContext,
    watchlist: WatchlistId,
) -> Result<(Judge, Revision), JournalError> {
    let damaged = |what: String| JournalError::Damaged(format!("watchlist {watchlist}: {what}"));
    let parts = context.journal.snapshot(watchlist).await?;
    let first = parts.first().ok_or_else(|| damaged("it has no snapshot".to_owned()))?;
    let revision = first.snapshot.revision;
    // What was accepted under other limits is there all the same.
    let lifted = Limits { columns: usize::MAX, text_bytes: usize::MAX, ..context.settings.limits };
    let state = Watchlist::new(&first.snapshot.name, first.snapshot.columns.clone(), &lifted);
    let state = state.map_err(|rejection| damaged(rejection.message))?;
    let mut judge = Judge::new(state, revision, context.settings.limits);
    for part in parts {
        for row in &part.snapshot.rows {
            judge.watchlist.load_wire_row(row).map_err(|rejection| damaged(rejection.message))?;
        }
        judge.authorship.load(part.authors);
    }
    if revision > Revision(0) {
        // Times go on from where they were, whatever the clock says.
        let head = context
            .journal
            .commits(watchlist, Revision(revision.0 - 1), Most { commits: 1, bytes: 1 })
            .await?;
        judge.last_at = head.first().map_or(judge.last_at, |commit| commit.at);
    }
    loop {
        let commits = context.journal.commits(watchlist, judge.revision, LOADED).await?;
        for commit in &commits {
            if commit.revision != judge.revision.next() {
                return Err(damaged(format!("revision {} is missing", judge.revision.next())));
            }
            judge
                .replay(commit)
                .map_err(|rejection| damaged(format!("revision {}: {rejection}", commit.revision)))?;
        }
        if commits.is_empty() {
            return Ok((judge, revision));
        }
    }
}
