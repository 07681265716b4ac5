//! Applies an edit, all or nothing, and returns what is needed to revert it exactly.

use std::sync::Arc;

use super::{columns::Replaced, row::Row, size::text_bytes, state::Watchlist};
use crate::{
    column::{Column, ColumnKey, ColumnKind, Derive, check_title},
    edit::{AddColumn, Change, Insert, Set, SetColumn},
    ids::{Revision, RowId},
    limits::{CONVERTED_CELLS, Limits},
    position::Position,
    rejection::{Code, Rejection},
    time::Timestamp,
    value::{Literal, Value},
};

/// How an edit is applied.
pub enum Mode<'a> {
    /// The server validates it: limits and guards are checked, and `at` is stored for cells that are set.
    Validate {
        /// The size limits.
        limits: &'a Limits,
        /// The time at which it is accepted.
        at: Timestamp,
        /// Returns whether another client changed the row after the revision.
        changed_since: &'a dyn Fn(RowId, Revision) -> bool,
    },
    /// A client shows its own edit before the server has validated it. Guards are not checked, and times are
    /// unknown.
    Pending {
        /// The size limits.
        limits: &'a Limits,
    },
    /// The server has accepted it. Changes of a conflated range may be missing, so a cell that cannot be
    /// converted to a column's new kind is cleared: a later change in the same range sets it.
    Confirmed {
        /// The time at which it was accepted.
        at: Timestamp,
    },
}

/// What an applied edit replaced, one step for each of its changes. It reverts the edit exactly.
#[derive(Debug, Default)]
pub struct Undo {
    pub(super) steps: Vec<UndoStep>,
}

impl Undo {
    /// Returns the values that the edit's `set` changes replaced, in their order.
    pub fn replaced(&self) -> impl Iterator<Item = &Value> {
        self.steps
            .iter()
            .filter_map(|step| if let UndoStep::Cell { value, .. } = step { Some(value) } else { None })
    }

    /// Returns the rows that the edit's `remove` changes removed, in their order.
    pub fn removed(&self) -> impl Iterator<Item = &Row> {
        self.steps
            .iter()
            .filter_map(|step| if let UndoStep::Removed(row) = step { Some(&**row) } else { None })
    }
}

/// What one change replaced.
#[derive(Debug)]
pub(super) enum UndoStep {
    Cell {
        row: RowId,
        slot: usize,
        value: Value,
        changed: Option<Option<Timestamp>>,
    },
    Inserted(RowId),
    Moved {
        row: RowId,
        position: Position,
    },
    Removed(Arc<Row>),
    ColumnAdded(ColumnKey),
    /// The column and its predecessor before it was replaced, with the cells whose values were converted to a
    /// new kind.
    ColumnReplaced {
        before: Replaced,
        previous: Option<ColumnKey>,
        cells: Vec<(RowId, Value)>,
    },
    Name(Arc<str>),
}

impl Watchlist {
    /// Applies an edit's changes in order, all of them or none.
    ///
    /// # Errors
    /// The rejection of the first change that cannot be applied, with its index.
    pub fn apply(&mut self, changes: &[Change], mode: &Mode<'_>) -> Result<Undo, Rejection> {
        self.check_conversions(changes, mode)?;
        let mut undo = Undo { steps: Vec::with_capacity(changes.len()) };
        for (index, change) in changes.iter().enumerate() {
            match self.apply_one(change, mode) {
                Ok(step) => undo.steps.push(step),
                Err(mut rejection) => {
                    self.revert(undo);
                    rejection.change = Some(index);
                    return Err(rejection);
                }
            }
        }
        self.rows.end_edit();
        Ok(undo)
    }

