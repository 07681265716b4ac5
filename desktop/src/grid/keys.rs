//! Key bindings of the grid while no editor is open.

use egui::{Event, Key, Modifiers};

use crate::command::{Command, Step};

/// Returns the command of an event; `modifiers` are those pressed in its frame.
pub(super) fn command_for_event(event: &Event, modifiers: Modifiers) -> Option<Command> {
    match event {
        Event::Key { key, pressed: true, modifiers, .. } => command_for_key(*key, *modifiers),
        Event::Copy => Some(Command::Copy),
        Event::Cut => Some(Command::Cut),
        Event::Paste(text) => Some(Command::Paste(text.clone())),
        Event::Text(text) if !modifiers.command && !text.chars().any(char::is_control) && text != " " => {
            Some(Command::Type(text.clone()))
        }
        _ => None,
    }
}

/// Whether an event is keyboard input or pasted text.
pub(super) fn is_keyboard_input(event: &Event) -> bool {
    matches!(event, Event::Text(_) | Event::Key { .. } | Event::Paste(_))
}

/// Whether an arrow key or Tab was pressed.
pub(super) fn has_navigation_key(events: &[Event]) -> bool {
    let moves = |key: &Key| {
        matches!(key, Key::ArrowUp | Key::ArrowDown | Key::ArrowLeft | Key::ArrowRight | Key::Tab)
    };
    events.iter().any(|event| matches!(event, Event::Key { key, pressed: true, .. } if moves(key)))
}

fn command_for_key(key: Key, modifiers: Modifiers) -> Option<Command> {
    let Modifiers { command, shift, alt, .. } = modifiers;
    if let Some(step) = step_for_key(key, command).filter(|_| !alt) {
        return Some(if shift { Command::Extend(step) } else { Command::Move(step) });
    }
    match (key, command, shift, alt) {
        (Key::Tab, false, false, _) => Some(Command::Move(Step::Next)),
        (Key::Tab, false, true, _) => Some(Command::Move(Step::Previous)),
        (Key::ArrowDown, false, false, true) => Some(Command::OpenList),
        (Key::ArrowUp, false, true, true) => Some(Command::MoveRows(true)),
        (Key::ArrowDown, false, true, true) => Some(Command::MoveRows(false)),
        (Key::F2, _, true, _) => Some(Command::History),
        (Key::F2, ..) => Some(Command::Open),
        (Key::F3, _, back, _) => Some(Command::FindNext(!back)),
        (Key::F5, ..) => Some(Command::SortAgain),
        (Key::Escape, ..) => Some(Command::Escape),
        (Key::Enter, true, true, _) => Some(Command::InsertSection),
        (Key::Enter, true, false, _) => Some(Command::InsertBelow),
        (Key::Enter, false, ..) => Some(Command::OpenAll),
        (Key::Insert, false, ..) => Some(Command::InsertAbove),
        (Key::Delete, true, ..) => Some(Command::RemoveRows),
        (Key::Delete | Key::Backspace, false, ..) => Some(Command::Clear),
        (Key::Space, true, ..) => Some(Command::SelectColumns),
        (Key::Space, false, true, _) => Some(Command::SelectRows),
        (Key::Space, false, false, _) => Some(Command::Type(" ".to_owned())),
        (Key::A, true, ..) => Some(Command::SelectAll),
        (Key::D, true, false, _) => Some(Command::FillDown),
        (Key::D, true, true, _) => Some(Command::Duplicate),
        (Key::R, true, ..) => Some(Command::FillRight),
        (Key::F, true, ..) => Some(Command::Find),
        (Key::L, true, true, _) => Some(Command::Filters),
        (Key::S, true, true, beside) => Some(Command::Sort(beside)),
        (Key::Z, true, false, _) => Some(Command::Undo),
        (Key::Z, true, true, _) | (Key::Y, true, ..) => Some(Command::Redo),
        _ => None,
    }
}

fn step_for_key(key: Key, command: bool) -> Option<Step> {
    Some(match (key, command) {
        (Key::ArrowUp, false) => Step::Up,
        (Key::ArrowDown, false) => Step::Down,
        (Key::ArrowLeft, false) => Step::Left,
        (Key::ArrowRight, false) => Step::Right,
        (Key::ArrowUp, true) => Step::Top,
        (Key::ArrowDown, true) => Step::Bottom,
        (Key::ArrowLeft, true) => Step::FarLeft,
        (Key::ArrowRight, true) => Step::FarRight,
        (Key::Home, true) => Step::First,
        (Key::End, true) => Step::Last,
        (Key::Home, false) => Step::RowStart,
        (Key::End, false) => Step::RowEnd,
        (Key::PageUp, false) => Step::PageUp,
        (Key::PageDown, false) => Step::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(key: Key, modifiers: Modifiers) -> Option<Command> {
        let event = Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        command_for_event(&event, modifiers)
    }

    #[test]
    fn keys_map_to_commands() {
        use Step as S;
        let (none, ctrl, shift, alt) =
            (Modifiers::NONE, Modifiers::COMMAND, Modifiers::SHIFT, Modifiers::ALT);
        for (key, modifiers, expected) in [
            (Key::Enter, none, Command::OpenAll),
            (Key::F2, none, Command::Open),
            (Key::F2, shift, Command::History),
            (Key::Enter, ctrl, Command::InsertBelow),
            (Key::Enter, ctrl | shift, Command::InsertSection),
            (Key::Home, ctrl, Command::Move(S::First)),
            (Key::End, ctrl, Command::Move(S::Last)),
            (Key::Home, none, Command::Move(S::RowStart)),
            (Key::PageDown, none, Command::Move(S::PageDown)),
            (Key::PageDown, shift, Command::Extend(S::PageDown)),
            (Key::Tab, none, Command::Move(S::Next)),
            (Key::Tab, shift, Command::Move(S::Previous)),
            (Key::ArrowDown, ctrl, Command::Move(S::Bottom)),
            (Key::ArrowDown, ctrl | shift, Command::Extend(S::Bottom)),
            (Key::ArrowDown, alt, Command::OpenList),
            (Key::ArrowUp, alt | shift, Command::MoveRows(true)),
            (Key::Delete, none, Command::Clear),
            (Key::Backspace, none, Command::Clear),
            (Key::Delete, ctrl, Command::RemoveRows),
            (Key::A, ctrl, Command::SelectAll),
            (Key::Space, shift, Command::SelectRows),
            (Key::D, ctrl, Command::FillDown),
            (Key::R, ctrl, Command::FillRight),
            (Key::Z, ctrl, Command::Undo),
            (Key::Z, ctrl | shift, Command::Redo),
            (Key::Escape, none, Command::Escape),
        ] {
            assert_eq!(press(key, modifiers), Some(expected), "{key:?} {modifiers:?}");
        }
        assert_eq!(press(Key::F9, none), None);
    }

    #[test]
    fn printable_text_opens_the_editor_and_shortcuts_do_not() {
        let text = Event::Text("7".to_owned());
        assert_eq!(command_for_event(&text, Modifiers::NONE), Some(Command::Type("7".to_owned())));
        assert_eq!(command_for_event(&text, Modifiers::COMMAND), None);
        assert_eq!(
            command_for_event(&Event::Paste("7".to_owned()), Modifiers::COMMAND),
            Some(Command::Paste("7".into()))
        );
    }
}
