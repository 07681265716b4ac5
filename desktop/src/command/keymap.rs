//! From a pressed key to a command.

use egui::{Event, InputState, Key, Modifiers};

use super::{
    entry::{Entry, Scope},
    table::entries,
    window::Command,
};

/// Returns the command of a key in a scope.
pub fn matching(scope: Scope, key: Key, modifiers: Modifiers) -> Option<&'static Entry> {
    best(key, modifiers, &|entry| entry.scope == scope)
}

/// Returns the command of the first key of a scope that was pressed in a frame, and leaves the key in the
/// input.
pub fn pressed(input: &InputState, scope: Scope) -> Option<&'static Command> {
    input.events.iter().find_map(|event| match event {
        Event::Key { key, modifiers, pressed: true, .. } => {
            matching(scope, *key, *modifiers).map(|entry| &entry.command)
        }
        _ => None,
    })
}

/// Removes the keys of the wanted commands from the input. Returns the commands in the order in which the
/// keys were pressed.
pub fn consume(input: &mut InputState, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Command> {
    let mut commands = Vec::new();
    input.events.retain(|event| {
        let Event::Key { key, modifiers, pressed: true, .. } = event else { return true };
        let found = best(*key, *modifiers, &is_wanted);
        commands.extend(found.map(|entry| entry.command.clone()));
        found.is_none()
    });
    commands
}

/// Removes the characters that keys pressed with Alt type. Such keys open menus, except on macOS; Ctrl and
/// Alt together are AltGr on Windows.
pub fn remove_menu_characters(events: &mut Vec<Event>) {
    if cfg!(target_os = "macos") {
        return;
    }
    let mut is_menu_key = false;
    events.retain(|event| match event {
        Event::Key { pressed: true, modifiers, .. } => {
            is_menu_key = modifiers.alt && !modifiers.ctrl;
            true
        }
        Event::Text(_) => !is_menu_key,
        _ => true,
    });
}

/// A key that was taken from the events of a frame.
pub struct TakenKey {
    /// The command of the key.
    pub command: Command,
    /// The key.
    pub event: Event,
    /// Whether other keyboard input precedes it.
    pub follows_input: bool,
    /// The events that follow it. They are for the next frame, when the command has been executed.
    pub following: Vec<Event>,
}

/// Takes the first key of the wanted commands from the events of a frame, and all events that follow it. The
/// character of the key is not typed.
pub fn take_first(events: &mut Vec<Event>, is_wanted: impl Fn(&Entry) -> bool) -> Option<TakenKey> {
    let found = events.iter().enumerate().find_map(|(index, event)| match event {
        Event::Key { key, modifiers, pressed: true, .. } => {
            Some((index, best(*key, *modifiers, &is_wanted)?))
        }
        _ => None,
    });
    let (index, entry) = found?;
    let mut following = events.split_off(index + 1);
    let event = events.pop()?;
    if following.first().is_some_and(|next| is_character_of(&event, next)) {
        following.remove(0);
    }
    let follows_input = events.iter().any(is_typed);
    Some(TakenKey { command: entry.command.clone(), event, follows_input, following })
}

/// Whether an event is the text that a pressed key types.
fn is_character_of(pressed: &Event, next: &Event) -> bool {
    match (pressed, next) {
        (Event::Key { key, .. }, Event::Text(text)) => text == key.symbol_or_name(),
        _ => false,
    }
}

/// Whether an event is keyboard input.
fn is_typed(event: &Event) -> bool {
    match event {
        Event::Text(_) | Event::Paste(_) | Event::Copy | Event::Cut => true,
        Event::Key { pressed, .. } => *pressed,
        _ => false,
    }
}

/// Returns the command of a key. Shift is ignored unless it makes a shortcut of its own.
fn best(key: Key, modifiers: Modifiers, is_wanted: &dyn Fn(&Entry) -> bool) -> Option<&'static Entry> {
    let wanted = entries().iter().filter(|entry| is_wanted(entry));
    let accepted = wanted.flat_map(|entry| {
        let shortcuts = entry.shortcuts.iter().filter(move |shortcut| shortcut.accepts(key, modifiers));
        shortcuts.map(move |shortcut| (shortcut.modifiers.shift, entry))
    });
    accepted.max_by_key(|(has_shift, _)| *has_shift).map(|(_, entry)| entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_alt_types_nothing_and_other_keys_do() {
        let press =
            |key, modifiers| Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        let text = |text: &str| Event::Text(text.to_owned());
        let kept = |modifiers| {
            let mut events = vec![
                text("a"),
                press(Key::F, modifiers),
                text("f"),
                press(Key::G, Modifiers::NONE),
                text("g"),
            ];
            remove_menu_characters(&mut events);
            events.into_iter().filter(|event| matches!(event, Event::Text(_))).count()
        };
        let of_alt = if cfg!(target_os = "macos") { 3 } else { 2 };
        assert_eq!((kept(Modifiers::ALT), kept(Modifiers::SHIFT)), (of_alt, 3));
        assert_eq!(kept(Modifiers::ALT | Modifiers::CTRL), 3, "AltGr");
    }

    #[test]
    fn the_character_of_a_shortcut_is_not_typed_and_what_follows_is() {
        let press = |key| Event::Key {
            key,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: Modifiers::SHIFT,
        };
        let text = |text: &str| Event::Text(text.to_owned());
        let window = |entry: &Entry| entry.scope == Scope::WindowWithoutText;
        let mut events = vec![press(Key::Questionmark), text("?"), text("?"), text("x")];
        let taken = take_first(&mut events, window).unwrap();
        assert_eq!((taken.command, taken.following), (Command::ShowShortcuts, vec![text("?"), text("x")]));
        let mut events = vec![press(Key::Questionmark), text("7")];
        let taken = take_first(&mut events, window).unwrap();
        assert_eq!(taken.following, [text("7")], "the character of another key");
    }
}
