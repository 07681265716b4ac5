//! Requests of past values for sparklines: one for each column that a window starts to draw.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    column::ColumnKey,
    ids::{RequestId, WatchlistId},
    replica::Replica,
    wire::client,
};

use super::list_view::SparklineColumns;

/// Maximum number of commits requested for a column.
const COMMITS: u32 = 1_000;

/// Which columns were requested.
#[derive(Debug, Default)]
pub(super) struct SparklineHistory {
    requested: BTreeSet<(WatchlistId, ColumnKey)>,
    waiting: BTreeMap<RequestId, (WatchlistId, ColumnKey)>,
}

impl SparklineHistory {
    /// Requests the history of the columns that have not been requested, of watchlists that are loaded.
    /// Columns that are no longer drawn are forgotten.
    pub(super) fn request(&mut self, replica: &mut Replica, drawn: &SparklineColumns) {
        let is_drawn = |(list, column): &(WatchlistId, ColumnKey)| {
            drawn.get(list).is_some_and(|columns| columns.contains(column))
        };
        self.requested.retain(is_drawn);
        if replica.user().is_none() {
            return;
        }
        for (list, column) in
            drawn.iter().flat_map(|(list, columns)| columns.iter().map(move |column| (*list, column)))
        {
            let is_loaded = replica.list(list).is_some_and(|list| list.state().is_some());
            if !is_loaded || self.requested.contains(&(list, column.clone())) {
                continue;
            }
            let ask = client::History {
                request: RequestId(0),
                watchlist: list,
                row: None,
                column: Some(column.clone()),
                before: None,
                limit: Some(COMMITS),
                user: None,
            };
            if let Some(request) = replica.history(ask) {
                self.requested.insert((list, column.clone()));
                self.waiting.insert(request, (list, column.clone()));
            }
        }
    }

    /// Returns the column that an answer is about, if it is one of these requests.
    pub(super) fn answered(&mut self, request: RequestId) -> Option<(WatchlistId, ColumnKey)> {
        self.waiting.remove(&request)
    }

    /// Handles a failed request: after the loss of a connection it is made again.
    pub(super) fn failed(&mut self, request: RequestId) {
        if let Some(column) = self.waiting.remove(&request) {
            self.requested.remove(&column);
        }
    }
}
