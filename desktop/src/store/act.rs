//! What an edit of this window does, in counts: for the notice that offers to undo it.

use std::{collections::HashSet, sync::Arc};

use shared::{edit::Change, ids::RowId, number::Separators, value::Literal, watchlist::Watchlist};

use super::{edits::Delivery, words::row_name};

/// Number of cells of one row from which on clearing them is told.
const CLEARED_CELLS: usize = 20;

/// What an edit, or several that a person made as one, does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Act {
    added: usize,
    moved: usize,
    /// Number of removed rows, and how the first of them is called.
    removed: (usize, Option<Arc<str>>),
    changed_cells: usize,
    cleared_cells: usize,
    changed_rows: HashSet<RowId>,
    removed_columns: Vec<Arc<str>>,
    /// Whether the server does not answer at the moment.
    is_late: bool,
}

impl Act {
    /// Returns what changes do to a watchlist.
    pub(super) fn of(state: &Watchlist, changes: &[Change], delivery: Delivery) -> Self {
        let mut act = Self { is_late: delivery == Delivery::Later, ..Self::default() };
        for change in changes {
            match change {
                Change::Set(set) => {
                    act.changed_cells += 1;
                    act.cleared_cells += usize::from(set.value == Literal::Empty);
                    act.changed_rows.insert(set.row);
                }
                Change::Insert(_) => act.added += 1,
                Change::Move(_) => act.moved += 1,
                Change::Remove(remove) => {
                    act.removed.0 += 1;
                    act.removed.1 = act.removed.1.or_else(|| row_name(state, remove.row));
                }
                Change::RemoveColumn(column) => {
                    let entry = state.columns().get(&column.key);
                    act.removed_columns.extend(entry.map(|entry| entry.column.title.clone()));
                }
                Change::AddColumn(_)
                | Change::SetColumn(_)
                | Change::RestoreColumn(_)
                | Change::Rename(_) => {}
            }
        }
        act
    }

    /// Adds what a later edit of the same act does.
    pub(super) fn add(&mut self, other: Self) {
        self.added += other.added;
        self.moved += other.moved;
        self.removed.0 += other.removed.0;
        self.removed.1 = self.removed.1.take().or(other.removed.1);
        self.changed_cells += other.changed_cells;
        self.cleared_cells += other.cleared_cells;
        self.changed_rows.extend(other.changed_rows);
        self.removed_columns.extend(other.removed_columns);
        self.is_late |= other.is_late;
    }

    /// Whether the act is worth a notice: it removes something, or concerns more than one row.
    fn is_told(&self) -> bool {
        let rows = self.changed_rows.len() + self.added + self.moved;
        let is_cleared = self.cleared_cells == self.changed_cells && self.cleared_cells > CLEARED_CELLS;
        !self.removed_columns.is_empty() || self.removed.0 > 0 || is_cleared || rows > 1
    }

