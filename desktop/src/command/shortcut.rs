//! Keyboard shortcuts.

use egui::{Key, Modifiers};

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortcut {
    /// The modifiers. `command` is Ctrl, on macOS Cmd.
    pub modifiers: Modifiers,
    /// The key.
    pub key: Key,
}

const ARROWS: [Key; 4] = [Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight];

/// Returns the shortcut of a key alone.
pub(super) fn plain(key: Key) -> Shortcut {
    Shortcut { modifiers: Modifiers::NONE, key }
}

/// Returns the shortcut of a key with Shift.
pub(super) fn shift(key: Key) -> Shortcut {
    Shortcut { modifiers: Modifiers::SHIFT, key }
}

/// Returns the shortcut of a key with Alt.
pub(super) fn alt(key: Key) -> Shortcut {
    Shortcut { modifiers: Modifiers::ALT, key }
}

/// Returns the shortcut of a letter with Alt. On macOS, where such keys type characters, it also takes Cmd.
pub(super) fn alt_letter(key: Key) -> Shortcut {
    let command = if cfg!(target_os = "macos") { Modifiers::COMMAND } else { Modifiers::NONE };
    Shortcut { modifiers: Modifiers::ALT | command, key }
}

/// Returns the shortcut of a key with Alt and Shift.
pub(super) fn alt_shift(key: Key) -> Shortcut {
    Shortcut { modifiers: Modifiers::ALT | Modifiers::SHIFT, key }
}

/// Returns the shortcut of a key with Ctrl, on macOS Cmd.
pub(super) fn ctrl(key: Key) -> Shortcut {
    Shortcut { modifiers: Modifiers::COMMAND, key }
}

/// Returns the shortcut of a key with Ctrl and Shift.
pub(super) fn ctrl_shift(key: Key) -> Shortcut {
    Shortcut { modifiers: Modifiers::COMMAND | Modifiers::SHIFT, key }
}

impl Shortcut {
    /// Whether a pressed key is this shortcut, or this shortcut with Shift. A function key with Shift is
    /// another key.
    pub(super) fn accepts(self, key: Key, modifiers: Modifiers) -> bool {
        let own = self.modifiers;
        self.key == key
            && own.command == modifiers.command
            && own.alt == modifiers.alt
            && (modifiers.shift == own.shift || modifiers.shift && !is_function_key(key))
    }

    /// Returns the shortcut as people read it, such as "Ctrl+Shift+Enter".
    pub fn label(self) -> String {
        format!("{}{}", modifiers_label(self.modifiers), key_label(self.key))
    }
}

/// Returns several shortcuts as people read them. Four arrow keys with the same modifiers are called
/// "arrows".
pub(super) fn labels(shortcuts: &[Shortcut]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for shortcut in shortcuts {
        let has = |key: &Key| shortcuts.contains(&Shortcut { key: *key, ..*shortcut });
        let label = if ARROWS.contains(&shortcut.key) && ARROWS.iter().all(has) {
            format!("{}arrows", modifiers_label(shortcut.modifiers))
        } else {
            shortcut.label()
        };
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// Returns modifiers as people read them before a key, such as "Ctrl+Shift+".
pub(super) fn modifiers_label(modifiers: Modifiers) -> String {
    let command = if cfg!(target_os = "macos") { "Cmd+" } else { "Ctrl+" };
    let parts = [(modifiers.command, command), (modifiers.alt, "Alt+"), (modifiers.shift, "Shift+")];
    parts.into_iter().filter_map(|(is_on, label)| is_on.then_some(label)).collect()
}

fn is_function_key(key: Key) -> bool {
    let number = key.name().strip_prefix('F');
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn key_label(key: Key) -> &'static str {
    match key {
        Key::ArrowUp => "Up",
        Key::ArrowDown => "Down",
        Key::ArrowLeft => "Left",
        Key::ArrowRight => "Right",
        Key::PageUp => "PgUp",
        Key::PageDown => "PgDn",
        Key::Escape => "Esc",
        Key::Minus => "\u{2212}",
        other => other.symbol_or_name(),
    }
}
