//! Answers history requests.

use std::sync::Arc;

use shared::{
    edit::Change,
    limits::SERVER_MESSAGE_BYTES,
    wire::{
        client,
        codec::Encoding,
        server::{self, ServerMessage},
    },
};

use super::error::request_failed;
use crate::{access::Caller, hub::Hub, journal::HistoryFilter};

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
        Ok(commits) => {
            let mut history = server::History { request: request.request, commits };
            while Encoding::Json.size(&history) > SERVER_MESSAGE_BYTES && history.commits.len() > 1 {
                history.commits.truncate(history.commits.len() / 2);
            }
            if Encoding::Json.size(&history) > SERVER_MESSAGE_BYTES {
                // The values that one edit replaced may not fit into a message.
                for commit in &mut history.commits {
                    commit.changes = commit.changes.drain(..).map(Change::without_guard).collect();
                }
            }
            ServerMessage::History(history)
        }
        Err(rejection) => request_failed(request.request, rejection),
    }
}

/// Returns the maximum number of commits in one answer: 50 by default, and at most 1,000.
pub fn history_limit(requested: Option<u32>) -> usize {
    requested.unwrap_or(50).clamp(1, 1_000) as usize
}
