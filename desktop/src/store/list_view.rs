//! What the windows show of a watchlist besides its rows: the glow of changed rows, the values of sparklines,
//! and why the server cannot serve it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use shared::{
    column::ColumnKey,
    edit::Commit,
    ids::{RowId, WatchlistId, WindowId},
    replica::Effect,
    time::Timestamp,
};

use super::{
    glow::{Glow, GlowStyle},
    recent::Recent,
    sparklines::SparklineValues,
};

/// Maximum number of subscribed watchlists; greater than the maximum number of windows.
const OPEN_LISTS: usize = 32;

/// Maximum number of removed rows whose names are remembered.
const MAX_REMOVED: usize = 1_000;

/// Columns that a window draws as sparklines, by watchlist.
pub type SparklineColumns = BTreeMap<WatchlistId, BTreeSet<ColumnKey>>;

/// What the windows show of one watchlist besides its rows.
#[derive(Debug)]
pub(super) struct ListView {
    pub(super) glow: Glow,
    pub(super) recent: Recent,
    pub(super) sparklines: SparklineValues,
    /// Why the server cannot serve the watchlist now, if it cannot.
    pub(super) unavailable_reason: Option<Arc<str>>,
    /// When the shown state was copied, if it is a copy of an earlier run.
    pub(super) copied_at: Option<Timestamp>,
    /// Names of the rows that were removed last.
    removed: HashMap<RowId, Arc<str>>,
}

impl ListView {
    /// Records the effects of a commit; `origin` is the window of this process that made it.
    fn committed(&mut self, effects: &[Effect], origin: Option<WindowId>, now: Duration) {
        self.sparklines.record(effects);
        self.glow.record(effects, origin, now);
        self.recent.record(effects, origin, now);
        for effect in effects {
            if let Effect::Removed { row, name: Some(name), .. } = effect {
                if self.removed.len() >= MAX_REMOVED {
                    self.removed.clear();
                }
                self.removed.insert(*row, name.clone());
            }
        }
    }

    /// Returns the name of a row that was removed not long ago.
    pub(super) fn removed_name(&self, row: RowId) -> Option<&Arc<str>> {
        self.removed.get(&row)
    }
}

/// The views of all watchlists, and which of them are subscribed.
#[derive(Debug, Default)]
pub(super) struct ListViews {
    views: BTreeMap<WatchlistId, ListView>,
    style: GlowStyle,
    /// Subscribed watchlists, the most recently shown last.
    opened: Vec<WatchlistId>,
}

impl ListViews {
    /// Returns the view of a watchlist, if there is anything to show.
    pub(super) fn get(&self, watchlist: WatchlistId) -> Option<&ListView> {
        self.views.get(&watchlist)
    }

    fn view(&mut self, watchlist: WatchlistId) -> &mut ListView {
        self.views.entry(watchlist).or_insert_with(|| ListView {
            glow: Glow::new(self.style),
            recent: Recent::default(),
            sparklines: SparklineValues::default(),
            unavailable_reason: None,
            copied_at: None,
            removed: HashMap::new(),
        })
    }

    /// Returns the subscribed watchlists.
    pub(super) fn opened(&self) -> &[WatchlistId] {
        &self.opened
    }

    /// Records that a watchlist is shown. Returns the least recently shown one, which is to be closed, if too
    /// many are subscribed.
    pub(super) fn open(&mut self, watchlist: WatchlistId) -> Option<WatchlistId> {
        self.opened.retain(|opened| *opened != watchlist);
        self.opened.push(watchlist);
        (self.opened.len() > OPEN_LISTS).then(|| {
            let evicted = self.opened.remove(0);
            self.clear_glow(evicted);
            evicted
        })
    }

    /// Records the effects of a commit; `origin` is the window of this process that made it.
    pub(super) fn committed(
        &mut self,
        watchlist: WatchlistId,
        effects: &[Effect],
        origin: Option<WindowId>,
        now: Duration,
    ) {
        self.view(watchlist).committed(effects, origin, now);
    }

    /// Handles a watchlist that was replaced by a snapshot.
    pub(super) fn loaded(&mut self, watchlist: WatchlistId) {
        let view = self.view(watchlist);
        (view.unavailable_reason, view.copied_at) = (None, None);
        view.glow.clear();
    }

    /// Handles the copy of an earlier run, with its time if the watchlist is shown as it was then.
    pub(super) fn restored(
        &mut self,
        watchlist: WatchlistId,
        sparklines: SparklineValues,
        copied_at: Option<Timestamp>,
    ) {
        let view = self.view(watchlist);
        view.copied_at = copied_at;
        view.sparklines.restore(sparklines);
    }

    /// Adds past values of a column that is drawn as a sparkline.
    pub(super) fn fill_sparkline(&mut self, watchlist: WatchlistId, column: &ColumnKey, commits: &[Commit]) {
        self.view(watchlist).sparklines.fill(column, commits);
    }

    /// Handles a watchlist that continues from the revision that this client has.
    pub(super) fn resumed(&mut self, watchlist: WatchlistId) {
        if let Some(view) = self.views.get_mut(&watchlist) {
            (view.unavailable_reason, view.copied_at) = (None, None);
        }
    }

    /// Handles a watchlist that no longer exists.
    pub(super) fn closed(&mut self, watchlist: WatchlistId) {
        self.resumed(watchlist);
        self.clear_glow(watchlist);
    }

    /// Handles the loss of the connection: it is unknown what the server can serve.
    pub(super) fn disconnected(&mut self) {
        self.views.values_mut().for_each(|view| view.unavailable_reason = None);
    }

    /// Records why the server cannot serve a watchlist. Returns whether the reason is new.
    pub(super) fn set_unserved(&mut self, watchlist: WatchlistId, reason: &str) -> bool {
        let unavailable_reason = &mut self.view(watchlist).unavailable_reason;
        unavailable_reason.replace(reason.into()).as_deref() != Some(reason)
    }

    fn clear_glow(&mut self, watchlist: WatchlistId) {
        let style = self.style;
        if let Some(view) = self.views.get_mut(&watchlist) {
            view.glow = Glow::new(style);
        }
    }

    /// Applies the glow settings.
    pub(super) fn set_style(&mut self, style: GlowStyle) {
        self.style = style;
        self.views.values_mut().for_each(|view| view.glow.set_style(style));
    }

    /// Returns whether anything glows at `now`.
    pub(super) fn is_glowing(&self, now: Duration) -> bool {
        self.views.values().any(|view| view.glow.is_glowing(now))
    }

    /// Removes rows that no longer glow.
    pub(super) fn fade(&mut self, now: Duration) {
        self.views.values_mut().for_each(|view| view.glow.fade(now));
    }

    /// Sets the columns whose values are recorded, and drops the values of others.
    pub(super) fn set_sparkline_columns(&mut self, mut sparkline_columns: SparklineColumns) {
        for (watchlist, view) in &mut self.views {
            view.sparklines.set_columns(&sparkline_columns.remove(watchlist).unwrap_or_default());
        }
        for (watchlist, columns) in sparkline_columns {
            self.view(watchlist).sparklines.set_columns(&columns);
        }
    }
}
