//! The commands with their shortcuts, shown as the command palette (Ctrl+K) and the shortcut table (F1).

use egui::{Id, Key, Modal, RichText, ScrollArea, TextEdit, Ui};

use shared::edit::{Change, ColumnRef};

use super::view::WindowView;
use crate::{
    action::{Action, DialogKind, WindowAction},
    command::{self, Step},
    follow::Group,
    grid::config::Density,
    settings::{GlowChoice, Motion},
    state::AppState,
    theme::{self, ThemeChoice},
};

/// An entry of the command palette.
pub struct Command {
    /// Title shown in the palette.
    pub title: String,
    /// Keyboard shortcuts, or an empty string.
    pub keys: &'static str,
    action: WindowAction,
}

/// State of the open command palette.
pub struct Search {
    text: String,
    selected: usize,
    is_new: bool,
}

impl Search {
    /// Creates a palette with an empty query.
    pub fn new() -> Self {
        Self { text: String::new(), selected: 0, is_new: true }
    }
}

impl Default for Search {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns every command available in a window, in palette order.
pub fn available_commands(window: &WindowView<'_>, state: &AppState) -> Vec<Command> {
    let mut commands = grid_commands();
    commands.extend(window_commands(window, state));
    commands
}

fn grid_commands() -> Vec<Command> {
    use command::{ColumnCommand as C, Command as G};
    let grid = [
        ("Edit cell", "Enter, F2", G::Open),
        ("Clear selected cells", "Delete", G::Clear),
        ("Copy", "Ctrl+C", G::Copy),
        ("Cut", "Ctrl+X", G::Cut),
        ("Paste", "Ctrl+V", G::RequestPaste),
        ("Fill down", "Ctrl+D", G::FillDown),
        ("Fill right", "Ctrl+R", G::FillRight),
        ("Undo", "Ctrl+Z", G::Undo),
        ("Redo", "Ctrl+Shift+Z, Ctrl+Y", G::Redo),
        ("Insert row above", "Insert", G::InsertAbove),
        ("Insert row below", "Ctrl+Enter", G::InsertBelow),
        ("Insert section above", "Ctrl+Shift+Enter", G::InsertSection),
        ("Duplicate selected rows", "Ctrl+Shift+D", G::Duplicate),
        ("Move selected rows up", "Alt+Shift+Up", G::MoveRows(true)),
        ("Move selected rows down", "Alt+Shift+Down", G::MoveRows(false)),
        ("Remove selected rows", "Ctrl+Delete", G::RemoveRows),
        ("Select all", "Ctrl+A", G::SelectAll),
        ("Select entire rows", "Shift+Space", G::SelectRows),
        ("Select entire columns", "Ctrl+Space", G::SelectColumns),
        ("Go to first cell", "Ctrl+Home", G::Move(Step::First)),
        ("Go to last cell", "Ctrl+End", G::Move(Step::Last)),
        ("Sort by this column", "Ctrl+Shift+S", G::Sort(false)),
        ("Add this column to the sort", "Ctrl+Alt+Shift+S", G::Sort(true)),
        ("Sort again", "F5", G::SortAgain),
        ("Hide column", "", G::Column(C::Hide)),
        ("Show hidden columns", "", G::Column(C::ShowAll)),
        ("Freeze columns up to this one", "", G::Column(C::Freeze)),
        ("Freeze only the first column", "", G::Column(C::FreezeFirst)),
        ("Fit column to content", "", G::Column(C::Fit)),
        ("Widen column", "", G::Column(C::Width(true))),
        ("Narrow column", "", G::Column(C::Width(false))),
        ("Move column left", "", G::Column(C::Move(false))),
        ("Move column right", "", G::Column(C::Move(true))),
        ("More decimals", "", G::Column(C::Decimals(true))),
        ("Fewer decimals", "", G::Column(C::Decimals(false))),
        ("Show or hide sparkline", "", G::Column(C::Trend)),
        ("Add column\u{2026}", "", G::Column(C::Add)),
        ("Rename column\u{2026}", "", G::Column(C::Rename)),
        ("Remove column for everyone", "", G::Column(C::Remove)),
        ("Show recent changes", "Shift+F2", G::History),
        ("Show cell history", "", G::ShowHistory),
        ("Open list or calendar", "Alt+Down", G::OpenList),
        ("Filter rows", "Ctrl+Shift+L", G::Filters),
        ("Find", "Ctrl+F", G::Find),
        ("Find next", "F3", G::FindNext(true)),
        ("Find previous", "Shift+F3", G::FindNext(false)),
    ];
    let of = |(title, keys, command): (&str, _, _)| Command {
        title: title.to_owned(),
        keys,
        action: WindowAction::Grid(command),
    };
    grid.into_iter().map(of).collect()
}

fn window_commands(window: &WindowView<'_>, state: &AppState) -> Vec<Command> {
    let plain = |title: &str, keys, action| Command { title: title.to_owned(), keys, action };
    let mut commands = vec![
        plain("New window", "Ctrl+N", WindowAction::OpenWindow),
        plain("Show or hide history", "Ctrl+H", WindowAction::ToggleHistory),
        plain("New watchlist\u{2026}", "", WindowAction::OpenDialog(DialogKind::NewWatchlist)),
        plain("Import CSV file\u{2026}", "", WindowAction::OpenDialog(DialogKind::Import)),
        plain("Pause live sorting", "", WindowAction::PauseSort(true)),
        plain("Resume live sorting", "", WindowAction::PauseSort(false)),
        plain("Next watchlist", "Ctrl+PgDn, Ctrl+Tab", WindowAction::ShowAdjacent { is_next: true }),
        plain(
            "Previous watchlist",
            "Ctrl+PgUp, Ctrl+Shift+Tab",
            WindowAction::ShowAdjacent { is_next: false },
        ),
        match window.on_top {
            false => plain("Keep this window on top", "", WindowAction::SetOnTop(true)),
            true => plain("Do not keep this window on top", "", WindowAction::SetOnTop(false)),
        },
        plain("Compact rows", "", WindowAction::SetDensity(Density::Compact)),
        plain("Comfortable rows", "", WindowAction::SetDensity(Density::Comfortable)),
        plain("Zoom in", "Ctrl++", WindowAction::Zoom(0.1)),
        plain("Zoom out", "Ctrl+\u{2212}", WindowAction::Zoom(-0.1)),
        plain("Dark theme", "", WindowAction::Shared(Action::SetTheme(ThemeChoice::Dark))),
        plain("Light theme", "", WindowAction::Shared(Action::SetTheme(ThemeChoice::Light))),
        plain("System theme", "", WindowAction::Shared(Action::SetTheme(ThemeChoice::System))),
        plain(
            "Toggle colour-blind palette",
            "",
            WindowAction::Shared(Action::SetColourBlind(!state.preferences().colour_blind)),
        ),
        plain("Quit and restore windows next time", "Ctrl+Q", WindowAction::from(Action::Quit)),
        plain("Reconnect now", "", WindowAction::Shared(Action::Reconnect)),
        plain("Keyboard shortcuts", "F1, ?", WindowAction::ShowShortcuts),
    ];
    commands.extend(glow_choices(state.preferences().glow).into_iter().map(|(title, choice)| {
        let action = WindowAction::Shared(Action::SetGlow(choice));
        Command { title: format!("Glow: {}", title.to_lowercase()), keys: "", action }
    }));
    for (group, name) in Group::ALL {
        if window.group == Some(group) {
            commands.push(plain("Unlink this window", "", WindowAction::Link(None)));
        } else {
            let title = format!("Link this window to group {}", name.to_lowercase());
            commands.push(Command { title, keys: "", action: WindowAction::Link(Some(group)) });
        }
    }
    if let Some(list) = window.list {
        commands.push(plain(
            "Rename watchlist\u{2026}",
            "",
            WindowAction::OpenDialog(DialogKind::Rename(list)),
        ));
        commands.push(plain("Delete watchlist", "", WindowAction::Shared(Action::Delete(list))));
        let watchlist = state.store.watchlist(list);
        for entry in watchlist.into_iter().flat_map(|watchlist| watchlist.columns().iter()) {
            if entry.column.removed {
                let changes = vec![Change::RestoreColumn(ColumnRef { key: entry.column.key.clone() })];
                let action = WindowAction::Shared(Action::Edit { watchlist: list, changes });
                let title = format!("Restore column {}", entry.column.title);
                commands.push(Command { title, keys: "", action });
            }
        }
    }
    for summary in state.store.replica().summaries().unwrap_or_default() {
        let title = format!("Go to {}", summary.name);
        let action = WindowAction::Show(summary.watchlist);
        commands.push(Command { title, keys: "", action });
    }
    for deleted in state.store.deleted() {
        let title = format!("Restore watchlist {}", deleted.name);
        let action = WindowAction::Shared(Action::Restore(deleted.watchlist));
        commands.push(Command { title, keys: "", action });
    }
    commands
}

/// Draws the command palette. Returns it if it stays open, or the action of the selected command.
pub fn show_search(
    ui: &Ui,
    mut search: Search,
    window: &WindowView<'_>,
    state: &AppState,
) -> (Option<Search>, Option<WindowAction>) {
    let needle = search.text.to_lowercase();
    let is_match =
        |command: &Command| needle.split_whitespace().all(|word| command.title.to_lowercase().contains(word));
    let mut found: Vec<Command> = available_commands(window, state).into_iter().filter(is_match).collect();
    search.selected = search.selected.min(found.len().saturating_sub(1));
    let mut run = None;
    let modal = Modal::new(Id::unique("commands"))
        .frame(egui::Frame::popup(&ui.global_style()).inner_margin(12))
        .show(ui, |ui| {
            ui.set_width(440.0);
            let (up, down, enter) = ui.input_mut(|input| {
                let mut take = |key| input.consume_key(egui::Modifiers::NONE, key);
                (take(Key::ArrowUp), take(Key::ArrowDown), take(Key::Enter))
            });
            let field = TextEdit::singleline(&mut search.text)
                .hint_text("Type a command")
                .desired_width(f32::INFINITY);
            let response = ui.add(field);
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("Command"));
            if std::mem::take(&mut search.is_new) || !response.has_focus() {
                response.request_focus();
            }
            if response.changed() {
                search.selected = 0;
            }
            if down {
                search.selected = (search.selected + 1).min(found.len().saturating_sub(1));
            } else if up {
                search.selected = search.selected.saturating_sub(1);
            }
            ScrollArea::vertical()
                .max_height(320.0)
                .min_scrolled_height(320.0)
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    for (index, command) in found.iter().enumerate() {
                        let button = egui::Button::selectable(index == search.selected, &command.title)
                            .shortcut_text(command.keys)
                            .min_size(egui::vec2(ui.available_width(), 0.0));
                        let response = ui.add(button);
                        if index == search.selected && (up || down) {
                            response.scroll_to_me(None);
                        }
                        if response.clicked() || enter && index == search.selected {
                            run = Some(index);
                        }
                    }
                    if found.is_empty() {
                        ui.label(RichText::new("No matching command").font(theme::small()));
                    }
                });
        });
    match run {
        Some(index) => (None, Some(found.swap_remove(index).action)),
        None => ((!modal.should_close()).then_some(search), None),
    }
}

