//! Applying an edit: all of it or nothing, and exactly taken back where it must be.

use std::sync::Arc;

use super::{Columns, Row, Watchlist};
use crate::{
    column::{Column, ColumnKey, ColumnKind, Derive, check_title},
    edit::{AddColumn, Change, Code, Insert, Rejection, Set, SetColumn},
    ids::{Revision, RowId},
    limits::Limits,
    position::Position,
    time::Timestamp,
    value::{Literal, Value},
};

/// How an edit is to be taken.
pub enum Mode<'a> {
    /// The server judges it: limits and guards hold, and set cells note `at`.
    Judge {
        /// What is too much.
        limits: &'a Limits,
        /// When it is accepted.
        at: Timestamp,
        /// Whether another client changed the row after the revision.
        changed_since: &'a dyn Fn(RowId, Revision) -> bool,
    },
    /// A client shows its own edit before it is judged: guards are the server's, times are not known.
    Pending {
        /// What is too much.
        limits: &'a Limits,
    },
    /// The server accepted it at this moment. Part of a conflated range may be missing, so a cell that a
    /// column's new kind cannot read is emptied: a later change in the same range sets it.
    Confirmed {
        /// When it was accepted.
        at: Timestamp,
    },
}

/// Takes one applied edit back, exactly.
#[derive(Debug, Default)]
pub struct Undo {
    steps: Vec<UndoStep>,
    replaced: Vec<Value>,
}

impl Undo {
    /// What each of the edit's `set` changes has replaced, in their order.
    pub fn replaced(&self) -> &[Value] {
        &self.replaced
    }
}

#[derive(Debug)]
enum UndoStep {
    Cell { row: RowId, slot: usize, value: Value, changed: Option<Option<Timestamp>> },
    Inserted(RowId),
    Moved { row: RowId, position: Position },
    Removed(Arc<Row>),
    Columns(Columns),
    Name(Arc<str>),
}

impl Watchlist {
    /// Applies an edit's changes in order; on a refusal nothing is changed.
    ///
    /// # Errors
    /// The first change that cannot be, with its index.
    pub fn apply(&mut self, changes: &[Change], mode: &Mode<'_>) -> Result<Undo, Rejection> {
        let mut undo = Undo::default();
        for (index, change) in changes.iter().enumerate() {
            if let Err(mut rejection) = self.apply_one(change, mode, &mut undo) {
                self.revert(undo);
                rejection.change = Some(index);
                return Err(rejection);
            }
        }
        Ok(undo)
    }

    /// Takes an applied edit back. Edits are taken back in the reverse of their order.
    pub fn revert(&mut self, undo: Undo) {
        for step in undo.steps.into_iter().rev() {
            let done = match step {
                UndoStep::Cell { row, slot, value, changed } => self.rows.change(row, |row| {
                    row.store(slot, value);
                    if let Some(changed) = changed {
                        row.note_changed(slot, changed);
                    }
                }),
                UndoStep::Inserted(row) => self.rows.remove(row).map(drop),
                UndoStep::Moved { row, position } => self.rows.relocate(row, position).map(drop),
                UndoStep::Removed(row) => self.rows.insert(row),
                UndoStep::Columns(columns) => {
                    self.columns = columns;
                    Ok(())
                }
                UndoStep::Name(name) => {
                    self.name = name;
                    Ok(())
                }
            };
            done.expect("an edit is taken back from the state that it made");
        }
    }

