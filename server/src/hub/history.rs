//! Reads commits of a watchlist's history, as many as fit into a page.

use shared::{
    edit::Change,
    ids::{Revision, WatchlistId},
    limits::SERVER_MESSAGE_BYTES,
    wire::codec::Encoding,
};

use crate::journal::{HistoryFilter, HistoryPage, Journal, JournalError};

/// Maximum number of reads of the journal for one request.
const READS: usize = 64;
/// Maximum size of the commits of a page in the larger encoding, unless it has only one.
const PAGE_BYTES: usize = 1 << 20;
/// Upper bound of the size of a message without its commits, in bytes.
const ENVELOPE_BYTES: usize = 128;

/// Returns the first commits that match, newest first. If there may be more, the page says where to continue.
/// Each read waits for its turn, so that a long search does not delay others.
pub(super) async fn read(
    journal: &dyn Journal,
    id: WatchlistId,
    filter: HistoryFilter,
) -> Result<HistoryPage, JournalError> {
    let mut found = Found::new(filter.before, PAGE_BYTES, SERVER_MESSAGE_BYTES);
    for _ in 0..READS {
        let limit = filter.limit - found.page.commits.len();
        let rest = HistoryFilter { before: found.page.next, limit, ..filter.clone() };
        if !found.add(journal.history(id, rest).await?) || found.page.commits.len() >= filter.limit {
            break;
        }
    }
    Ok(found.page)
}

/// The commits that were found so far, and their size in the larger encoding.
struct Found {
    page: HistoryPage,
    bytes: usize,
    limit: usize,
    /// Size that a page with one commit may have.
    largest: usize,
}

impl Found {
    fn new(before: Option<Revision>, limit: usize, largest: usize) -> Self {
        let page = HistoryPage { commits: Vec::new(), next: before };
        Self { page, bytes: ENVELOPE_BYTES, limit, largest }
    }

    /// Adds the commits of a read that fit, and at least one. If the first does not fit into a message with
    /// the values that it replaced, it is added without them. Returns whether there is more to read, and room
    /// for it.
    fn add(&mut self, read: HistoryPage) -> bool {
        for mut commit in read.commits {
            self.bytes += Encoding::Json.size(&commit) + 1;
            let is_first = self.page.commits.is_empty();
            if self.bytes > self.limit {
                if is_first {
                    if self.bytes > self.largest {
                        commit.changes = commit.changes.drain(..).map(Change::without_guard).collect();
                    }
                    self.page.next = Some(commit.revision);
                    self.page.commits.push(commit);
                } else {
                    self.page.next = self.page.commits.last().map(|last| last.revision);
                }
                return false;
            }
            self.page.commits.push(commit);
        }
        self.page.next = read.next;
        read.next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use shared::{
        edit::{Author, Commit},
        ids::{ClientId, EditId, RequestId, Revision, RowId, UserId},
        time::Timestamp,
        wire::server::{History, ServerMessage},
    };
    use uuid::Uuid;

    use super::*;

    fn commit(revision: u64, text: &str) -> Commit {
        let (user, client) = (UserId(Uuid::nil()), ClientId(Uuid::nil()));
        let set = Change::set_guarded(RowId(Uuid::nil()), &"note".into(), text.into(), text.into());
        Commit {
            revision: Revision(revision),
            by: Author { user, name: "ann".into(), client, edit: EditId(revision) },
            at: Timestamp::from_millis(0),
            changes: vec![set],
        }
    }

    /// Adds commits that come in pages of a length, and returns what fits, with whether more would be read.
    fn fitting(commits: &[Commit], length: usize, limit: usize) -> (HistoryPage, bool) {
        let mut found = Found::new(None, limit, limit.saturating_mul(2));
        let pages = commits.chunks(length).map(|page| page.to_vec());
        for commits in pages {
            let next = commits.last().map(|last| last.revision).filter(|last| last.0 > 0);
            if !found.add(HistoryPage { commits, next }) {
                return (found.page, false);
            }
        }
        (found.page, true)
    }

    #[test]
    fn as_many_commits_as_fit_are_returned_and_never_more_than_a_message_holds() {
        let commits: Vec<Commit> =
            (0..100).rev().map(|revision| commit(revision, &"\"".repeat(100))).collect();
        for (limit, length) in [(1_000, 1), (10_000, 7), (20_000, 100)] {
            let (HistoryPage { commits: sent, next }, _) = fitting(&commits, length, limit);
            assert_eq!(next, sent.last().map(|last| last.revision), "the rest follows the last that is sent");
            let size = |commits: &[Commit]| {
                let (request, commits) = (RequestId(u64::MAX), commits.to_vec());
                Encoding::Json.size(&ServerMessage::History(History { request, commits, next }))
            };
            assert!(size(&sent) <= limit, "{} bytes", size(&sent));
            assert!(size(&commits[..=sent.len()]) > limit - 2 * ENVELOPE_BYTES, "no more would fit");
        }
        let whole = HistoryPage { commits: commits.clone(), next: None };
        assert_eq!(fitting(&commits, 7, usize::MAX), (whole, false));
    }

    #[test]
    fn a_commit_that_does_not_fit_is_returned_without_the_values_that_it_replaced() {
        let large = commit(1, &"x".repeat(600));
        let alone = HistoryPage { commits: vec![large.clone()], next: Some(Revision(1)) };
        assert_eq!(fitting(&[large.clone(), commit(0, "y")], 2, 1_200).0, alone, "it fits alone");
        let (page, _) = fitting(&[large.clone(), commit(0, "y")], 2, 600);
        assert_eq!(page.next, Some(Revision(1)));
        let without = large.changes.into_iter().map(Change::without_guard).collect();
        assert_eq!(page.commits, [Commit { changes: without, ..commit(1, "") }]);
    }
}