    /// Bounds the cost of an edit that changes the kinds of columns: each such change reads every row.
    fn check_conversions(&self, changes: &[Change], mode: &Mode<'_>) -> Result<(), Rejection> {
        if matches!(mode, Mode::Confirmed { .. }) {
            return Ok(());
        }
        let is_conversion = |change: &&Change| matches!(change, Change::SetColumn(set) if set.kind.is_some());
        let conversions = changes.iter().filter(is_conversion).count();
        let inserted = changes.iter().filter(|change| matches!(change, Change::Insert(_))).count();
        let cells = conversions.saturating_mul(self.rows.len() + inserted);
        if conversions > 1 && cells > CONVERTED_CELLS {
            let message = format!(
                "the edit changes the kinds of {conversions} columns with {cells} cells in all; the limit is \
                 {CONVERTED_CELLS} cells: use several edits"
            );
            return Err(Rejection::new(Code::TooLarge, message));
        }
        Ok(())
    }

    /// Reverts an applied edit. Edits are reverted in the reverse of the order in which they were applied.
    pub fn revert(&mut self, undo: Undo) {
        for step in undo.steps.into_iter().rev() {
            let reverted = match step {
                UndoStep::Cell { row, slot, value, changed } => self.rows.change(row, |row| {
                    row.store(slot, value);
                    if let Some(changed) = changed {
                        row.set_changed(slot, changed);
                    }
                }),
                UndoStep::Inserted(row) => self.rows.remove(row).map(drop),
                UndoStep::Moved { row, position } => self.rows.relocate(row, position).map(drop),
                UndoStep::Removed(row) => self.rows.insert(row),
                UndoStep::ColumnAdded(key) => {
                    self.columns.revert_addition(&key);
                    Ok(())
                }
                UndoStep::ColumnReplaced { before, cells, .. } => {
                    let slot = before.entry.slot;
                    self.columns.revert_replacement(before);
                    self.store_cells(slot, cells)
                }
                UndoStep::Name(name) => {
                    self.name = name;
                    Ok(())
                }
            };
            reverted.expect("an edit is reverted from the state that it led to");
        }
        self.rows.end_edit();
    }

    fn store_cells(&mut self, slot: usize, cells: Vec<(RowId, Value)>) -> Result<(), Rejection> {
        cells
            .into_iter()
            .try_for_each(|(row, value)| self.rows.change(row, |row| drop(row.store(slot, value))))
    }

    fn apply_one(&mut self, change: &Change, mode: &Mode<'_>) -> Result<UndoStep, Rejection> {
        match change {
            Change::Set(set) => self.set(set, mode),
            Change::Insert(insert) => self.insert(insert, mode),
            Change::Move(moved) => {
                let position = read_position(&moved.position)?;
                let position = self.rows.relocate(moved.row, position)?;
                Ok(UndoStep::Moved { row: moved.row, position })
            }
            Change::Remove(remove) => {
                if let (Mode::Validate { changed_since, .. }, Some(as_of)) = (mode, remove.as_of)
                    && self.rows.get(remove.row).is_some()
                    && changed_since(remove.row, as_of)
                {
                    let message = format!("the row changed after revision {as_of}");
                    return Err(Rejection::new(Code::Conflict, message));
                }
                Ok(UndoStep::Removed(self.rows.remove(remove.row)?))
            }
            Change::AddColumn(add) => self.add_column(add, mode),
            Change::SetColumn(set) => self.set_column(set, mode),
            Change::RemoveColumn(column) => {
                self.columns.visible_column(&column.key)?;
                self.set_removed(&column.key, true)
            }
            Change::RestoreColumn(column) => self.set_removed(&column.key, false),
            Change::Rename(rename) => {
                check_title("the watchlist's name", &rename.name)?;
                Ok(UndoStep::Name(std::mem::replace(&mut self.name, rename.name.clone())))
            }
        }
    }

