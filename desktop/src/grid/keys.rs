//! Which key does what while no editor is open.

use egui::{Event, Key, Modifiers};

/// One step of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    /// To the edge of the data.
    Top,
    Bottom,
    RowStart,
    RowEnd,
    First,
    Last,
    /// To the next editable cell, wrapping.
    Next,
    Previous,
}

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Move the cursor.
    Move(Step),
    /// Open the editor with the caret at the end.
    Open,
    /// Open the editor with everything selected.
    OpenAll,
    /// Open the editor with this in place of the value.
    Type(String),
    /// Empty the cell.
    Clear,
    /// Step a number by its last decimal: true is up.
    Step(bool),
    /// A new row above.
    InsertAbove,
    /// A new row below.
    InsertBelow,
    /// Take the row away.
    RemoveRow,
    /// Take back the last edit.
    Undo,
    /// Make it again.
    Redo,
}

/// What an event asks for; `modifiers` are those held in its frame.
pub(super) fn command(event: &Event, modifiers: Modifiers) -> Option<Command> {
    match event {
        Event::Key { key, pressed: true, modifiers, .. } => of_key(*key, *modifiers),
        Event::Text(text) if !modifiers.command && !text.chars().any(char::is_control) && text != " " => {
            Some(Command::Type(text.clone()))
        }
        _ => None,
    }
}

/// Whether an event is typing, and not the pointer or the window.
pub(super) fn is_typed(event: &Event) -> bool {
    matches!(event, Event::Text(_) | Event::Key { .. } | Event::Paste(_))
}

/// Whether an arrow or Tab was pressed.
pub(super) fn navigates(events: &[Event]) -> bool {
    let moves = |key: &Key| {
        matches!(key, Key::ArrowUp | Key::ArrowDown | Key::ArrowLeft | Key::ArrowRight | Key::Tab)
    };
    events.iter().any(|event| matches!(event, Event::Key { key, pressed: true, .. } if moves(key)))
}

fn of_key(key: Key, modifiers: Modifiers) -> Option<Command> {
    let step = |step| Some(Command::Move(step));
    match (key, modifiers.command, modifiers.shift) {
        (Key::ArrowUp, false, _) => step(Step::Up),
        (Key::ArrowDown, false, _) => step(Step::Down),
        (Key::ArrowLeft, false, _) => step(Step::Left),
        (Key::ArrowRight, false, _) => step(Step::Right),
        (Key::ArrowUp, true, _) => step(Step::Top),
        (Key::ArrowDown, true, _) => step(Step::Bottom),
        (Key::ArrowLeft, true, _) => step(Step::RowStart),
        (Key::ArrowRight, true, _) => step(Step::RowEnd),
        (Key::Home, true, _) => step(Step::First),
        (Key::End, true, _) => step(Step::Last),
        (Key::Home, false, _) => step(Step::RowStart),
        (Key::End, false, _) => step(Step::RowEnd),
        (Key::PageUp, false, _) => step(Step::PageUp),
        (Key::PageDown, false, _) => step(Step::PageDown),
        (Key::Tab, false, false) => step(Step::Next),
        (Key::Tab, false, true) => step(Step::Previous),
        (Key::F2, ..) => Some(Command::Open),
        (Key::Enter, true, _) => Some(Command::InsertBelow),
        (Key::Enter, false, _) => Some(Command::OpenAll),
        (Key::Insert, false, _) => Some(Command::InsertAbove),
        (Key::Delete, true, _) => Some(Command::RemoveRow),
        (Key::Delete | Key::Backspace, false, _) => Some(Command::Clear),
        (Key::Space, false, _) => Some(Command::Type(" ".to_owned())),
        (Key::Z, true, false) => Some(Command::Undo),
        (Key::Z, true, true) | (Key::Y, true, _) => Some(Command::Redo),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(key: Key, modifiers: Modifiers) -> Option<Command> {
        let event = Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        command(&event, modifiers)
    }

    #[test]
    fn every_key_has_its_command() {
        use Step as S;
        let (none, ctrl, shift) = (Modifiers::NONE, Modifiers::COMMAND, Modifiers::SHIFT);
        for (key, modifiers, expected) in [
            (Key::Enter, none, Command::OpenAll),
            (Key::F2, none, Command::Open),
            (Key::Home, ctrl, Command::Move(S::First)),
            (Key::End, ctrl, Command::Move(S::Last)),
            (Key::Home, none, Command::Move(S::RowStart)),
            (Key::PageDown, none, Command::Move(S::PageDown)),
            (Key::Tab, none, Command::Move(S::Next)),
            (Key::Tab, shift, Command::Move(S::Previous)),
            (Key::ArrowDown, ctrl, Command::Move(S::Bottom)),
            (Key::Delete, none, Command::Clear),
            (Key::Backspace, none, Command::Clear),
            (Key::Delete, ctrl, Command::RemoveRow),
            (Key::Z, ctrl, Command::Undo),
            (Key::Z, ctrl | shift, Command::Redo),
        ] {
            assert_eq!(press(key, modifiers), Some(expected), "{key:?} {modifiers:?}");
        }
        assert_eq!(press(Key::Escape, none), None);
    }

    #[test]
    fn printable_text_is_typed_and_shortcuts_are_not() {
        let text = Event::Text("7".to_owned());
        assert_eq!(command(&text, Modifiers::NONE), Some(Command::Type("7".to_owned())));
        assert_eq!(command(&text, Modifiers::COMMAND), None);
    }
}
