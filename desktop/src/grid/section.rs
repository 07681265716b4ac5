//! Section rows: a title across the list. A row is a section if its cell in the column `_section` is not
//! empty, so that the server and other clients see an ordinary row and an ordinary edit. User-created columns
//! never get that key.

use std::collections::BTreeMap;

use shared::{
    column::{ColumnKey, ColumnKind},
    edit::{AddColumn, Change, ColumnRef},
    ids::RowId,
    value::Literal,
    watchlist::{ColumnEntry, Columns, Row, Watchlist},
};

use super::ops::insert_changes;

/// Key of the column that stores section titles.
const KEY: &str = "_section";
/// Default title of a new section, and the title of the column.
const TITLE: &str = "Section";

/// Returns the column that stores section titles, if there is one.
pub(super) fn column(columns: &Columns) -> Option<&ColumnEntry> {
    columns.visible().find(|entry| is_of_sections(entry))
}

/// Whether a column stores section titles; the table does not show it.
pub(super) fn is_of_sections(entry: &ColumnEntry) -> bool {
    let column = &entry.column;
    &*column.key.0 == KEY && column.kind == ColumnKind::Text && column.derive.is_none()
}

/// Whether a row is a section, given the column that [`column`] returned.
pub(super) fn is_section(column: Option<&ColumnEntry>, row: &Row) -> bool {
    column.is_some_and(|entry| !row.stored(entry.slot).is_empty())
}

/// Returns the changes that insert a section at a list index, and that add the title column if it does not
/// exist.
///
/// # Errors
/// A message for the user if no row can be added or the column key is used for something else.
pub(super) fn insert(watchlist: &Watchlist, place: usize, row: RowId) -> Result<Vec<Change>, String> {
    let key = ColumnKey::from(KEY);
    let mut changes = match watchlist.columns().get(&key) {
        None => {
            let (title, kind) = (TITLE.into(), ColumnKind::Text);
            vec![Change::AddColumn(AddColumn { key: key.clone(), title, kind, after: None })]
        }
        Some(entry) if !is_of_sections(entry) => {
            return Err(format!(
                "Column {} uses the key reserved for section titles. Remove it to add sections.",
                entry.column.title
            ));
        }
        Some(entry) if entry.column.removed => vec![Change::RestoreColumn(ColumnRef { key: key.clone() })],
        Some(_) => Vec::new(),
    };
    let cells = BTreeMap::from([(key, Literal::from(TITLE))]);
    let inserted = insert_changes(watchlist, place, vec![(row, cells)]);
    changes.extend(inserted.ok_or("Cannot add another row here.")?);
    Ok(changes)
}