    fn set(&mut self, set: &Set, mode: &Mode<'_>) -> Result<UndoStep, Rejection> {
        let row = self
            .rows
            .get(set.row)
            .ok_or_else(|| Rejection::new(Code::UnknownRow, format!("unknown row {}", set.row)))?;
        // Conflation may move a column's removal before earlier changes to its cells, so a confirmed change
        // may set a cell of a removed column. Other edits may not.
        let entry = match mode {
            Mode::Confirmed { .. } => self.columns.known(&set.column)?,
            Mode::Validate { .. } | Mode::Pending { .. } => self.columns.visible_column(&set.column)?,
        };
        if entry.column.derive.is_some() {
            return Err(read_only(&set.column));
        }
        let limits = mode.limits();
        let value = read_value(&entry.column.kind, &set.value, mode)?;
        let slot = entry.slot;
        let (before, after) = (text_bytes(row.stored(slot)), text_bytes(&value));
        if after > before {
            check_row(row.text_bytes() - before + after, &limits)?;
        }
        if let (Mode::Validate { limits, .. }, Some(was)) = (mode, &set.was) {
            let current = row.stored(slot);
            if entry.column.kind.read(was, limits).as_ref() != Ok(current) {
                let current = current.to_literal();
                let message = format!("the cell is {current}, not {was}");
                return Err(Rejection { current: Some(current), ..Rejection::new(Code::Conflict, message) });
            }
        }
        let tracked_at = mode.at().filter(|_| entry.tracked);
        let (value, changed) = self.rows.change(set.row, |row| {
            (row.store(slot, value), tracked_at.map(|at| row.set_changed(slot, Some(at))))
        })?;
        Ok(UndoStep::Cell { row: set.row, slot, value, changed })
    }

    fn insert(&mut self, insert: &Insert, mode: &Mode<'_>) -> Result<UndoStep, Rejection> {
        let limits = mode.limits();
        if self.rows.len() >= limits.rows {
            let message = format!("the limit of a watchlist is {} rows", limits.rows);
            return Err(Rejection::new(Code::TooLarge, message));
        }
        let mut row = Row::new(insert.row, read_position(&insert.position)?);
        for (key, literal) in &insert.cells {
            // Removed columns are allowed: a restored row restores its cells in them, too.
            let entry = self.columns.known(key)?;
            if entry.column.derive.is_some() {
                return Err(read_only(key));
            }
            let value = read_value(&entry.column.kind, literal, mode)?;
            if value.is_empty() {
                continue;
            }
            row.store(entry.slot, value);
            if let Some(at) = mode.at().filter(|_| entry.tracked) {
                row.set_changed(entry.slot, Some(at));
            }
        }
        check_row(row.text_bytes(), &limits)?;
        self.rows.insert(Arc::new(row))?;
        Ok(UndoStep::Inserted(insert.row))
    }

    fn add_column(&mut self, add: &AddColumn, mode: &Mode<'_>) -> Result<UndoStep, Rejection> {
        let column = Column {
            key: add.key.clone(),
            title: add.title.clone(),
            kind: add.kind.clone(),
            derive: None,
            removed: false,
        };
        self.columns.add(column, add.after.as_ref(), &mode.limits())?;
        Ok(UndoStep::ColumnAdded(add.key.clone()))
    }

    fn set_removed(&mut self, key: &ColumnKey, removed: bool) -> Result<UndoStep, Rejection> {
        let column = Column { removed, ..self.columns.known(key)?.column.clone() };
        let index = self.columns.index_of(key)?;
        Ok(self.replace_column(column, index, Vec::new()))
    }

    fn replace_column(&mut self, column: Column, index: usize, cells: Vec<(RowId, Value)>) -> UndoStep {
        let previous = self.columns.previous_key(&column.key).cloned();
        UndoStep::ColumnReplaced { before: self.columns.replace(column, index), previous, cells }
    }

