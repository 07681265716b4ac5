//! An entry of the table of commands: a command with its titles, where its keys work, and when it can run.

use std::borrow::Cow;

use super::{
    grid::{ColumnCommand, EditorCommand, GridCommand, PickerCommand},
    shortcut::Shortcut,
    when::When,
    window::Command,
};

/// Where the keys of a command work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere, even in a dialog.
    Program,
    /// In a window, unless a dialog or a panel covers its grid.
    Window,
    /// In a window, unless a text field has focus or a dialog or a panel covers its grid.
    WindowWithoutText,
    /// In the grid, unless an editor is open.
    Grid,
    /// In the grid. The system turns the keys into clipboard events, which the grid handles.
    Clipboard,
    /// In the open editor of a cell.
    Editor,
    /// In the list of choices beside the open editor.
    List,
    /// In the calendar beside the open editor.
    Calendar,
    /// In the find bar.
    FindBar,
    /// In a field of the filter row.
    FilterRow,
}

impl Scope {
    /// Returns the name of the place that the help shows after a title; an empty string if the title says
    /// enough.
    pub fn place(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Calendar => "calendar",
            Self::FilterRow => "filter row",
            Self::Program
            | Self::Window
            | Self::WindowWithoutText
            | Self::Grid
            | Self::Clipboard
            | Self::Editor
            | Self::FindBar => "",
        }
    }
}

/// A command with its title, its keys and its condition.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The command.
    pub command: Command,
    /// Title in menus, in the command palette and in the help. Commands with the same title are one row of
    /// the help.
    pub title: &'static str,
    /// Title where the context is evident: in a submenu, on a button or as a heading.
    pub short: &'static str,
    /// Details for the help, or an empty string.
    pub description: Cow<'static, str>,
    /// Other words by which the command palette finds the command, or an empty string.
    pub also: &'static str,
    /// Keyboard shortcuts; menus show the first one.
    pub shortcuts: Vec<Shortcut>,
    /// What else runs the command, for the help, such as "double click"; or an empty string.
    pub gesture: &'static str,
    /// Where the shortcuts work.
    pub scope: Scope,
    /// When the command can run.
    pub when: When,
    /// Whether the command palette offers it.
    pub in_palette: bool,
}

impl Entry {
    /// Returns the first shortcut as people read it, or an empty string.
    pub fn key(&self) -> String {
        self.shortcuts.first().map(|shortcut| shortcut.label()).unwrap_or_default()
    }

    /// Returns the title of the dialog that the command opens.
    pub fn dialog_title(&self) -> &'static str {
        self.title.trim_end_matches('\u{2026}')
    }

    /// Returns the title with the first shortcut, for a button that shows neither.
    pub fn hint(&self) -> String {
        match self.key() {
            key if key.is_empty() => self.title.to_owned(),
            key => format!("{} ({key})", self.title),
        }
    }

    pub(super) fn short(self, short: &'static str) -> Self {
        Self { short, ..self }
    }

    pub(super) fn describe(self, description: impl Into<Cow<'static, str>>) -> Self {
        Self { description: description.into(), ..self }
    }

    pub(super) fn gesture(self, gesture: &'static str) -> Self {
        Self { gesture, ..self }
    }

    pub(super) fn also(self, also: &'static str) -> Self {
        Self { also, ..self }
    }

    pub(super) fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    pub(super) fn not_in_palette(self) -> Self {
        Self { in_palette: false, ..self }
    }
}

pub(super) fn in_scope<const N: usize>(
    scope: Scope,
    title: &'static str,
    shortcuts: [Shortcut; N],
    command: impl Into<Command>,
) -> Entry {
    Entry {
        command: command.into(),
        title,
        short: title,
        description: Cow::Borrowed(""),
        also: "",
        shortcuts: shortcuts.into(),
        gesture: "",
        scope,
        when: When::Always,
        in_palette: true,
    }
}

pub(super) fn on_grid<const N: usize>(
    title: &'static str,
    shortcuts: [Shortcut; N],
    command: impl Into<Command>,
) -> Entry {
    in_scope(Scope::Grid, title, shortcuts, command).when(When::List)
}

pub(super) fn on_clipboard<const N: usize>(
    title: &'static str,
    shortcuts: [Shortcut; N],
    command: GridCommand,
) -> Entry {
    in_scope(Scope::Clipboard, title, shortcuts, command).when(When::List)
}

pub(super) fn on_row<const N: usize>(
    title: &'static str,
    shortcuts: [Shortcut; N],
    command: GridCommand,
) -> Entry {
    on_grid(title, shortcuts, command).when(When::Row)
}

pub(super) fn on_column<const N: usize>(
    title: &'static str,
    shortcuts: [Shortcut; N],
    command: ColumnCommand,
) -> Entry {
    on_grid(title, shortcuts, command).when(When::Column)
}

pub(super) fn in_editor<const N: usize>(
    title: &'static str,
    shortcuts: [Shortcut; N],
    command: EditorCommand,
) -> Entry {
    in_scope(Scope::Editor, title, shortcuts, GridCommand::Editor(command)).not_in_palette()
}

pub(super) fn in_window<const N: usize>(
    title: &'static str,
    shortcuts: [Shortcut; N],
    command: impl Into<Command>,
) -> Entry {
    in_scope(Scope::Window, title, shortcuts, command)
}

/// Returns the entry of a command of the list or the calendar beside the open editor.
pub(super) fn in_picker<const N: usize>(
    scope: Scope,
    title: &'static str,
    shortcuts: [Shortcut; N],
    command: PickerCommand,
) -> Entry {
    in_scope(scope, title, shortcuts, GridCommand::Editor(EditorCommand::Pick(command))).not_in_palette()
}

/// Returns the entry of a command of a text field above the rows.
pub(super) fn in_field<const N: usize>(
    scope: Scope,
    title: &'static str,
    shortcuts: [Shortcut; N],
    command: GridCommand,
) -> Entry {
    in_scope(scope, title, shortcuts, command).not_in_palette()
}
