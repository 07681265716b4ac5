//! Answers to questions about the past.

use std::sync::Arc;

use shared::{
    edit::Change,
    wire::{
        client,
        codec::Encoding,
        server::{self, ServerMessage},
    },
};

use super::failed;
use crate::{frame::MAX_MESSAGE_BYTES, hub::Hub, journal::HistoryFilter};

/// Reads commits, as many as fit into a message.
pub(super) async fn history(hub: Arc<Hub>, ask: client::History) -> ServerMessage {
    let filter = HistoryFilter {
        row: ask.row,
        column: ask.column,
        user: ask.user,
        before: ask.before,
        limit: history_limit(ask.limit),
    };
    match hub.history(ask.watchlist, filter).await {
        Ok(commits) => {
            let mut history = server::History { request: ask.request, commits };
            while Encoding::Json.encode(&history).len() > MAX_MESSAGE_BYTES && history.commits.len() > 1 {
                history.commits.truncate(history.commits.len() / 2);
            }
            if Encoding::Json.encode(&history).len() > MAX_MESSAGE_BYTES {
                // What one edit replaced may be more than a message takes.
                for commit in &mut history.commits {
                    commit.changes = commit.changes.drain(..).map(Change::without_guard).collect();
                }
            }
            ServerMessage::History(history)
        }
        Err(rejection) => failed(ask.request, rejection),
    }
}

/// How many commits one answer has: 50 where nobody says, never more than 1,000.
pub fn history_limit(asked: Option<u32>) -> usize {
    asked.unwrap_or(50).clamp(1, 1_000) as usize
}
