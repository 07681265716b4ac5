//! Last authors of rows and cells. Guards are checked against them, and a conflict names them.

use std::{collections::HashMap, sync::Arc};

use shared::{
    column::ColumnKey,
    edit::{Change, Commit},
    ids::{ClientId, Revision, RowId},
};

use crate::journal::StoredAuthors;

/// Authors of every row.
#[derive(Debug, Default)]
pub(super) struct Authorship {
    rows: HashMap<RowId, StoredAuthors>,
    names: HashMap<Arc<str>, Arc<str>>,
}

/// Authors of a commit's rows before the commit.
#[derive(Debug, Default)]
pub(super) struct AuthorshipUndo(Vec<(RowId, Option<StoredAuthors>)>);

impl Authorship {
    pub(super) fn load(&mut self, rows: Vec<(RowId, StoredAuthors)>) {
        self.rows.extend(rows);
    }

    pub(super) fn get(&self, row: RowId) -> Option<&StoredAuthors> {
        self.rows.get(&row)
    }

    /// Whether another client than `client` changed the row after a revision.
    pub(super) fn changed_since(&self, row: RowId, client: ClientId, as_of: Revision) -> bool {
        self.rows.get(&row).is_some_and(|authors| {
            let others = if authors.last_client == client { authors.last_of_others } else { authors.last };
            others > as_of
        })
    }

    /// Returns the name of the account that set a cell last.
    pub(super) fn author_of(&self, row: RowId, column: &ColumnKey) -> Option<Arc<str>> {
        let authors = self.rows.get(&row)?;
        let cell = authors.cells.iter().find(|(key, _)| key == column);
        Some(cell.map_or(&authors.inserted_by, |(_, name)| name).clone())
    }

    /// Returns the name of the account that changed a row last, for a conflict over the whole row.
    pub(super) fn last_author_of(&self, row: RowId) -> Option<Arc<str>> {
        let authors = self.rows.get(&row)?;
        Some(authors.cells.last().map_or(&authors.inserted_by, |(_, name)| name).clone())
    }

    pub(super) fn record(&mut self, commit: &Commit) -> AuthorshipUndo {
        let name = self.names.entry(commit.by.name.clone()).or_insert_with(|| commit.by.name.clone()).clone();
        let mut undo = AuthorshipUndo::default();
        for change in &commit.changes {
            let Some(row) = change.row() else { continue };
            undo.0.push((row, self.rows.get(&row).cloned()));
            if matches!(change, Change::Remove(_)) {
                self.rows.remove(&row);
                continue;
            }
            let authors = self.rows.entry(row).or_insert_with(|| StoredAuthors {
                last: Revision(0),
                last_client: commit.by.client,
                last_of_others: Revision(0),
                inserted_by: name.clone(),
                cells: Vec::new(),
            });
            if authors.last_client != commit.by.client {
                authors.last_of_others = authors.last;
                authors.last_client = commit.by.client;
            }
            authors.last = commit.revision;
            if let Change::Set(set) = change {
                authors.cells.retain(|(key, _)| *key != set.column);
                authors.cells.push((set.column.clone(), name.clone()));
            }
        }
        undo
    }

    pub(super) fn revert(&mut self, undo: AuthorshipUndo) {
        for (row, before) in undo.0.into_iter().rev() {
            match before {
                Some(authors) => drop(self.rows.insert(row, authors)),
                None => drop(self.rows.remove(&row)),
            }
        }
    }
}