/// Returns the menu titles of the glow settings, each with the setting that it would produce from `present`.
pub fn glow_choices(present: GlowChoice) -> Vec<(String, GlowChoice)> {
    let seconds = [0.0, 1.0, 2.0, 5.0, 10.0].map(|seconds| {
        let title = if seconds == 0.0 { "Off".to_owned() } else { format!("{seconds} s") };
        (title, GlowChoice { seconds, ..present })
    });
    let others = [
        ("Highlight row", GlowChoice { cell_only: false, ..present }),
        ("Highlight cell only", GlowChoice { cell_only: true, ..present }),
        ("Follow system motion setting", GlowChoice { motion: Motion::System, ..present }),
        ("Always fade", GlowChoice { motion: Motion::Fade, ..present }),
        ("Never fade", GlowChoice { motion: Motion::Still, ..present }),
    ];
    seconds.into_iter().chain(others.map(|(title, choice)| (title.to_owned(), choice))).collect()
}

/// Draws the table of keyboard shortcuts. Returns whether it stays open.
pub fn show_keys(ui: &Ui, window: &WindowView<'_>, state: &AppState) -> bool {
    let more = [
        ("Replace the value", "any printable key"),
        ("Commit and move down, up", "Enter, Shift+Enter"),
        ("Commit and move to the next, previous editable cell", "Tab, Shift+Tab"),
        ("Discard the edit", "Esc"),
        ("Toggle checkbox", "Space"),
        ("Step the edited number by its last decimal", "Ctrl+Up, Ctrl+Down"),
        ("Move the cursor, with Shift extend the selection", "arrows, Home, End, PgUp, PgDn"),
        ("Go to the edge of the data", "Ctrl+arrows"),
        ("Command palette", "Ctrl+K"),
        ("Reset the zoom", "Ctrl+0"),
    ];
    let modal = Modal::new(Id::unique("keys"))
        .frame(egui::Frame::popup(&ui.global_style()).inner_margin(16))
        .show(ui, |ui| {
            ui.set_width(560.0);
            ui.heading("Keyboard shortcuts");
            // Keeps the title and the button visible in a low window.
            let height = (ui.ctx().content_rect().height() - 140.0).clamp(120.0, 420.0);
            ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
                egui::Grid::new("keys").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
                    let named = available_commands(window, state)
                        .into_iter()
                        .filter(|command| !command.keys.is_empty());
                    let named = named.map(|command| (command.title, command.keys));
                    for (title, keys) in
                        more.map(|(title, keys)| (title.to_owned(), keys)).into_iter().chain(named)
                    {
                        ui.label(RichText::new(keys).font(theme::strong()));
                        ui.label(title);
                        ui.end_row();
                    }
                });
            });
            if ui.button("Close").clicked() {
                ui.close();
            }
        });
    !modal.should_close()
}
