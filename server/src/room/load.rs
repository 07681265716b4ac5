//! Loads a watchlist from the journal: its newest snapshot, and the commits since.

use futures_util::TryStreamExt;
use shared::{
    edit::Commit,
    ids::{Revision, WatchlistId},
    watchlist::Watchlist,
};

use super::{context::RoomContext, judge::Judge};
use crate::journal::{JournalError, ReadLimit, StoredPart};

/// Limits of one read while replaying commits.
const REPLAY_LIMIT: ReadLimit = ReadLimit { commits: 1_000, bytes: 8 << 20 };

/// Loads a watchlist, and returns it with the revision of its snapshot.
pub(super) async fn load(
    context: &RoomContext,
    watchlist: WatchlistId,
) -> Result<(Judge, Revision), JournalError> {
    let damaged = |what: String| JournalError::Damaged(format!("watchlist {watchlist}: {what}"));
    // Values that were accepted under other limits are still valid.
    let unlimited = context.settings.limits.for_stored();
    let mut judge = None;
    // A part is freed before the next one is read: all of them together take several times the memory of the
    // rows.
    let mut parts = context.journal.snapshot(watchlist);
    while let Some(StoredPart { snapshot, authors }) = parts.try_next().await? {
        let judge = match &mut judge {
            Some(judge) => judge,
            None => {
                let state = Watchlist::new(&snapshot.name, snapshot.columns, &unlimited);
                let state = state.map_err(|rejection| damaged(rejection.message))?;
                judge.insert(Judge::new(state, snapshot.revision, context.settings.limits))
            }
        };
        for row in &snapshot.rows {
            row.load_into(&mut judge.watchlist).map_err(|rejection| damaged(rejection.message))?;
        }
        judge.authorship.load(authors);
    }
    drop(parts);
    let mut judge = judge.ok_or_else(|| damaged("it has no snapshot".to_owned()))?;
    let revision = judge.revision;
    if revision > Revision(0) {
        // Times of commits never go back, even if the clock does.
        let newest = context
            .journal
            .commits(watchlist, Revision(revision.0 - 1), ReadLimit { commits: 1, bytes: 1 })
            .await?;
        judge.last_at = newest.first().map_or(judge.last_at, |commit| commit.at);
    }
    while !replay(context, watchlist, &mut judge).await?.is_empty() {}
    Ok((judge, revision))
}

/// Applies some of the commits that the journal has after a state, and returns them: none if there are no more.
///
/// # Errors
/// The journal cannot be read, or does not continue the state.
pub(super) async fn replay(
    context: &RoomContext,
    watchlist: WatchlistId,
    judge: &mut Judge,
) -> Result<Vec<Commit>, JournalError> {
    let damaged = |what: String| JournalError::Damaged(format!("watchlist {watchlist}: {what}"));
    let commits = context.journal.commits(watchlist, judge.revision, REPLAY_LIMIT).await?;
    for commit in &commits {
        if commit.revision != judge.revision.next() {
            return Err(damaged(format!("revision {} is missing", judge.revision.next())));
        }
        judge
            .replay(commit)
            .map_err(|rejection| damaged(format!("revision {}: {rejection}", commit.revision)))?;
    }
    Ok(commits)
}
