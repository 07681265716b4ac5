//! What the history panel reads of its window.

use jiff::tz::TimeZone;
use shared::{ids::WatchlistId, number::Separators, watchlist::Watchlist};

use crate::{grid::Cursor, store::log::Log, theme::Palette};

/// Inputs of the panel for one frame.
pub struct View<'a> {
    /// The watchlist's id.
    pub id: WatchlistId,
    /// Current state of the watchlist.
    pub watchlist: &'a Watchlist,
    /// The loaded changes.
    pub log: Option<&'a Log>,
    /// The grid's cursor.
    pub cursor: Option<&'a Cursor>,
    /// Time zone in which times are shown.
    pub zone: &'a TimeZone,
    /// Current date in that zone.
    pub today: jiff::civil::Date,
    /// Number format.
    pub separators: Separators,
    /// Colours of the current theme.
    pub palette: &'a Palette,
}
