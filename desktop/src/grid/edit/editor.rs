//! The state of the editor.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use egui::Rangef;
use rust_decimal::Decimal;
use shared::{
    column::ColumnKey,
    ids::RowId,
    number::MINUS,
    value::{Literal, Value},
};

use super::picker::Picker;
use crate::{
    command::Step,
    grid::{
        cursor::Cursor,
        place::ListIndex,
        run::{Next, Run},
        table::Table,
    },
};

/// Maximum number of refused texts that are kept.
const MAX_REFUSED: usize = 1_000;

/// How an editor is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::grid) enum Opening {
    /// With the whole text selected.
    All,
    /// With the caret at the end.
    End,
    /// With this text in place of the value.
    Typed(String),
    /// With the list of choices or the calendar open.
    List,
}

/// Why the text was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The text is not valid in its column; the message for the user.
    Invalid(String),
    /// The cell has changed to this value since the editor was opened. Further typing cancels the
    /// prompt to overwrite it.
    Changed(Value),
    /// The row was removed.
    RowRemoved,
    /// The text was typed in place of a refused one. It may be meant for another cell: a person who types a
    /// list of figures without looking goes on after a refusal.
    Replaced,
    /// The text is a number with a sign of its own over one that is not negative. Elsewhere the same keys add or
    /// subtract.
    Signed,
}

/// What was last known of the edited row, in case it is removed.
#[derive(Clone, Debug)]
pub(super) struct LastRow {
    /// Its index among the shown rows.
    pub(super) index: usize,
    /// Its place in the list's own order.
    pub(super) place: ListIndex,
    /// Its values, to insert it again.
    pub(super) cells: BTreeMap<ColumnKey, Literal>,
}

/// An open editor.
#[derive(Clone, Debug)]
pub struct Editor {
    /// The edited cell.
    pub cursor: Cursor,
    /// The column that stores the cell's value: for a section row, the column of the titles.
    pub column: ColumnKey,
    /// The current text.
    pub text: String,
    /// The text with which the editor was opened, unless a key was typed over the value.
    pub(super) opened_text: Option<String>,
    /// The value that the user last saw in the cell: the one when the editor was opened, or the one in the
    /// warning.
    pub(super) seen: Value,
    /// The values of the selected cells when the editor was opened, if several are selected.
    pub(super) seen_beside: HashMap<(RowId, ColumnKey), Value>,
    /// Whether a number that starts with a sign is relative to the current value: it was typed over the
    /// value.
    pub(super) is_relative: bool,
    /// Whether arrow keys commit and move, as they do after typing over a value.
    pub(super) typed_over: bool,
    /// Whether the column has negative numbers, so that a leading minus is the number's own sign.
    pub(super) is_signed: bool,
    /// Why the last commit failed.
    pub(super) problem: Option<Problem>,
    /// Whether the question was answered, and asked again because the cell had changed once more.
    pub(super) is_asked_again: bool,
    /// The refused texts, the first one of which is for this cell, until the person corrects the text with other
    /// keys than those that replace it.
    pub(super) refused: Vec<String>,
    /// When the last commit failed, on the clock of the grid.
    pub(super) refused_at: Duration,
    pub(super) opening: Option<Opening>,
    pub(super) picker: Option<Picker>,
    /// What was last known of the row.
    pub(super) last_row: LastRow,
    /// Last known left and right edge of the column.
    pub(super) last_column: Rangef,
}

impl Editor {
    /// Remembers where the row is and what it contains.
    pub(super) fn remember_row(&mut self, table: &Table<'_>) {
        let Some(id) = self.cursor.row else { return };
        if let Some(index) = table.index_of(id) {
            self.last_row.index = index;
        }
        if let Some(place) = ListIndex::of(table.watchlist, id) {
            self.last_row.place = place;
        }
        if let Some(row) = table.watchlist.rows().get(id) {
            self.last_row.cells = row.stored_cells(table.watchlist.columns());
        }
    }

    /// Keeps the editor open, for a reason. What is typed in place of the text is asked about, until the person
    /// corrects it: of several refused texts, the first one is for this cell.
    pub(super) fn refuse(&mut self, problem: Problem, now: Duration) {
        if self.refused.len() < MAX_REFUSED && self.refused.last() != Some(&self.text) {
            self.refused.push(self.text.clone());
        }
        let is_changed = |problem: &Problem| matches!(problem, Problem::Changed(_));
        self.is_asked_again = is_changed(&problem) && self.problem.as_ref().is_some_and(is_changed);
        self.problem = Some(problem);
        self.refused_at = now;
    }

    /// Returns what is copied from the editor: its text, or one below the other all that were refused.
    pub(super) fn copied_text(&self) -> String {
        match &self.problem {
            Some(Problem::Replaced) => self.refused.join("\n"),
            _ => self.text.clone(),
        }
    }

    /// Whether a question has been shown long enough to be read.
    pub(super) fn may_be_answered(&self, now: Duration) -> bool {
        now.saturating_sub(self.refused_at) >= READING
    }

    /// Whether a question is open, which only the keys and buttons that it names answer.
    pub(super) fn has_question(&self) -> bool {
        matches!(
            self.problem,
            Some(Problem::Changed(_) | Problem::RowRemoved | Problem::Replaced | Problem::Signed)
        )
    }

    /// Returns the number to which the typed one is relative, if it may be: the one in the question, or the
    /// one that the user saw.
    pub(super) fn current_number(&self) -> Option<Decimal> {
        let current = match &self.problem {
            Some(Problem::Changed(current)) => current,
            _ => &self.seen,
        };
        current.as_number().filter(|_| self.is_change())
    }

