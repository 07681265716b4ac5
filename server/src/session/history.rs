//! Answers history requests.

use std::sync::Arc;

use shared::wire::{
    client,
    server::{self, ServerMessage},
};

use super::error::request_failed;
use crate::{
    access::Caller,
    answer_slots::AnswerSlot,
    dialect::{Dialect, frame::Frame},
    hub::Hub,
    journal::{HistoryFilter, HistoryPage},
};

/// Reads the requested commits, and returns the encoded answer with its slot, which is free once it is written.
pub(super) async fn history(
    (hub, caller): (Arc<Hub>, Caller),
    slot: impl Future<Output = AnswerSlot>,
    request: client::History,
    dialect: Dialect,
) -> (Frame, AnswerSlot) {
    let slot = slot.await;
    let answer = dialect.encode(&read(&hub, &caller, request).await);
    slot.ready();
    (answer, slot)
}

async fn read(hub: &Hub, caller: &Caller, request: client::History) -> ServerMessage {
    let filter = HistoryFilter {
        row: request.row,
        column: request.column,
        user: request.user,
        before: request.before,
        limit: history_limit(request.limit),
    };
    match hub.history(caller, request.watchlist, filter).await {
        Ok(HistoryPage { commits, next }) => {
            ServerMessage::History(server::History { request: request.request, commits, next })
        }
        Err(rejection) => request_failed(request.request, rejection),
    }
}

/// Returns the maximum number of commits in one answer: 50 by default, and at most 1,000.
pub fn history_limit(requested: Option<u32>) -> usize {
    requested.unwrap_or(50).clamp(1, 1_000) as usize
}
