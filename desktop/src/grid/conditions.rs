//! When the commands of a grid can run.

use shared::column::ColumnKey;

use super::{config::GridConfig, table::Table, trend};
use crate::command::{Conditions, When};

/// Returns the conditions that hold for a column, and for a row if there is one.
pub(super) fn conditions(
    config: &GridConfig,
    table: &Table<'_>,
    has_row: bool,
    column: Option<&ColumnKey>,
) -> Conditions {
    let mut conditions = Conditions::default();
    let columns = table.columns();
    let entry = column.and_then(|key| table.column(key));
    let is_sparkline = entry.is_some_and(|entry| trend::source(entry).is_some());
    let is_sorted = !config.sort.is_empty();
    for (when, holds) in [
        (When::List, true),
        (When::Row, has_row),
        (When::Column, entry.is_some()),
        (When::StoredColumn, entry.is_some_and(|entry| !is_sparkline && entry.column.derive.is_none())),
        (When::Decimals, entry.is_some_and(|entry| entry.column.kind.decimals().is_some())),
        (When::Sparkline, entry.is_some_and(trend::can_draw)),
        (When::OtherColumns, entry.is_some() && (is_sparkline || columns.len() > 1)),
        (When::HiddenColumns, !config.hidden.is_empty()),
        (When::FrozenColumns, config.frozen > 1),
        (When::Sorted, is_sorted),
        (When::LiveSort, is_sorted && !config.is_sort_paused),
        (When::PausedSort, config.is_sort_paused),
    ] {
        conditions.add(when, holds);
    }
    conditions
}
