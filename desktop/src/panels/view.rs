//! What the panels read of their window.

use shared::ids::{WatchlistId, WindowId};

use crate::{follow::Group, grid::GridState};

/// A window, as its panels see it.
#[derive(Clone, Copy)]
pub struct WindowView<'a> {
    /// The window.
    pub id: WindowId,
    /// The watchlist that it shows.
    pub list: Option<WatchlistId>,
    /// Its grid.
    pub grid: &'a GridState,
    /// Windows that it is linked to.
    pub group: Option<Group>,
    /// Whether it stays on top.
    pub on_top: bool,
}
