//! Answers history requests.

use std::sync::Arc;

use shared::{
    edit::{Change, Commit},
    limits::SERVER_MESSAGE_BYTES,
    wire::{
        client,
        codec::Encoding,
        server::{self, ServerMessage},
    },
};

use super::error::request_failed;
use crate::{
    access::Caller,
    hub::Hub,
    journal::{HistoryFilter, HistoryPage},
};

/// More than a message has beside its commits, in bytes.
const ENVELOPE_BYTES: usize = 128;

/// Reads as many of the requested commits as fit into a message.
pub(super) async fn history(hub: Arc<Hub>, caller: Caller, request: client::History) -> ServerMessage {
    let filter = HistoryFilter {
        row: request.row,
        column: request.column,
        user: request.user,
        before: request.before,
        limit: history_limit(request.limit),
    };
    match hub.history(&caller, request.watchlist, filter).await {
        Ok(page) => {
            let HistoryPage { commits, next } = fitting(page, SERVER_MESSAGE_BYTES);
            ServerMessage::History(server::History { request: request.request, commits, next })
        }
        Err(rejection) => request_failed(request.request, rejection),
    }
}

/// Returns the first commits that fit into a message, at least one, which is measured in the larger encoding. If the first does
/// not fit with the values that it replaced, it is returned without them.
fn fitting(page: HistoryPage, limit: usize) -> HistoryPage {
    let HistoryPage { mut commits, mut next } = page;
    let mut bytes = ENVELOPE_BYTES;
    let fits = |commit: &&Commit| {
        bytes += Encoding::Json.size(commit) + 1;
        bytes <= limit
    };
    let count = commits.iter().take_while(fits).count();
    if count.max(1) < commits.len() {
        commits.truncate(count.max(1));
        next = commits.last().map(|last| last.revision);
    }
    if count == 0 {
        for commit in &mut commits {
            commit.changes = commit.changes.drain(..).map(Change::without_guard).collect();
        }
    }
    HistoryPage { commits, next }
}

/// Returns the maximum number of commits in one answer: 50 by default, and at most 1,000.
pub fn history_limit(requested: Option<u32>) -> usize {
    requested.unwrap_or(50).clamp(1, 1_000) as usize
}

#[cfg(test)]
mod tests {
    use shared::{
        edit::Author,
        ids::{ClientId, EditId, RequestId, Revision, RowId, UserId},
        time::Timestamp,
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

    fn page(commits: &[Commit]) -> HistoryPage {
        HistoryPage { commits: commits.to_vec(), next: None }
    }

    #[test]
    fn as_many_commits_as_fit_are_sent_and_never_more_than_a_message_holds() {
        let commits: Vec<Commit> =
            (0..100).rev().map(|revision| commit(revision, &"\"".repeat(100))).collect();
        for limit in [1_000, 10_000, 20_000] {
            let HistoryPage { commits: sent, next } = fitting(page(&commits), limit);
            assert_eq!(next, sent.last().map(|last| last.revision), "the rest follows the last that is sent");
            let size = |commits: &[Commit]| {
                let (request, commits) = (RequestId(u64::MAX), commits.to_vec());
                Encoding::Json.size(&ServerMessage::History(server::History { request, commits, next }))
            };
            assert!(size(&sent) <= limit, "{} bytes", size(&sent));
            assert!(size(&commits[..=sent.len()]) > limit - 2 * ENVELOPE_BYTES, "no more would fit");
        }
        assert_eq!(fitting(page(&commits), usize::MAX), page(&commits));
    }

    #[test]
    fn a_commit_that_does_not_fit_is_sent_without_the_values_that_it_replaced() {
        let large = commit(1, &"x".repeat(600));
        let HistoryPage { commits: sent, next } = fitting(page(&[large.clone(), commit(0, "y")]), 1_200);
        assert_eq!(next, Some(Revision(1)));
        let without = large.changes.into_iter().map(Change::without_guard).collect();
        assert_eq!(sent, [Commit { changes: without, ..commit(1, "") }]);
    }
}
