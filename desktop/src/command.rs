//! Commands: what a person can do, as data. Keys, menus and panels emit commands. `window::dispatch` executes
//! those about a window, its grid those about cells, and `AppState` the others.
//!
//! The table lists every command that has a title or a key. Keys, buttons, menus, dialogs, the command
//! palette and the help derive from it.

mod app;
mod entry;
mod grid;
mod help;
mod keymap;
mod menu;
mod rights;
mod shortcut;
mod table;
mod when;
mod window;

pub use self::{
    app::{AppCommand, Export},
    entry::{Entry, Scope},
    grid::{ColumnCommand, Confirmation, EditorCommand, GridCommand, PickerCommand, Step},
    help::{HelpRow, help_rows, markdown},
    keymap::{TakenKey, consume, matching, pressed, remove_menu_characters, take_first},
    menu::{menu_items, menu_keys, open_with_keys, release_keys, scroll_to_focus, scrolling_menu},
    rights::{OWNERS_ONLY, VIEW_ONLY, refusal_of_role},
    shortcut::Shortcut,
    table::{
        COPY_VALUES, DISMISS, GO_TO, OVERWRITE, RESTORE, RESTORE_COLUMN, RESTORE_EDIT, RESTORE_WATCHLIST,
        SHOW_HIDDEN_COLUMN, entries, entry_of,
    },
    when::{Conditions, When},
    window::{Command, DialogKind, Menu},
};
