//! Presence: reports a window's cursor to others, and collects theirs.

use std::time::Duration;

use shared::{
    edit::CellRef,
    ids::{WatchlistId, WindowId},
};

use crate::{grid::PersonAt, panels::people, store::Store, theme::Palette};

/// Minimum interval between two reports of a window.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// The position of a window, as reported to others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    pub(super) list: Option<WatchlistId>,
    pub(super) cell: Option<CellRef>,
    pub(super) is_editing: bool,
}

/// The last report on this connection, and its time.
#[derive(Debug, Default)]
pub(super) struct Presence {
    reported: Option<Report>,
    reported_at: Duration,
}

impl Presence {
    /// Reports a changed position. Returns the time until it can be reported, if the last report is too
    /// recent.
    pub(super) fn report(
        &mut self,
        window: WindowId,
        place: Report,
        store: &mut Store,
        now: Duration,
    ) -> Option<Duration> {
        if store.replica().user().is_none() {
            // The next connection needs a new report.
            self.reported = None;
            return None;
        }
        if self.reported.as_ref() == Some(&place) {
            return None;
        }
        let wait = (self.reported_at + REPORT_INTERVAL).saturating_sub(now);
        if !wait.is_zero() {
            return Some(wait);
        }
        // Clears the position in the watchlist that the window has left.
        if let Some(left) =
            self.reported.take().and_then(|reported| reported.list).filter(|left| Some(*left) != place.list)
        {
            store.presence(left, window, None, false);
        }
        if let Some(list) = place.list {
            store.presence(list, window, place.cell.clone(), place.is_editing);
        }
        (self.reported, self.reported_at) = (Some(place), now);
        None
    }
}

/// Returns the positions of other people in a watchlist.
pub(super) fn people_at(store: &Store, watchlist: WatchlistId, palette: &Palette) -> Vec<PersonAt> {
    let replica = store.replica();
    let Some(list) = replica.list(watchlist) else { return Vec::new() };
    // The windows of this process belong to the same person.
    let others = list.people().iter().filter(|person| person.client != replica.client());
    let placed = others.filter_map(|person| {
        let cell = person.cell.as_ref()?;
        Some(PersonAt {
            row: cell.row,
            column: cell.column.clone(),
            is_editing: person.editing,
            initials: people::initials(&person.name),
            color: palette.user_color(people::shade(&person.name)),
        })
    });
    placed.collect()
}
