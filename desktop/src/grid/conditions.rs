//! When the commands of a grid can run.

use shared::column::ColumnKey;

use super::{
    config::GridConfig,
    table::{Table, is_editable},
    view_column::can_have_sparkline,
};
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
    let column = column.and_then(|key| table.column(key));
    let data = column.and_then(|column| column.data());
    let is_sparkline = column.is_some() && data.is_none();
    let is_sorted = !config.sort.is_empty();
    for (when, holds) in [
        (When::List, true),
        (When::Row, has_row),
        (When::Column, column.is_some()),
        (When::StoredColumn, data.is_some_and(is_editable)),
        (When::Decimals, data.is_some_and(|entry| entry.column.kind.decimals().is_some())),
        (When::Sparkline, data.is_some_and(can_have_sparkline)),
        (When::OtherColumns, column.is_some() && (is_sparkline || columns.len() > 1)),
        (When::HiddenColumns, !config.hidden.is_empty()),
        (When::FrozenColumns, config.frozen > 1),
        (When::Filtered, config.has_filters),
        (When::ListOrder, !is_sorted),
        (When::Sorted, is_sorted),
        (When::LiveSort, is_sorted && !config.is_sort_paused),
        (When::PausedSort, config.is_sort_paused),
    ] {
        conditions.add(when, holds);
    }
    conditions
}