    /// Describes everything that the act does, if it is worth a notice.
    pub(super) fn text(&self, separators: Separators) -> Option<String> {
        if !self.is_told() {
            return None;
        }
        let rows = |count| separators.format_count(count, "row", "rows");
        let cells = |count| separators.format_count(count, "cell was", "cells were");
        let mut clauses = Vec::new();
        let for_everyone = if self.is_late { "" } else { " for everyone" };
        match self.removed_columns.as_slice() {
            [] => {}
            [one] => clauses.push(format!("Column \u{201c}{one}\u{201d} was removed{for_everyone}")),
            several => clauses.push(format!(
                "{} were removed{for_everyone}",
                separators.format_count(several.len(), "column", "columns")
            )),
        }
        match &self.removed {
            (0, _) => {}
            (1, Some(name)) => clauses.push(format!("\u{201c}{name}\u{201d} was removed{for_everyone}")),
            (1, None) => clauses.push(format!("1 row was removed{for_everyone}")),
            (count, _) => clauses.push(format!("{} were removed{for_everyone}", rows(*count))),
        }
        let were = |count| if count == 1 { "was" } else { "were" };
        for (count, what) in [(self.added, "added"), (self.moved, "moved")] {
            if count > 0 {
                clauses.push(format!("{} {} {what}", rows(count), were(count)));
            }
        }
        match self.changed_cells {
            0 => {}
            count if count == self.cleared_cells => clauses.push(format!("{} cleared", cells(count))),
            count => clauses.push(format!("{} changed", cells(count))),
        }
        let is_removal = self.removed.0 > 0 || !self.removed_columns.is_empty();
        let later =
            if self.is_late && is_removal { " The others see it once the server answers." } else { "" };
        Some(format!("{}.{later}", clauses.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::{
        column::standard_columns, edit::ColumnRef, limits::Limits, position::Position, watchlist::apply::Mode,
    };
    use uuid::Uuid;

    use super::*;

    fn row(number: u128) -> RowId {
        RowId(Uuid::from_u128(number))
    }

    /// Returns what edits of a list of three rows are told to do, as one act.
    fn told(edits: &[&[Change]]) -> Option<String> {
        told_with(edits, Delivery::AtOnce)
    }

    fn told_with(edits: &[&[Change]], delivery: Delivery) -> Option<String> {
        let limits = Limits::default();
        let mut list = Watchlist::new("Test", standard_columns(), &limits).unwrap();
        for (number, position) in (1..=3).zip(&Position::between(None, None, 3).unwrap()) {
            let cells = BTreeMap::from([("symbol".into(), Literal::from(format!("S{number}").as_str()))]);
            list.apply(&[Change::insert(row(number), position, cells)], &Mode::Pending { limits: &limits })
                .unwrap();
        }
        let mut acts = edits.iter().map(|changes| Act::of(&list, changes, delivery));
        let mut act = acts.next().unwrap();
        acts.for_each(|other| act.add(other));
        act.text(Separators::ENGLISH)
    }

    #[test]
    fn acts_that_remove_something_or_concern_several_rows_are_told() {
        let set = |number, value: &str| {
            let value = if value.is_empty() { Literal::Empty } else { Literal::from(value) };
            Change::set(row(number), &"price".into(), value)
        };
        let remove = |number| Change::remove(row(number), None);
        let insert = |number| Change::insert(row(number), &Position::from_hex("80").unwrap(), [].into());
        let column = |key: &str| Change::RemoveColumn(ColumnRef { key: key.into() });
        for (edits, text) in [
            (&[&[set(1, "5")][..]][..], None),
            (&[&[set(1, "5"), set(1, "6")]], None),
            (&[&[insert(9)]], None),
            (&[&[Change::rename("Other")]], None),
            (&[&[set(1, "5"), set(2, "5")]], Some("2 cells were changed.")),
            (&[&[set(1, ""), set(2, "")]], Some("2 cells were cleared.")),
            (&[&[remove(2)]], Some("\u{201c}S2\u{201d} was removed for everyone.")),
            (&[&[remove(1), remove(2)]], Some("2 rows were removed for everyone.")),
            (&[&[remove(1)], &[remove(2), remove(3)]], Some("3 rows were removed for everyone.")),
            (&[&[column("target")]], Some("Column \u{201c}Target\u{201d} was removed for everyone.")),
            (&[&[column("target"), column("note")]], Some("2 columns were removed for everyone.")),
            (
                &[&[set(1, "5"), set(2, "5"), insert(8), insert(9)]],
                Some("2 rows were added; 2 cells were changed."),
            ),
            (&[&[set(1, "5"), insert(8)]], Some("1 row was added; 1 cell was changed.")),
        ] {
            assert_eq!(told(edits).as_deref(), text, "{edits:?}");
        }
        for (edit, text) in [
            (remove(2), Some("\u{201c}S2\u{201d} was removed. The others see it once the server answers.")),
            (
                column("target"),
                Some("Column \u{201c}Target\u{201d} was removed. The others see it once the server answers."),
            ),
            (set(1, "5"), None),
        ] {
            assert_eq!(told_with(&[&[edit]], Delivery::Later).as_deref(), text);
        }
        let cells = |count| vec![set(1, ""); count];
        assert_eq!(told(&[&cells(20)]), None);
        assert_eq!(told(&[&cells(21)]).as_deref(), Some("21 cells were cleared."));
    }
}
