//! How one window shows one watchlist: the user's settings, which are restored at the next start.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use shared::{
    column::{ColumnKey, ColumnKind},
    watchlist::Watchlist,
};

use super::{order::SortKey, view_column::ViewColumn};

/// The user's column, sort and filter settings for one watchlist in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GridConfig {
    /// Columns in the order that they were dragged to. Columns not listed come after their neighbour in the
    /// watchlist.
    pub order: Vec<ColumnKey>,
    /// Column widths, in points.
    pub widths: BTreeMap<ColumnKey, f32>,
    /// Columns hidden in this window.
    pub hidden: BTreeSet<ColumnKey>,
    /// Number of frozen columns.
    pub frozen: usize,
    /// Numbers of decimals that override the column's own.
    pub decimals: BTreeMap<ColumnKey, u8>,
    /// Number columns that have a sparkline.
    #[serde(rename = "trends")]
    pub sparklines: BTreeSet<ColumnKey>,
    /// Sort keys, most significant first.
    pub sort: Vec<SortKey>,
    /// Whether live sorting is paused: changed values do not move rows until a refresh.
    #[serde(rename = "isHeld")]
    pub is_sort_paused: bool,
    /// Whether the filter row is open.
    pub has_filters: bool,
    /// The filter texts.
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
            sparklines: BTreeSet::new(),
            sort: Vec::new(),
            is_sort_paused: false,
            has_filters: false,
            filters: BTreeMap::new(),
        }
    }
}

impl GridConfig {
    /// Closes the filter row and clears the filters, so that none filters unseen.
    pub fn close_filters(&mut self) {
        self.has_filters = false;
        self.filters.clear();
    }

    /// Returns the shown columns in display order, with this window's decimals.
    pub fn columns(&self, watchlist: &Watchlist) -> Vec<ViewColumn> {
        let mut columns = self.all(watchlist);
        if !self.order.is_empty() {
            columns = arranged(columns, &self.order);
        }
        // If others removed every column but the hidden ones, show those.
        if columns.iter().any(|column| !self.hidden.contains(column.key())) {
            columns.retain(|column| !self.hidden.contains(column.key()));
        }
        for column in &mut columns {
            let ViewColumn::Data(entry) = column else { continue };
            if let Some(decimals) = self.decimals.get(&entry.column.key) {
                match &mut Arc::make_mut(entry).column.kind {
                    ColumnKind::Number { decimals: shown } | ColumnKind::Percent { decimals: shown } => {
                        *shown = *decimals;
                    }
                    ColumnKind::Text | ColumnKind::Flag | ColumnKind::Time | ColumnKind::Choice(_) => {}
                }
            }
        }
        columns
    }

    /// Returns every column that can be shown, including sparklines, in list order.
    pub(super) fn all(&self, watchlist: &Watchlist) -> Vec<ViewColumn> {
        let mut columns = Vec::new();
        for entry in watchlist.columns().data() {
            columns.push(ViewColumn::Data(Arc::new(entry.clone())));
            if self.sparklines.contains(&entry.column.key) {
                columns.extend(ViewColumn::sparkline_of(entry));
            }
        }
        columns
    }

    /// Moves a column before another one, or to the end.
    pub fn place(&mut self, watchlist: &Watchlist, column: &ColumnKey, before: Option<&ColumnKey>) {
        let mut order: Vec<ColumnKey> =
            arranged(self.all(watchlist), &self.order).iter().map(|column| column.key().clone()).collect();
        order.retain(|key| key != column);
        let at = before.and_then(|before| order.iter().position(|key| key == before)).unwrap_or(order.len());
        order.insert(at, column.clone());
        self.order = order;
    }

    /// Says which columns sort or filter the rows although they are hidden.
    pub fn hidden_effect(&self, watchlist: &Watchlist) -> Option<String> {
        let is_filtered = |key: &ColumnKey| {
            self.has_filters && self.filters.get(key).is_some_and(|filter| !filter.trim().is_empty())
        };
        let is_sorted = |key: &ColumnKey| self.sort.iter().any(|sort| sort.column == *key);
        let effects: Vec<String> = self
            .hidden
            .iter()
            .filter_map(|key| {
                let verb = match (is_filtered(key), is_sorted(key)) {
                    (true, true) => "Filtered and sorted",
                    (true, false) => "Filtered",
                    (false, true) => "Sorted",
                    (false, false) => return None,
                };
                let title = &watchlist.columns().visible_column(key).ok()?.column.title;
                Some(format!("{verb} by the hidden column {title}."))
            })
            .collect();
        (!effects.is_empty()).then(|| effects.join(" "))
    }

    /// Returns the sort keys whose columns still exist.
    pub fn sort_of(&self, watchlist: &Watchlist) -> Vec<SortKey> {
        let exists = |key: &&SortKey| watchlist.columns().visible_column(&key.column).is_ok();
        self.sort.iter().filter(exists).cloned().collect()
    }

    /// Toggles a number column's sparkline.
    pub fn toggle_sparkline(&mut self, column: &ColumnKey) {
        if !self.sparklines.remove(column) {
            self.sparklines.insert(column.clone());
        }
    }

    /// Cycles a column's sorting: ascending, descending, none. `keep_others` keeps the other sort keys.
    pub fn sort_by(&mut self, column: &ColumnKey, keep_others: bool) {
        let key = self.sort.iter().position(|key| key.column == *column);
        let next = match key.map(|index| self.sort[index].descending) {
            None => Some(false),
            Some(false) => Some(true),
            Some(true) => None,
        };
        let next = next.map(|descending| SortKey { column: column.clone(), descending });
        if keep_others {
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

/// Sorts columns into a saved order. A column that is not in it comes after its neighbour in the watchlist.
fn arranged(columns: Vec<ViewColumn>, order: &[ColumnKey]) -> Vec<ViewColumn> {
    let place = |key: &ColumnKey| order.iter().position(|known| known == key);
    let mut behind = 0;
    let mut placed: Vec<(usize, usize, ViewColumn)> = Vec::with_capacity(columns.len());
    for (index, column) in columns.into_iter().enumerate() {
        behind = place(column.key()).unwrap_or(behind);
        placed.push((behind, index, column));
    }
    placed.sort_by_key(|(behind, index, column)| (*behind, place(column.key()).is_none(), *index));
    placed.into_iter().map(|(_, _, column)| column).collect()
}