    /// Whether a number that starts with a sign is a change of the current one.
    pub(super) fn is_change(&self) -> bool {
        self.is_relative && !self.has_own_sign()
    }

    /// Whether the text starts with a minus that is the number's own, because the column has negative
    /// numbers.
    pub(super) fn has_own_sign(&self) -> bool {
        self.is_signed && self.starts_with(&['-', MINUS])
    }

    /// Whether the text starts with a sign of its own, where one that is typed over the cell adds or subtracts.
    pub(super) fn is_asked_about_sign(&self) -> bool {
        self.has_own_sign() || !self.typed_over && self.starts_with(&['-', MINUS, '+'])
    }

    /// Whether the text is a change in percent, which only counts if it is typed over the cell.
    pub(super) fn is_lost_change(&self) -> bool {
        let text = self.text.trim();
        !self.is_relative && text.starts_with(['-', MINUS, '+']) && text.ends_with('%')
    }

    fn starts_with(&self, signs: &[char]) -> bool {
        let text = self.text.trim();
        text.starts_with(signs) && !text.ends_with('%')
    }
}

/// The open editor, and the input that waits for it.
#[derive(Debug, Default)]
pub(in crate::grid) struct Editing {
    /// The open editor.
    pub(in crate::grid) editor: Option<Editor>,
    /// Keyboard events that followed the key that opened or closed the editor, in the same frame.
    pub(in crate::grid) typed_ahead: Vec<egui::Event>,
    /// A key has closed the editor: the grid takes the focus again in the next frame. Tab may have moved the
    /// focus if the editor was opened just before, because egui locks the focus of a text field one frame
    /// later.
    pub(in crate::grid) reclaims_focus: bool,
    /// When a key last committed a text and moved on, on the clock of the grid; `None` after another text was
    /// discarded.
    pub(in crate::grid) committed_at: Option<Duration>,
    /// The cells of the list of values that is being typed.
    run: Run,
    /// The cell that the list has led to. A person who goes on from another one looks at the screen.
    run_at: Option<Cursor>,
    /// The list of values that the person goes on with after a pause, from the cell that it has led to.
    paused_run: Option<Run>,
    /// The focus is leaving the grid: the open editor commits in the next frame if its text is valid.
    pub(in crate::grid) is_commit_requested: bool,
}

/// Time for which a new question is not answered: a second Enter may have been typed before it appeared.
const READING: Duration = Duration::from_millis(500);

/// Time after a commit for which the rows keep their places: a person may be typing a list of figures in the
/// order that they saw when they began.
const RUN: Duration = Duration::from_secs(5);

impl Editing {
    /// Returns the time until the rows may move again, because a list of values is being typed.
    pub(in crate::grid) fn run_ends_in(&self, now: Duration) -> Option<Duration> {
        if self.is_open() {
            Some(RUN)
        } else {
            (self.committed_at? + RUN).checked_sub(now).filter(|left| !left.is_zero())
        }
    }

    /// Returns the list of values that is being typed; an empty one after a pause.
    pub(in crate::grid) fn current_run(&mut self, now: Duration) -> &Run {
        if self.run_ends_in(now).is_none() {
            self.end_run();
        }
        &self.run
    }

    /// Begins a list of values at a cell, unless the cell goes on with the present one.
    pub(super) fn begin_run(&mut self, table: &Table<'_>, cell: &Cursor, now: Duration) {
        let goes_on = self.run_at.as_ref() == Some(cell);
        if goes_on && self.run_ends_in(now).is_some() {
            return;
        }
        let before = std::mem::replace(&mut self.run, Run::starting(table, cell.row));
        self.paused_run = goes_on.then_some(before);
        (self.run_at, self.committed_at) = (None, None);
    }

    /// Whether a step from a cell leads to another one than before the pause after which the person goes on with
    /// a list of values.
    pub(super) fn has_changed_since_pause(&mut self, table: &Table<'_>, cell: &Cursor, step: Step) -> bool {
        let Some(before) = self.paused_run.take() else { return false };
        let next = before.next(table, cell, step);
        next != Next::Unknown && next != self.run.next(table, cell, step)
    }

    /// Records the cell that a step within the list of values has led to; `None` ends the list.
    pub(in crate::grid) fn set_next_cell(&mut self, cell: Option<Cursor>) {
        self.run_at = cell;
    }

    /// Keeps the rows in their places after an edit of several cells, as after a typed value.
    pub(in crate::grid) fn hold_rows(&mut self, now: Duration) {
        self.committed_at = Some(now);
    }

    /// Ends the list of values that is being typed.
    pub(in crate::grid) fn end_run(&mut self) {
        (self.committed_at, self.run, self.run_at, self.paused_run) = (None, Run::default(), None, None);
    }

    /// Whether an editor is open.
    pub(in crate::grid) fn is_open(&self) -> bool {
        self.editor.is_some()
    }

    /// Whether the open editor asks a question, which nothing done elsewhere answers.
    pub(in crate::grid) fn has_question(&self) -> bool {
        self.editor.as_ref().is_some_and(Editor::has_question)
    }

    /// Returns the former index of the edited row if that row was removed.
    pub(in crate::grid) fn gap(&self, table: &Table<'_>) -> Option<usize> {
        let editor = self.editor.as_ref()?;
        editor.cursor.row.filter(|row| table.index_of(*row).is_none())?;
        Some(editor.last_row.index.min(table.len()))
    }

    /// Returns the edited row.
    pub(in crate::grid) fn row(&self) -> Option<RowId> {
        self.editor.as_ref().and_then(|editor| editor.cursor.row)
    }
}
