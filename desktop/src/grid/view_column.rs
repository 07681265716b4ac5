//! The columns of a window: those of its watchlist, and sparklines, which exist only in the window.

use std::sync::Arc;

use shared::{
    column::{ColumnKey, ColumnKind},
    watchlist::ColumnEntry,
};

/// A column that a window shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewColumn {
    /// A column of the watchlist, with this window's decimals.
    Data(Arc<ColumnEntry>),
    /// A sparkline, which draws the latest values of each cell of a number column. It has no values of its
    /// own.
    Sparkline {
        /// The key by which the window remembers the sparkline's width and place. No watchlist has a column
        /// with such a key.
        key: ColumnKey,
        /// The column whose values are drawn.
        of: ColumnKey,
        /// The title.
        title: Arc<str>,
    },
}

impl ViewColumn {
    /// Returns the sparkline of a column, or `None` if it cannot have one.
    pub(super) fn sparkline_of(entry: &ColumnEntry) -> Option<Self> {
        can_have_sparkline(entry).then(|| Self::Sparkline {
            key: ColumnKey(format!("{}~", entry.column.key).into()),
            of: entry.column.key.clone(),
            title: format!("{} trend", entry.column.title).into(),
        })
    }

    /// Returns the key that identifies the column in the window.
    pub fn key(&self) -> &ColumnKey {
        match self {
            Self::Data(entry) => &entry.column.key,
            Self::Sparkline { key, .. } => key,
        }
    }

    /// Returns the title.
    pub fn title(&self) -> &Arc<str> {
        match self {
            Self::Data(entry) => &entry.column.title,
            Self::Sparkline { title, .. } => title,
        }
    }

    /// Returns the column of the watchlist; `None` for a sparkline.
    pub fn data(&self) -> Option<&ColumnEntry> {
        match self {
            Self::Data(entry) => Some(entry),
            Self::Sparkline { .. } => None,
        }
    }

    /// Returns the key of the watchlist's column whose values are shown.
    pub(super) fn source(&self) -> &ColumnKey {
        match self {
            Self::Data(entry) => &entry.column.key,
            Self::Sparkline { of, .. } => of,
        }
    }

    /// Whether the cells show numbers as text.
    pub(super) fn is_numeric(&self) -> bool {
        self.data().is_some_and(|entry| entry.column.kind.is_numeric())
    }

    /// Whether the title is aligned to the right, as the cells are.
    pub(super) fn is_right_aligned(&self) -> bool {
        match self {
            Self::Data(entry) => entry.column.kind.is_numeric() || entry.column.kind == ColumnKind::Time,
            Self::Sparkline { .. } => true,
        }
    }
}

/// Whether a column can have a sparkline. Past values of computed columns are not recorded.
pub(super) fn can_have_sparkline(entry: &ColumnEntry) -> bool {
    entry.column.kind.is_numeric() && entry.column.derive.is_none()
}
