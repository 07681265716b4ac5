//! How one window shows one watchlist: what a person arranged and what is kept for the next start.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shared::{
    column::{ColumnKey, ColumnKind},
    watchlist::{ColumnEntry, Watchlist},
};

use super::{order::SortKey, section, trend};

/// How close rows stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Density {
    /// As many rows as can be read.
    #[default]
    Compact,
    /// With more room.
    Comfortable,
}

impl Density {
    /// Height of a row, in points.
    pub fn row_height(self) -> f32 {
        match self {
            Density::Compact => 22.0,
            Density::Comfortable => 28.0,
        }
    }
}

/// What a person arranged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GridConfig {
    /// The columns in the order that they were dragged to; others stand behind their neighbours in the list.
    pub order: Vec<ColumnKey>,
    /// Widths, in points.
    pub widths: BTreeMap<ColumnKey, f32>,
    /// Columns that are not shown here.
    pub hidden: BTreeSet<ColumnKey>,
    /// How many columns stay where the others scroll.
    pub frozen: usize,
    /// Figures after the point, where they are not the column's own.
    pub decimals: BTreeMap<ColumnKey, u8>,
    /// Number columns whose last values are drawn beside them.
    pub trends: BTreeSet<ColumnKey>,
    /// By what rows are sorted.
    pub sort: Vec<SortKey>,
    /// Whether a sorted list stays as it is until asked.
    pub is_held: bool,
    /// Whether the filter row is open.
    pub has_filters: bool,
    /// What is typed in it.
    pub filters: BTreeMap<ColumnKey, String>,
}

impl Default for GridConfig {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            widths: BTreeMap::new(),
            hidden: BTreeSet::new(),
            frozen: 1,
            decimals: BTreeMap::new(),
            trends: BTreeSet::new(),
            sort: Vec::new(),
            is_held: false,
            has_filters: false,
            filters: BTreeMap::new(),
        }
    }
}

impl GridConfig {
    /// The columns that are shown, in their order, as they are shown.
    pub fn columns(&self, watchlist: &Watchlist) -> Vec<ColumnEntry> {
        let mut columns = self.all(watchlist);
        if !self.order.is_empty() {
            columns = arranged(columns, &self.order);
        }
        // What others removed may have left nothing but hidden ones: then those are shown.
        if columns.iter().any(|entry| !self.hidden.contains(&entry.column.key)) {
            columns.retain(|entry| !self.hidden.contains(&entry.column.key));
        }
        for entry in &mut columns {
            if let Some(decimals) = self.decimals.get(&entry.column.key) {
                match &mut entry.column.kind {
                    ColumnKind::Number { decimals: shown } | ColumnKind::Percent { decimals: shown } => {
                        *shown = *decimals;
                    }
                    ColumnKind::Text | ColumnKind::Flag | ColumnKind::Time | ColumnKind::Choice(_) => {}
                }
            }
        }
        columns
    }

    /// Every column that can be shown, sparklines among them, in the list's own order.
    pub(super) fn all(&self, watchlist: &Watchlist) -> Vec<ColumnEntry> {
        let mut columns = Vec::new();
        for entry in watchlist.columns().visible().filter(|entry| !section::is_of_sections(entry)) {
            columns.push(entry.clone());
            if trend::can_draw(entry) && self.trends.contains(&entry.column.key) {
                columns.push(trend::column(entry));
            }
        }
        columns
    }

    /// Moves a column before another, or to the end.
    pub fn place(&mut self, watchlist: &Watchlist, column: &ColumnKey, before: Option<&ColumnKey>) {
        let mut order: Vec<ColumnKey> =
            arranged(self.all(watchlist), &self.order).into_iter().map(|entry| entry.column.key).collect();
        order.retain(|key| key != column);
        let at = before.and_then(|before| order.iter().position(|key| key == before)).unwrap_or(order.len());
        order.insert(at, column.clone());
        self.order = order;
    }

    /// By what rows are sorted here and now: a column that is no longer there sorts nothing.
    pub fn sort_of(&self, watchlist: &Watchlist) -> Vec<SortKey> {
        let is_there = |key: &&SortKey| watchlist.columns().visible_column(&key.column).is_ok();
        self.sort.iter().filter(is_there).cloned().collect()
    }

    /// Shows or hides a number column's sparkline.
    pub fn toggle_trend(&mut self, column: &ColumnKey) {
        if !self.trends.remove(column) {
            self.trends.insert(column.clone());
        }
    }

    /// Sorts by a column: ascending, descending, then no longer. `beside` keeps the other keys.
    pub fn sort_by(&mut self, column: &ColumnKey, beside: bool) {
        let key = self.sort.iter().position(|key| key.column == *column);
        let next = match key.map(|index| self.sort[index].descending) {
            None => Some(false),
            Some(false) => Some(true),
            Some(true) => None,
        };
        let next = next.map(|descending| SortKey { column: column.clone(), descending });
        if beside {
            match (key, next) {
                (Some(index), Some(next)) => self.sort[index] = next,
                (Some(index), None) => drop(self.sort.remove(index)),
                (None, next) => self.sort.extend(next),
            }
        } else {
            self.sort = next.into_iter().collect();
        }
    }
}

/// Columns in a remembered order. One that it does not know stands behind its neighbour in the list.
fn arranged(columns: Vec<ColumnEntry>, order: &[ColumnKey]) -> Vec<ColumnEntry> {
    let place = |key: &ColumnKey| order.iter().position(|known| known == key);
    let mut behind = 0;
    let mut placed: Vec<(usize, usize, ColumnEntry)> = Vec::with_capacity(columns.len());
    for (index, entry) in columns.into_iter().enumerate() {
        behind = place(&entry.column.key).unwrap_or(behind);
        placed.push((behind, index, entry));
    }
    placed.sort_by_key(|(behind, index, entry)| (*behind, place(&entry.column.key).is_none(), *index));
    placed.into_iter().map(|(_, _, entry)| entry).collect()
}
