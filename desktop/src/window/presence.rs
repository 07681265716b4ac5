//! Where a window tells the others that it is, and where they are.

use std::time::Duration;

use shared::{
    ids::{WatchlistId, WindowId},
    wire::CellRef,
};

use crate::{dispatch::Core, grid::PersonAt, panels::people, store::Store, theme::Palette};

/// How often a window tells where it is, at most.
const TELL_INTERVAL: Duration = Duration::from_millis(100);

/// Where the others are told that a window is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) list: Option<WatchlistId>,
    pub(super) cell: Option<CellRef>,
    pub(super) is_editing: bool,
}

/// What the others were told on this connection, and when.
#[derive(Debug, Default)]
pub(super) struct Presence {
    told: Option<Told>,
    told_at: Duration,
}

impl Presence {
    /// Tells the others where a window is, as often as they look. Gives when to tell them, where that is later.
    pub(super) fn tell(
        &mut self,
        window: WindowId,
        place: Told,
        store: &mut Store,
        now: Duration,
    ) -> Option<Duration> {
        if store.replica().user().is_none() {
            // The next connection has to be told anew.
            self.told = None;
            return None;
        }
        if self.told.as_ref() == Some(&place) {
            return None;
        }
        let wait = (self.told_at + TELL_INTERVAL).saturating_sub(now);
        if !wait.is_zero() {
            return Some(wait);
        }
        // In the watchlist that it has left it is nowhere.
        if let Some(left) =
            self.told.take().and_then(|told| told.list).filter(|left| Some(*left) != place.list)
        {
            store.presence(left, window, None, false);
        }
        if let Some(list) = place.list {
            store.presence(list, window, place.cell.clone(), place.is_editing);
        }
        (self.told, self.told_at) = (Some(place), now);
        None
    }
}

/// Where others are in a watchlist, by what their windows say.
pub(super) fn people_at(core: &Core, watchlist: WatchlistId, palette: &Palette) -> Vec<PersonAt> {
    let replica = core.store.replica();
    let Some(list) = replica.list(watchlist) else { return Vec::new() };
    // One's own windows are nobody else.
    let others = list.people().iter().filter(|person| person.client != replica.client());
    let placed = others.filter_map(|person| {
        let cell = person.cell.as_ref()?;
        Some(PersonAt {
            row: cell.row,
            column: cell.column.clone(),
            is_editing: person.editing,
            initials: people::initials(&person.name),
            color: palette.person(people::shade(&person.name)),
        })
    });
    placed.collect()
}
