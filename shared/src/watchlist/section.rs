//! Sections: titles across the list, within which rows are sorted and filtered.
//!
//! A section is a row whose title is the cell of the text column with the key [`KEY`]. To the protocol, the
//! journal and undo it is a row as any other, so nothing on the wire or on disk knows of sections.

use std::collections::BTreeMap;

use super::{
    columns::{ColumnEntry, Columns},
    row::Row,
};
use crate::{
    column::{ColumnKey, ColumnKind},
    edit::{AddColumn, Change, ColumnRef},
    value::{Literal, Value},
};

/// Key of the column that holds the titles of sections. No column that a person names has this key.
pub const KEY: &str = "_section";
/// Title of a new section.
const NEW_TITLE: &str = "Section";

impl ColumnEntry {
    /// Whether the column holds the titles of sections and is not a column of the table itself.
    pub fn is_of_sections(&self) -> bool {
        let column = &self.column;
        &*column.key.0 == KEY && column.kind == ColumnKind::Text && column.derive.is_none()
    }
}

impl Columns {
    /// Returns the column that holds the titles of sections, if the watchlist has sections.
    pub fn sections(&self) -> Option<&ColumnEntry> {
        self.visible().find(|entry| entry.is_of_sections())
    }

    /// Returns the visible columns of the table itself, without that of the sections.
    pub fn data(&self) -> impl Iterator<Item = &ColumnEntry> {
        self.visible().filter(|entry| !entry.is_of_sections())
    }
}

impl Row {
    /// Returns the title if the row is a section. `sections` is the column from [`Columns::sections`].
    pub fn section(&self, sections: Option<&ColumnEntry>) -> Option<&Value> {
        sections.map(|entry| self.stored(entry.slot)).filter(|title| !title.is_empty())
    }
}

/// Returns the change that adds or restores the column of the titles; empty if the watchlist has it.
///
/// # Errors
/// The column that has the key and holds something else.
pub fn column_changes(columns: &Columns) -> Result<Vec<Change>, &ColumnEntry> {
    let key = ColumnKey::from(KEY);
    match columns.get(&key) {
        None => {
            let (title, kind) = (NEW_TITLE.into(), ColumnKind::Text);
            Ok(vec![Change::AddColumn(AddColumn { key, title, kind, after: None })])
        }
        Some(entry) if !entry.is_of_sections() => Err(entry),
        Some(entry) if entry.column.removed => Ok(vec![Change::RestoreColumn(ColumnRef { key })]),
        Some(_) => Ok(Vec::new()),
    }
}

/// Returns the cells of a new section row.
pub fn new_cells() -> BTreeMap<ColumnKey, Literal> {
    BTreeMap::from([(ColumnKey::from(KEY), Literal::from(NEW_TITLE))])
}
