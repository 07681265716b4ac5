//! Keyboard events as grid commands.

use egui::{Event, Key, Modifiers};

use crate::command::{self, Command, GridCommand, Scope};

/// Returns the command of an event; `modifiers` are those pressed in its frame.
pub(super) fn command_for_event(event: &Event, modifiers: Modifiers) -> Option<Command> {
    match event {
        Event::Key { key, pressed: true, modifiers, .. } => {
            command::matching(Scope::Grid, *key, *modifiers).map(|entry| entry.command.clone())
        }
        Event::Copy => Some(GridCommand::Copy.into()),
        Event::Cut => Some(GridCommand::Cut.into()),
        Event::Paste(text) => Some(GridCommand::Paste(text.clone()).into()),
        // A space is a key of its own.
        Event::Text(text) if types_text(modifiers) && !text.chars().any(char::is_control) && text != " " => {
            Some(GridCommand::Type(text.clone()).into())
        }
        _ => None,
    }
}

/// Whether characters are typed with these modifiers. Ctrl and Alt together are AltGr on Windows, and Alt
/// types characters on macOS.
fn types_text(modifiers: Modifiers) -> bool {
    let is_menu_key = modifiers.alt && !modifiers.ctrl && !cfg!(target_os = "macos");
    !is_menu_key && (!modifiers.command || modifiers.alt)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Step;

    fn press(key: Key, modifiers: Modifiers) -> Option<Command> {
        let event = Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        command_for_event(&event, modifiers)
    }

    #[test]
    fn keys_map_to_commands() {
        use GridCommand as G;
        use Step as S;
        let (none, ctrl, shift, alt) =
            (Modifiers::NONE, Modifiers::COMMAND, Modifiers::SHIFT, Modifiers::ALT);
        for (key, modifiers, expected) in [
            (Key::Enter, none, G::OpenAll),
            (Key::Enter, shift, G::OpenAll),
            (Key::F2, none, G::Open),
            (Key::F2, shift, G::History),
            (Key::Insert, alt, G::InsertBelow),
            (Key::Enter, ctrl | shift, G::InsertSection),
            (Key::Home, ctrl, G::Move(S::First)),
            (Key::End, ctrl, G::Move(S::Last)),
            (Key::Home, none, G::Move(S::RowStart)),
            (Key::PageDown, none, G::Move(S::PageDown)),
            (Key::PageDown, shift, G::Extend(S::PageDown)),
            (Key::Tab, none, G::Move(S::Next)),
            (Key::Tab, shift, G::Move(S::Previous)),
            (Key::ArrowDown, ctrl, G::Move(S::Bottom)),
            (Key::ArrowDown, ctrl | shift, G::Extend(S::Bottom)),
            (Key::Home, ctrl | shift, G::Extend(S::First)),
            (Key::ArrowDown, alt, G::OpenList),
            (Key::ArrowUp, alt | shift, G::MoveRows { up: true }),
            (Key::Delete, none, G::Clear),
            (Key::Backspace, shift, G::Clear),
            (Key::Delete, ctrl, G::RemoveRows),
            (Key::A, ctrl, G::SelectAll),
            (Key::Space, none, G::Type(" ".to_owned())),
            (Key::Space, shift, G::SelectRows),
            (Key::D, ctrl, G::FillDown),
            (Key::R, ctrl, G::FillRight),
            (Key::F3, shift, G::FindAdjacent { is_next: false }),
            (Key::Escape, none, G::Escape),
        ] {
            assert_eq!(press(key, modifiers), Some(expected.into()), "{key:?} {modifiers:?}");
        }
        assert_eq!(press(Key::Z, ctrl), Some(Command::Undo));
        assert_eq!(press(Key::Z, ctrl | shift), Some(Command::Redo));
        assert_eq!(press(Key::ArrowUp, alt), None);
        assert_eq!(press(Key::F9, none), None);
    }

    #[test]
    fn printable_text_opens_the_editor_and_shortcuts_do_not() {
        let text = Event::Text("7".to_owned());
        let typed = GridCommand::Type("7".to_owned());
        assert_eq!(command_for_event(&text, Modifiers::NONE), Some(typed.into()));
        for shortcut in [Modifiers::COMMAND, Modifiers::ALT] {
            assert_eq!(command_for_event(&text, shortcut), None, "{shortcut:?}");
        }
        let pasted = GridCommand::Paste("7".to_owned());
        let paste = Event::Paste("7".to_owned());
        assert_eq!(command_for_event(&paste, Modifiers::COMMAND), Some(pasted.into()));
    }
}
