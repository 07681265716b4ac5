//! From a pressed key to a command.

use egui::{Event, InputState, Key, Modifiers};

use super::{
    table::{Entry, Scope, entries},
    window::Command,
};

/// Returns the command of a key in a scope.
pub fn matching(scope: Scope, key: Key, modifiers: Modifiers) -> Option<&'static Entry> {
    best(key, modifiers, &|entry| entry.scope == scope)
}

/// Removes the keys of the wanted commands from the input. Returns the commands in the order in which the keys were pressed.
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

/// Returns the command of a key. Shift is ignored unless it makes a shortcut of its own.
fn best(key: Key, modifiers: Modifiers, is_wanted: &dyn Fn(&Entry) -> bool) -> Option<&'static Entry> {
    let wanted = entries().iter().filter(|entry| is_wanted(entry));
    let accepted = wanted.flat_map(|entry| {
        let shortcuts = entry.shortcuts.iter().filter(move |shortcut| shortcut.accepts(key, modifiers));
        shortcuts.map(move |shortcut| (shortcut.modifiers.shift, entry))
    });
    accepted.max_by_key(|(has_shift, _)| *has_shift).map(|(_, entry)| entry)
}
