//! Section rows: a title across the list. A row is one where its cell of the column `_section` is filled, so that a
//! section is an ordinary row of an ordinary edit to everyone else. No column that a person names has that key.

use std::collections::BTreeMap;

use shared::{
    column::{ColumnKey, ColumnKind},
    edit::{AddColumn, Change, KeyOnly},
    ids::RowId,
    value::Literal,
    watchlist::{ColumnEntry, Columns, Row, Watchlist},
};

use super::ops::insert_at;

/// The key of the column that keeps the titles.
const KEY: &str = "_section";
/// What a new section is called until the person says otherwise.
const TITLE: &str = "Section";

/// The column that keeps the titles, where there is one.
pub(super) fn column(columns: &Columns) -> Option<&ColumnEntry> {
    columns.visible().find(|entry| is_of_sections(entry))
}

/// Whether a column keeps titles, and is none of the table's own.
pub(super) fn is_of_sections(entry: &ColumnEntry) -> bool {
    let column = &entry.column;
    &*column.key.0 == KEY && column.kind == ColumnKind::Text && column.derive.is_none()
}

/// Whether a row is a section, by the column that [`column`] gave.
pub(super) fn is_section(column: Option<&ColumnEntry>, row: &Row) -> bool {
    column.is_some_and(|entry| !row.stored(entry.slot).is_empty())
}

/// The changes that put a new section at a place of the list, and the column for its title where there is none yet.
///
/// # Errors
/// A sentence for the person, where there is no room for another row or the column is used for something else.
pub(super) fn insert(watchlist: &Watchlist, place: usize, row: RowId) -> Result<Vec<Change>, String> {
    let key = ColumnKey::from(KEY);
    let mut changes = match watchlist.columns().get(&key) {
        None => {
            let (title, kind) = (TITLE.into(), ColumnKind::Text);
            vec![Change::AddColumn(AddColumn { key: key.clone(), title, kind, after: None })]
        }
        Some(entry) if !is_of_sections(entry) => {
            return Err(format!("The column {} keeps no titles of sections.", entry.column.title));
        }
        Some(entry) if entry.column.removed => vec![Change::RestoreColumn(KeyOnly { key: key.clone() })],
        Some(_) => Vec::new(),
    };
    let cells = BTreeMap::from([(key, Literal::from(TITLE))]);
    let inserted = insert_at(watchlist, place, vec![(row, cells)]);
    changes.extend(inserted.ok_or("There is no room for another row.")?);
    Ok(changes)
}