    fn set_column(&mut self, set: &SetColumn, mode: &Mode<'_>) -> Result<UndoStep, Rejection> {
        if !matches!(mode, Mode::Confirmed { .. }) {
            self.columns.visible_column(&set.key)?;
        }
        let mut column = self.columns.known(&set.key)?.column.clone();
        if let Some(title) = &set.title {
            check_title("the column's title", title)?;
            column.title = title.clone();
        }
        let index = match &set.after {
            Some(after) => self.columns.index_of_move(&set.key, after)?,
            None => self.columns.index_of(&set.key)?,
        };
        let mut cells = Vec::new();
        if let Some(kind) = &set.kind {
            cells = self.convert_to_kind(&set.key, kind, mode)?;
            column.kind = kind.clone();
        }
        self.columns.check_replacement(&column, &mode.limits())?;
        Ok(self.replace_column(column, index, cells))
    }

    /// Checks a new kind for a column and converts its cells to it. Returns the values that the cells had.
    fn convert_to_kind(
        &mut self,
        key: &ColumnKey,
        kind: &ColumnKind,
        mode: &Mode<'_>,
    ) -> Result<Vec<(RowId, Value)>, Rejection> {
        kind.check(&mode.limits())?;
        let entry = self.columns.known(key)?;
        let same_family = std::mem::discriminant(&entry.column.kind) == std::mem::discriminant(kind);
        if entry.column.derive.is_some() && !same_family {
            return Err(read_only(key));
        }
        if !kind.is_numeric() && self.is_computed_from(key) {
            let message = format!("the column {key} must stay numeric: another column is computed from it");
            return Err(Rejection::new(Code::InvalidValue, message));
        }
        let slot = entry.slot;
        let display_only = same_family && !matches!(kind, ColumnKind::Choice(_));
        if display_only { Ok(Vec::new()) } else { self.convert_cells(slot, kind, mode) }
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
    ) -> Result<Vec<(RowId, Value)>, Rejection> {
        self.rows.sort();
        let filled = self.rows.iter().filter(|row| !row.stored(slot).is_empty());
        let filled: Vec<(RowId, Value)> = filled.map(|row| (row.id, row.stored(slot).clone())).collect();
        let mut converted = Vec::with_capacity(filled.len());
        for (row, value) in &filled {
            converted.push((
                *row,
                match kind.convert(value, &mode.limits()) {
                    Some(converted) => converted,
                    None if matches!(mode, Mode::Confirmed { .. }) => Value::Empty,
                    None => {
                        let message = format!(
                            "{} in row {row} cannot be converted to the new kind",
                            value.to_literal()
                        );
                        return Err(Rejection::new(Code::InvalidValue, message));
                    }
                },
            ));
        }
        self.store_cells(slot, converted)?;
        Ok(filled)
    }
}

impl Mode<'_> {
    fn limits(&self) -> Limits {
        match self {
            Mode::Validate { limits, .. } | Mode::Pending { limits } => **limits,
            // The server has accepted it, possibly with higher limits than ours.
            Mode::Confirmed { .. } => Limits::default().for_stored(),
        }
    }

    fn at(&self) -> Option<Timestamp> {
        match self {
            Mode::Validate { at, .. } | Mode::Confirmed { at } => Some(*at),
            Mode::Pending { .. } => None,
        }
    }
}

/// Reads a value for a column. Zero has no sign: a decimal cannot represent it, so it would not come back as
/// it was sent.
fn read_value(kind: &ColumnKind, literal: &Literal, mode: &Mode<'_>) -> Result<Value, Rejection> {
    let value = kind.read(literal, &mode.limits())?;
    if let (Value::Number(number), Literal::Text(text)) = (&value, literal)
        && number.is_zero()
        && text.starts_with('-')
        && !matches!(mode, Mode::Confirmed { .. })
    {
        let message = format!("invalid value {literal}; zero has no sign");
        return Err(Rejection::new(Code::InvalidValue, message));
    }
    Ok(value)
}

fn check_row(bytes: usize, limits: &Limits) -> Result<(), Rejection> {
    if bytes <= limits.row_bytes {
        return Ok(());
    }
    let message = format!("the texts of the row have {bytes} bytes; the limit is {}", limits.row_bytes);
    Err(Rejection::new(Code::TooLarge, message))
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
