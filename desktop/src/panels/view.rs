//! What the panels read of their window.

use std::time::Duration;

use shared::ids::{WatchlistId, WindowId};

use crate::{
    command::{Conditions, Menu, When},
    follow::Group,
    grid::GridState,
    state::AppState,
    store::{Connection, Direction},
};

/// A window, as its panels see it.
#[derive(Clone, Copy)]
pub struct WindowView<'a> {
    /// The window.
    pub id: WindowId,
    /// The current time on the process's monotonic clock.
    pub now: Duration,
    /// The watchlist that it shows.
    pub list: Option<WatchlistId>,
    /// Its grid.
    pub grid: &'a GridState,
    /// Windows that it is linked to.
    pub group: Option<Group>,
    /// Whether it stays on top.
    pub on_top: bool,
    /// The menu that a key opens in this frame.
    pub menu: Option<Menu>,
}

impl WindowView<'_> {
    /// Returns the conditions under which commands can run now.
    pub fn conditions(&self, state: &AppState) -> Conditions {
        let watchlist = self.list.and_then(|list| state.store.watchlist(list));
        let mut conditions = watchlist.map_or_else(Conditions::default, |list| self.grid.conditions(list));
        let lists = state.store.known_lists().len();
        conditions.set_role(self.list.and_then(|list| state.store.role(list)));
        let account = state.joined.as_ref().map(|joined| &joined.account);
        let is_signed_in = account.is_some_and(|account| account.has_session());
        let is_known = account.is_some_and(|account| account.user().is_some());
        for (when, holds) in [
            (When::Undo, state.store.can_repeat(self.id, Direction::Undo)),
            (When::Redo, state.store.can_repeat(self.id, Direction::Redo)),
            (When::OnTop, self.on_top),
            (When::NotOnTop, !self.on_top),
            (When::Linked, self.group.is_some()),
            (When::OtherLists, lists > 1),
            (When::Offline, !matches!(state.store.connection(), Connection::Up { .. })),
            (When::SignedIn, is_signed_in),
            (When::SignedOut, account.is_some() && !is_known),
            (When::SharedList, is_known && watchlist.is_some()),
        ] {
            conditions.add(when, holds);
        }
        conditions
    }
}
