//! Keys of the open editor.

use egui::{Event, Ui};
use shared::column::ColumnKind;

use super::{editor::Editor, picker::Picker};
use crate::{
    command::{self, Command, EditorCommand, Entry, GridCommand, Scope, Step, TakenKey},
    grid::view::GridView,
};

/// The commands of a frame's keys.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) escape: bool,
    /// Commits, then moves by this step if there is one.
    pub(super) commit: Option<Option<Step>>,
    /// Steps the number: true is up.
    pub(super) step: Option<bool>,
    /// Whether a key closes the editor.
    pub(super) closes: bool,
    /// Input that follows the key that closes the editor, and is not for it.
    pub(super) following: Vec<Event>,
}

impl Keys {
    /// Consumes the keys that the text field must not get.
    pub(super) fn consume(ui: &Ui, editor: &mut Editor, kind: &ColumnKind, view: &GridView<'_>) -> Self {
        ui.input_mut(|input| {
            let mut keys = Self::default();
            let typed_over = editor.typed_over;
            for command in command::consume(input, |entry| is_of_editor(entry) && !closes_editor(entry)) {
                match command {
                    Command::Grid(GridCommand::Editor(EditorCommand::OpenList)) => {
                        editor.picker = Picker::for_kind(kind, &editor.text, view);
                    }
                    Command::Grid(GridCommand::Editor(EditorCommand::CloseList)) => editor.picker = None,
                    Command::Grid(GridCommand::Editor(EditorCommand::StepNumber(up))) => keys.step = Some(up),
                    _ => {}
                }
            }
            if let Some(picker) = &mut editor.picker {
                picker.consume_keys(input, kind, &mut editor.text, view);
            }
            let closing = command::take_first(&mut input.events, |entry| {
                is_of_editor(entry) && closes_editor(entry) && (typed_over || !leaves_editor(entry))
            });
            if let Some(TakenKey { command, following, .. }) = closing {
                match command {
                    Command::Grid(GridCommand::Editor(EditorCommand::Discard)) => keys.escape = true,
                    Command::Grid(GridCommand::Editor(
                        EditorCommand::Commit(step) | EditorCommand::Leave(step),
                    )) => {
                        keys.commit = Some(Some(step));
                    }
                    _ => {}
                }
                keys.closes = true;
                keys.following = following;
            }
            keys
        })
    }
}

fn is_of_editor(entry: &Entry) -> bool {
    entry.scope == Scope::Editor
}

fn closes_editor(entry: &Entry) -> bool {
    let is_closing = |command| {
        matches!(command, EditorCommand::Commit(_) | EditorCommand::Leave(_) | EditorCommand::Discard)
    };
    matches!(entry.command, Command::Grid(GridCommand::Editor(command)) if is_closing(command))
}

fn leaves_editor(entry: &Entry) -> bool {
    matches!(entry.command, Command::Grid(GridCommand::Editor(EditorCommand::Leave(_))))
}
