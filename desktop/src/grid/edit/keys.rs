//! Keys of the open editor.

use egui::{Event, Ui};
use shared::column::ColumnKind;

use super::{editor::Editor, picker::Picker};
use crate::{
    command::{self, ColumnCommand, Command, EditorCommand, Entry, GridCommand, Scope, Step, TakenKey},
    grid::view::GridView,
};

/// How the text is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// The cursor stays.
    Stay,
    /// To all selected cells; the cursor stays.
    ToSelection,
    /// Then the cursor moves. After Tabs, Enter returns to the column in which they began.
    Move(Step),
    /// Then the cursor leaves the cell, as if the editor had not been open.
    Leave(Step),
}

impl Commit {
    /// Whether it answers a question: Enter does, and no key that goes on to another cell.
    pub(super) fn answers(self) -> bool {
        matches!(self, Self::Move(Step::Down | Step::Up) | Self::ToSelection)
    }
}

/// The commands of a frame's keys.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) escape: bool,
    /// How the text is committed.
    pub(super) commit: Option<Commit>,
    /// Whether the key that commits is held down.
    pub(super) is_repeated: bool,
    /// Steps the number: true is up.
    pub(super) step: Option<bool>,
    /// Input that follows the key that closes the editor, and is not for it.
    pub(super) following: Vec<Event>,
}

impl Keys {
    /// Consumes the keys that the text field must not get.
    pub(super) fn consume(ui: &Ui, editor: &mut Editor, kind: &ColumnKind, view: &GridView<'_>) -> Self {
        ui.input_mut(|input| {
            let mut keys = Self::default();
            let typed_over = editor.typed_over;
            let others = |entry: &Entry| {
                entry.scope == Scope::Editor
                    && editor_command(&entry.command).is_some_and(|command| !closes(command))
            };
            for command in command::consume(input, others) {
                match editor_command(&command) {
                    Some(EditorCommand::OpenList) => {
                        editor.picker = Picker::for_kind(kind, &editor.text, view);
                    }
                    Some(EditorCommand::CloseList) => editor.picker = None,
                    Some(EditorCommand::StepNumber { up }) => keys.step = Some(up),
                    _ => {}
                }
            }
            if let Some(picker) = &mut editor.picker {
                let scope = picker.scope();
                for command in command::consume(input, |entry| entry.scope == scope) {
                    if let Some(EditorCommand::Pick(command)) = editor_command(&command) {
                        picker.execute(command, kind, &mut editor.text, view);
                    }
                }
            }
            // A key for the grid whose text could not be committed is not tried again.
            let may_search = editor.problem.is_none();
            let closing = |entry: &Entry| {
                editor_command(&entry.command).map_or(may_search && searches(&entry.command), |command| {
                    match command {
                        EditorCommand::Leave(_) => typed_over,
                        other => closes(other),
                    }
                })
            };
            let taken = command::take_first(&mut input.events, closing);
            if let Some(TakenKey { command, event, mut following, .. }) = taken {
                keys.is_repeated = matches!(event, Event::Key { repeat: true, .. });
                match editor_command(&command) {
                    None => {
                        // The grid gets the key once the text is committed.
                        keys.commit = Some(Commit::Stay);
                        following.insert(0, event);
                    }
                    Some(EditorCommand::Commit(step)) => keys.commit = Some(Commit::Move(step)),
                    Some(EditorCommand::Leave(step)) => keys.commit = Some(Commit::Leave(step)),
                    Some(EditorCommand::CommitToSelection) => keys.commit = Some(Commit::ToSelection),
                    _ => keys.escape = true,
                }
                keys.following = following;
            }
            keys
        })
    }
}

/// Returns the command of the open editor, if it is one.
fn editor_command(command: &Command) -> Option<EditorCommand> {
    match command {
        Command::Grid(GridCommand::Editor(command)) => Some(*command),
        _ => None,
    }
}

/// Whether a command of the grid leads to its fields for searching.
fn searches(command: &Command) -> bool {
    matches!(command, Command::Grid(GridCommand::Find | GridCommand::Column(ColumnCommand::Filter)))
}

fn closes(command: EditorCommand) -> bool {
    use EditorCommand as E;
    matches!(command, E::Commit(_) | E::CommitToSelection | E::Leave(_) | E::Discard)
}