    fn apply_one(&mut self, change: &Change, mode: &Mode<'_>, undo: &mut Undo) -> Result<(), Rejection> {
        match change {
            Change::Set(set) => self.set(set, mode, undo),
            Change::Insert(insert) => self.insert(insert, mode, undo),
            Change::Move(moved) => {
                let position = read_position(&moved.position)?;
                let position = self.rows.relocate(moved.row, position)?;
                undo.steps.push(UndoStep::Moved { row: moved.row, position });
                Ok(())
            }
            Change::Remove(remove) => {
                if let (Mode::Judge { changed_since, .. }, Some(as_of)) = (mode, remove.as_of)
                    && self.rows.get(remove.row).is_some()
                    && changed_since(remove.row, as_of)
                {
                    let message = format!("the row changed after revision {as_of}");
                    return Err(Rejection::new(Code::Conflict, message));
                }
                undo.steps.push(UndoStep::Removed(self.rows.remove(remove.row)?));
                Ok(())
            }
            Change::AddColumn(add) => self.add_column(add, mode, undo),
            Change::SetColumn(set) => self.set_column(set, mode, undo),
            Change::RemoveColumn(column) => {
                self.columns.visible_column(&column.key)?;
                self.change_columns(undo, |columns| {
                    columns.update(&column.key, |column| column.removed = true)
                })
            }
            Change::RestoreColumn(column) => self
                .change_columns(undo, |columns| columns.update(&column.key, |column| column.removed = false)),
            Change::Rename(rename) => {
                check_title("the watchlist's name", &rename.name)?;
                undo.steps.push(UndoStep::Name(std::mem::replace(&mut self.name, rename.name.clone())));
                Ok(())
            }
        }
    }

    fn set(&mut self, set: &Set, mode: &Mode<'_>, undo: &mut Undo) -> Result<(), Rejection> {
        let row = self
            .rows
            .get(set.row)
            .ok_or_else(|| Rejection::new(Code::UnknownRow, format!("there is no row {}", set.row)))?;
        // A conflated range may hide a column before the sets that came ahead of it, so a confirmed set may
        // meet a hidden column; anybody else's may not.
        let entry = match mode {
            Mode::Confirmed { .. } => self.columns.known(&set.column)?,
            Mode::Judge { .. } | Mode::Pending { .. } => self.columns.visible_column(&set.column)?,
        };
        if entry.column.derive.is_some() {
            return Err(read_only(&set.column));
        }
        let value = entry.column.kind.read(&set.value, &mode.limits())?;
        let slot = entry.slot;
        if let (Mode::Judge { limits, .. }, Some(was)) = (mode, &set.was) {
            let current = row.stored(slot);
            if entry.column.kind.read(was, limits).as_ref() != Ok(current) {
                let current = current.to_literal();
                let message = format!("the cell holds {current} and not {was}");
                return Err(Rejection { current: Some(current), ..Rejection::new(Code::Conflict, message) });
            }
        }
        let noted = mode.at().filter(|_| entry.tracked);
        let (value, changed) = self.rows.change(set.row, |row| {
            (row.store(slot, value), noted.map(|at| row.note_changed(slot, Some(at))))
        })?;
        undo.replaced.push(value.clone());
        undo.steps.push(UndoStep::Cell { row: set.row, slot, value, changed });
        Ok(())
    }

    fn insert(&mut self, insert: &Insert, mode: &Mode<'_>, undo: &mut Undo) -> Result<(), Rejection> {
        let limits = mode.limits();
        if self.rows.len() >= limits.rows && !matches!(mode, Mode::Confirmed { .. }) {
            let message = format!("a watchlist takes {} rows", limits.rows);
            return Err(Rejection::new(Code::TooLarge, message));
        }
        let mut row = Row::new(insert.row, read_position(&insert.position)?);
        for (key, literal) in &insert.cells {
            // Hidden columns are taken: a row that is brought back brings its hidden cells along.
            let entry = self.columns.known(key)?;
            if entry.column.derive.is_some() {
                return Err(read_only(key));
            }
            let value = entry.column.kind.read(literal, &limits)?;
            if value.is_empty() {
                continue;
            }
            row.store(entry.slot, value);
            if let Some(at) = mode.at().filter(|_| entry.tracked) {
                row.note_changed(entry.slot, Some(at));
            }
        }
        self.rows.insert(Arc::new(row))?;
        undo.steps.push(UndoStep::Inserted(insert.row));
        Ok(())
    }

    fn add_column(&mut self, add: &AddColumn, mode: &Mode<'_>, undo: &mut Undo) -> Result<(), Rejection> {
        let column = Column {
            key: add.key.clone(),
            title: add.title.clone(),
            kind: add.kind.clone(),
            derive: None,
            removed: false,
        };
        self.change_columns(undo, |columns| columns.add(column, add.after.as_ref(), &mode.limits()))
    }

