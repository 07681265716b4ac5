//! Keys of the open editor.

use egui::{Key, Modifiers, Ui};
use shared::column::ColumnKind;

use super::{editor::Editor, picker::Picker};
use crate::{command::Step, grid::view::GridView};

/// What the keys of a frame ask for.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) escape: bool,
    /// Commits, then moves by this step if there is one.
    pub(super) commit: Option<Option<Step>>,
    /// Steps the number: true is up.
    pub(super) step: Option<bool>,
}

impl Keys {
    /// Consumes the keys that the text field must not get.
    pub(super) fn consume(ui: &Ui, editor: &mut Editor, kind: &ColumnKind, view: &GridView<'_>) -> Self {
        ui.input_mut(|input| {
            let escape = input.consume_key(Modifiers::NONE, Key::Escape);
            if input.consume_key(Modifiers::ALT, Key::ArrowDown) {
                editor.picker = Picker::for_kind(kind, &editor.text, view);
            }
            if input.consume_key(Modifiers::ALT, Key::ArrowUp) {
                editor.picker = None;
            }
            let step = if input.consume_key(Modifiers::COMMAND, Key::ArrowUp) {
                Some(true)
            } else if input.consume_key(Modifiers::COMMAND, Key::ArrowDown) {
                Some(false)
            } else {
                None
            };
            if let Some(picker) = &mut editor.picker {
                picker.consume_keys(input, kind, &mut editor.text, view);
            }
            let always = [
                (Modifiers::SHIFT, Key::Enter, Step::Up),
                (Modifiers::NONE, Key::Enter, Step::Down),
                (Modifiers::SHIFT, Key::Tab, Step::Previous),
                (Modifiers::NONE, Key::Tab, Step::Next),
            ];
            let arrows = [
                (Modifiers::NONE, Key::ArrowUp, Step::Up),
                (Modifiers::NONE, Key::ArrowDown, Step::Down),
                (Modifiers::NONE, Key::ArrowLeft, Step::Left),
                (Modifiers::NONE, Key::ArrowRight, Step::Right),
            ];
            let arrows = if editor.typed_over { &arrows[..] } else { &[] };
            let found =
                always.iter().chain(arrows).find(|(modifiers, key, _)| input.consume_key(*modifiers, *key));
            Self { escape, commit: found.map(|(_, _, step)| Some(*step)), step }
        })
    }
}
