//! The edit that takes an edit back, as a new edit of its own: what undo sends.

use std::collections::BTreeMap;

use super::{Watchlist, apply::Mode};
use crate::{
    edit::{Change, KeyOnly, Rename, Set, SetColumn},
    ids::Revision,
    limits::Limits,
    value::Literal,
};

impl Watchlist {
    /// The changes that would take `changes` back, to be asked for *before* they are applied. Each is guarded,
    /// so that what others did meanwhile is not overwritten: cells by the value this edit puts there, rows by
    /// `as_of`. Changes that could not be applied have no inverse and are passed over.
    ///
    /// The watchlist is as before afterwards; the changes are tried on it because later ones depend on earlier.
    pub fn inverse(&mut self, changes: &[Change], as_of: Option<Revision>) -> Vec<Change> {
        let limits = Limits::default();
        let mut inverse = Vec::with_capacity(changes.len());
        let mut applied = Vec::with_capacity(changes.len());
        for change in changes {
            let back = self.inverse_of_one(change, as_of);
            if let Ok(undo) = self.apply(std::slice::from_ref(change), &Mode::Pending { limits: &limits }) {
                applied.push(undo);
                inverse.extend(back);
            }
        }
        for undo in applied.into_iter().rev() {
            self.revert(undo);
        }
        inverse.reverse();
        inverse
    }

    fn inverse_of_one(&self, change: &Change, as_of: Option<Revision>) -> Option<Change> {
        match change {
            Change::Set(set) => {
                let row = self.rows.get(set.row)?;
                let value = row.stored(self.columns.get(&set.column)?.slot).to_literal();
                Some(Change::Set(Set {
                    row: set.row,
                    column: set.column.clone(),
                    value,
                    was: Some(set.value.clone()),
                }))
            }
            Change::Insert(insert) => Some(Change::remove(insert.row, as_of)),
            Change::Move(moved) => Some(Change::move_to(moved.row, &self.rows.get(moved.row)?.position)),
            Change::Remove(remove) => {
                let row = self.rows.get(remove.row)?;
                let cells: BTreeMap<_, Literal> = self
                    .columns
                    .iter()
                    .filter(|entry| entry.column.derive.is_none())
                    .map(|entry| (entry.column.key.clone(), row.stored(entry.slot).to_literal()))
                    .filter(|(_, literal)| *literal != Literal::Empty)
                    .collect();
                Some(Change::insert(remove.row, &row.position, cells))
            }
            Change::AddColumn(add) => Some(Change::RemoveColumn(KeyOnly { key: add.key.clone() })),
            Change::RemoveColumn(column) => Some(Change::RestoreColumn(column.clone())),
            Change::RestoreColumn(column) => {
                self.columns.get(&column.key)?.column.removed.then(|| Change::RemoveColumn(column.clone()))
            }
            Change::SetColumn(set) => {
                let column = &self.columns.get(&set.key)?.column;
                Some(Change::SetColumn(SetColumn {
                    key: set.key.clone(),
                    title: set.title.as_ref().map(|_| column.title.clone()),
                    kind: set.kind.as_ref().map(|_| column.kind.clone()),
                    after: set.after.as_ref().map(|_| self.columns.before(&set.key).cloned()),
                }))
            }
            Change::Rename(_) => Some(Change::Rename(Rename { name: self.name.clone() })),
        }
    }
}