    fn set_column(&mut self, set: &SetColumn, mode: &Mode<'_>, undo: &mut Undo) -> Result<(), Rejection> {
        if !matches!(mode, Mode::Confirmed { .. }) {
            self.columns.visible_column(&set.key)?;
        }
        if let Some(title) = &set.title {
            check_title("the column's title", title)?;
            self.change_columns(undo, |columns| {
                columns.update(&set.key, |column| column.title = title.clone())
            })?;
        }
        if let Some(after) = &set.after {
            self.change_columns(undo, |columns| columns.set_place(&set.key, after))?;
        }
        match &set.kind {
            Some(kind) => self.set_kind(&set.key, kind, mode, undo),
            None => Ok(()),
        }
    }

    fn set_kind(
        &mut self,
        key: &ColumnKey,
        kind: &ColumnKind,
        mode: &Mode<'_>,
        undo: &mut Undo,
    ) -> Result<(), Rejection> {
        kind.check(&mode.limits())?;
        let entry = self.columns.known(key)?;
        let same_family = std::mem::discriminant(&entry.column.kind) == std::mem::discriminant(kind);
        if entry.column.derive.is_some() && !same_family {
            return Err(read_only(key));
        }
        if !kind.is_numeric() && self.is_computed_from(key) {
            let message = format!("another column is computed from {key}, which has to stay a number");
            return Err(Rejection::new(Code::InvalidValue, message));
        }
        let slot = entry.slot;
        let display_only = same_family && !matches!(kind, ColumnKind::Choice(_));
        if !display_only {
            self.convert_cells(slot, kind, mode, undo)?;
        }
        self.change_columns(undo, |columns| columns.update(key, |column| column.kind = kind.clone()))
    }

    fn is_computed_from(&self, key: &ColumnKey) -> bool {
        let derived = self.columns.iter().filter_map(|entry| entry.column.derive.as_ref());
        derived
            .filter(|derive| !matches!(derive, Derive::ChangedAt { .. }))
            .any(|derive| derive.inputs().any(|input| input == key))
    }

    fn convert_cells(
        &mut self,
        slot: usize,
        kind: &ColumnKind,
        mode: &Mode<'_>,
        undo: &mut Undo,
    ) -> Result<(), Rejection> {
        let filled: Vec<(RowId, Value)> = self
            .rows
            .iter()
            .map(|row| (row.id, row.stored(slot).clone()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        for (row, value) in filled {
            let converted = match kind.convert(&value, &mode.limits()) {
                Some(converted) => converted,
                None if matches!(mode, Mode::Confirmed { .. }) => Value::Empty,
                None => {
                    let message =
                        format!("{} in row {row} cannot be read in the new kind", value.to_literal());
                    return Err(Rejection::new(Code::InvalidValue, message));
                }
            };
            self.rows.change(row, |row| row.store(slot, converted))?;
            undo.steps.push(UndoStep::Cell { row, slot, value, changed: None });
        }
        Ok(())
    }

    fn change_columns(
        &mut self,
        undo: &mut Undo,
        change: impl FnOnce(&mut Columns) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let before = self.columns.clone();
        change(&mut self.columns)?;
        undo.steps.push(UndoStep::Columns(before));
        Ok(())
    }
}

impl Mode<'_> {
    fn limits(&self) -> Limits {
        match self {
            Mode::Judge { limits, .. } | Mode::Pending { limits } => **limits,
            // What the server accepted is not judged again: it may be set to higher limits.
            Mode::Confirmed { .. } => {
                Limits { text_bytes: usize::MAX, columns: usize::MAX, rows: usize::MAX, ..Limits::default() }
            }
        }
    }

    fn at(&self) -> Option<Timestamp> {
        match self {
            Mode::Judge { at, .. } | Mode::Confirmed { at } => Some(*at),
            Mode::Pending { .. } => None,
        }
    }
}

fn read_only(key: &ColumnKey) -> Rejection {
    Rejection::new(Code::ReadOnlyColumn, format!("the column {key} is computed and cannot be edited"))
}

fn read_position(literal: &Literal) -> Result<Position, Rejection> {
    match literal {
        Literal::Text(text) => {
            Position::from_hex(text).map_err(|error| Rejection::new(Code::InvalidValue, error.to_string()))
        }
        Literal::Empty | Literal::Flag(_) | Literal::Foreign(_) => {
            Err(Rejection::new(Code::InvalidValue, format!("{literal} is not a position")))
        }
    }
}
