//! Everything that can be done, by name and key: searched in a list (Ctrl+K), and read as a table (F1).

use egui::{Id, Key, Modal, RichText, ScrollArea, TextEdit, Ui};

use shared::edit::{Change, KeyOnly};

use super::dialogs::Dialog;
use crate::{
    action::Action,
    dispatch::Core,
    follow::{Group, Link},
    grid::{self, Step, config::Density},
    settings::{self, GlowChoice, Motion, ThemeChoice},
    theme,
    window::Window,
};

/// Something that can be done.
pub struct Command {
    /// What it is called.
    pub title: String,
    /// Its keys, where it has any.
    pub keys: &'static str,
    run: Run,
}

enum Run {
    Grid(grid::Command),
    Act(Action),
    Ask(Opens),
    Density(Density),
    Held(bool),
    OnTop(bool),
    Link(Option<Group>),
    Neighbour(bool),
    Zoom(f32),
    Help,
    History,
}

#[derive(Clone, Copy)]
enum Opens {
    NewWatchlist,
    Rename,
    Import,
}

/// The list that is searched, while it is open.
pub struct Search {
    text: String,
    chosen: usize,
    is_new: bool,
}

impl Search {
    /// Nothing typed yet.
    pub fn new() -> Self {
        Self { text: String::new(), chosen: 0, is_new: true }
    }
}

impl Default for Search {
    fn default() -> Self {
        Self::new()
    }
}

/// Everything that can be done in a window now.
pub fn all(window: &Window, core: &Core) -> Vec<Command> {
    let mut commands = of_the_grid();
    commands.extend(of_the_window(window, core));
    commands
}

fn of_the_grid() -> Vec<Command> {
    use grid::{ColumnCommand as C, Command as G};
    let grid = [
        ("Edit the cell", "Enter, F2", G::Open),
        ("Empty the selected cells", "Delete", G::Clear),
        ("Copy", "Ctrl+C", G::Copy),
        ("Cut", "Ctrl+X", G::Cut),
        ("Paste", "Ctrl+V", G::AskPaste),
        ("Fill down", "Ctrl+D", G::FillDown),
        ("Fill right", "Ctrl+R", G::FillRight),
        ("Undo", "Ctrl+Z", G::Undo),
        ("Redo", "Ctrl+Shift+Z", G::Redo),
        ("Insert a row above", "Insert", G::InsertAbove),
        ("Insert a row below", "Ctrl+Enter", G::InsertBelow),
        ("Insert a section above", "Ctrl+Shift+Enter", G::InsertSection),
        ("Duplicate the selected rows", "Ctrl+Shift+D", G::Duplicate),
        ("Move the selected rows up", "Alt+Shift+Up", G::MoveRows(true)),
        ("Move the selected rows down", "Alt+Shift+Down", G::MoveRows(false)),
        ("Remove the selected rows", "Ctrl+Delete", G::RemoveRows),
        ("Select everything", "Ctrl+A", G::SelectAll),
        ("Select whole rows", "Shift+Space", G::SelectRows),
        ("Select whole columns", "Ctrl+Space", G::SelectColumns),
        ("Go to the first cell", "Ctrl+Home", G::Move(Step::First)),
        ("Go to the last cell", "Ctrl+End", G::Move(Step::Last)),
        ("Sort by this column", "Ctrl+Shift+S", G::Sort(false)),
        ("Sort by this column as well", "Ctrl+Alt+Shift+S", G::Sort(true)),
        ("Sort again", "F5", G::SortAgain),
        ("Hide the column", "", G::Column(C::Hide)),
        ("Show the hidden columns", "", G::Column(C::ShowAll)),
        ("Freeze the columns up to this one", "", G::Column(C::Freeze)),
        ("Freeze only the first column", "", G::Column(C::FreezeFirst)),
        ("Fit the column to what it shows", "", G::Column(C::Fit)),
        ("Make the column wider", "", G::Column(C::Width(true))),
        ("Make the column narrower", "", G::Column(C::Width(false))),
        ("Move the column to the left", "", G::Column(C::Move(false))),
        ("Move the column to the right", "", G::Column(C::Move(true))),
        ("More decimals", "", G::Column(C::Decimals(true))),
        ("Fewer decimals", "", G::Column(C::Decimals(false))),
        ("Show or hide the column's sparkline", "", G::Column(C::Trend)),
        ("Add a column\u{2026}", "", G::Column(C::Add)),
        ("Rename the column\u{2026}", "", G::Column(C::Rename)),
        ("Remove the column for everyone", "", G::Column(C::Remove)),
        ("The cell's last changes", "Shift+F2", G::History),
        ("All changes of the cell", "", G::ShowHistory),
        ("Choose from the list, the calendar", "Alt+Down", G::OpenList),
        ("Filter the rows", "Ctrl+Shift+L", G::Filters),
        ("Find", "Ctrl+F", G::Find),
        ("Find the next", "F3", G::FindNext(true)),
        ("Find the previous", "Shift+F3", G::FindNext(false)),
    ];
    let of = |(title, keys, command): (&str, _, _)| Command {
        title: title.to_owned(),
        keys,
        run: Run::Grid(command),
    };
    grid.into_iter().map(of).collect()
}

fn of_the_window(window: &Window, core: &Core) -> Vec<Command> {
    let plain = |title: &str, keys, run| Command { title: title.to_owned(), keys, run };
    let mut commands = vec![
        plain("New window", "Ctrl+N", Run::Act(Action::OpenWindow)),
        plain("The history of the watchlist", "Ctrl+H", Run::History),
        plain("New watchlist\u{2026}", "", Run::Ask(Opens::NewWatchlist)),
        plain("Rename the watchlist\u{2026}", "", Run::Ask(Opens::Rename)),
        plain("Import a CSV file\u{2026}", "", Run::Ask(Opens::Import)),
        plain("Hold the sorted order", "", Run::Held(true)),
        plain("Sort live", "", Run::Held(false)),
        plain("Next watchlist", "Ctrl+PgDn, Ctrl+Tab", Run::Neighbour(true)),
        plain("Previous watchlist", "Ctrl+PgUp, Ctrl+Shift+Tab", Run::Neighbour(false)),
        match window.on_top {
            false => plain("Keep this window on top", "", Run::OnTop(true)),
            true => plain("Do not keep this window on top", "", Run::OnTop(false)),
        },
        plain("Compact rows", "", Run::Density(Density::Compact)),
        plain("Comfortable rows", "", Run::Density(Density::Comfortable)),
        plain("Larger", "Ctrl++", Run::Zoom(0.1)),
        plain("Smaller", "Ctrl+\u{2212}", Run::Zoom(-0.1)),
        plain("Dark theme", "", Run::Act(Action::SetTheme(ThemeChoice::Dark))),
        plain("Light theme", "", Run::Act(Action::SetTheme(ThemeChoice::Light))),
        plain("The system's theme", "", Run::Act(Action::SetTheme(ThemeChoice::System))),
        plain("Colours for colour-blind people", "", Run::Act(Action::SetColourBlind(!core.colour_blind))),
        plain("Quit and keep all windows", "Ctrl+Q", Run::Act(Action::Quit)),
        plain("Connect now", "", Run::Act(Action::Reconnect)),
        plain("The keys", "F1, ?", Run::Help),
    ];
    commands.extend(glow_choices(core.glow).into_iter().map(|(title, choice)| {
        let act = Run::Act(Action::SetGlow(choice));
        Command { title: format!("Glow: {}", title.to_lowercase()), keys: "", run: act }
    }));
    for (group, name) in Group::ALL {
        if window.link.group() == Some(group) {
            commands.push(plain("Do not link this window", "", Run::Link(None)));
        } else {
            let title = format!("Link this window: {}", name.to_lowercase());
            commands.push(Command { title, keys: "", run: Run::Link(Some(group)) });
        }
    }
    if let Some(list) = window.list() {
        commands.push(plain("Delete the watchlist", "", Run::Act(Action::Delete(list))));
        let state = core.store.watchlist(list);
        for entry in state.into_iter().flat_map(|state| state.columns().iter()) {
            if entry.column.removed {
                let changes = vec![Change::RestoreColumn(KeyOnly { key: entry.column.key.clone() })];
                let run = Run::Act(Action::Edit { watchlist: list, window: window.id(), changes });
                let title = format!("Bring the column {} back", entry.column.title);
                commands.push(Command { title, keys: "", run });
            }
        }
    }
    for summary in core.store.replica().summaries().unwrap_or_default() {
        let title = format!("Go to {}", summary.name);
        let run = Run::Act(Action::Show(window.id(), summary.watchlist));
        commands.push(Command { title, keys: "", run });
    }
    for (watchlist, name) in &core.deleted {
        let run = Run::Act(Action::Restore(*watchlist));
        commands.push(Command { title: format!("Restore {name}"), keys: "", run });
    }
    commands
}

/// Shows the list; gives what was chosen to be done beyond the window itself.
pub fn search(ui: &Ui, window: &mut Window, core: &Core) -> Option<Action> {
    let mut search = window.search.take()?;
    let needle = search.text.to_lowercase();
    let fits =
        |command: &Command| needle.split_whitespace().all(|word| command.title.to_lowercase().contains(word));
    let mut found: Vec<Command> = all(window, core).into_iter().filter(fits).collect();
    search.chosen = search.chosen.min(found.len().saturating_sub(1));
    let mut run = None;
    let modal = Modal::new(Id::unique("commands"))
        .frame(egui::Frame::popup(&ui.global_style()).inner_margin(12))
        .show(ui, |ui| {
            ui.set_width(440.0);
            let (up, down, enter) = ui.input_mut(|input| {
                let mut take = |key| input.consume_key(egui::Modifiers::NONE, key);
                (take(Key::ArrowUp), take(Key::ArrowDown), take(Key::Enter))
            });
            let field =
                TextEdit::singleline(&mut search.text).hint_text("What to do").desired_width(f32::INFINITY);
            let response = ui.add(field);
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("What to do"));
            if std::mem::take(&mut search.is_new) || !response.has_focus() {
                response.request_focus();
            }
            if response.changed() {
                search.chosen = 0;
            }
            if down {
                search.chosen = (search.chosen + 1).min(found.len().saturating_sub(1));
            } else if up {
                search.chosen = search.chosen.saturating_sub(1);
            }
            ScrollArea::vertical()
                .max_height(320.0)
                .min_scrolled_height(320.0)
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    for (index, command) in found.iter().enumerate() {
                        let button = egui::Button::selectable(index == search.chosen, &command.title)
                            .shortcut_text(command.keys)
                            .min_size(egui::vec2(ui.available_width(), 0.0));
                        let response = ui.add(button);
                        if index == search.chosen && (up || down) {
                            response.scroll_to_me(None);
                        }
                        if response.clicked() || enter && index == search.chosen {
                            run = Some(index);
                        }
                    }
                    if found.is_empty() {
                        ui.label(RichText::new("Nothing is called so.").font(theme::small()));
                    }
                });
        });
    if let Some(index) = run {
        return found.swap_remove(index).run(ui, window, core);
    }
    if !modal.should_close() {
        window.search = Some(search);
    }
    None
}

impl Command {
    fn run(self, ui: &Ui, window: &mut Window, core: &Core) -> Option<Action> {
        match self.run {
            Run::Grid(command) => window.grid.ask(command),
            Run::Act(action) => return Some(action),
            Run::Ask(opens) => window.dialog = dialog(opens, window, core),
            Run::Density(density) => window.grid.density = density,
            Run::OnTop(on_top) => window.on_top = on_top,
            Run::Link(group) => window.link = Link::new(group),
            Run::Neighbour(forward) => window.show_neighbour(core, forward),
            Run::Held(is_held) => window.grid.config.is_held = is_held,
            Run::Zoom(by) => ui.ctx().set_zoom_factor(settings::zoom(ui.ctx().zoom_factor() + by)),
            Run::Help => window.shows_keys = true,
            Run::History => window.toggle_history(),
        }
        None
    }
}

/// How changes by others can be shown, each choice with what else is chosen now.
pub fn glow_choices(present: GlowChoice) -> Vec<(String, GlowChoice)> {
    let seconds = [0.0, 1.0, 2.0, 5.0, 10.0].map(|seconds| {
        let title = if seconds == 0.0 { "Off".to_owned() } else { format!("{seconds} s") };
        (title, GlowChoice { seconds, ..present })
    });
    let others = [
        ("The whole row", GlowChoice { cell_only: false, ..present }),
        ("Only the cell", GlowChoice { cell_only: true, ..present }),
        ("Motion as in the system", GlowChoice { motion: Motion::System, ..present }),
        ("Fading", GlowChoice { motion: Motion::Fade, ..present }),
        ("Without motion", GlowChoice { motion: Motion::Still, ..present }),
    ];
    seconds.into_iter().chain(others.map(|(title, choice)| (title.to_owned(), choice))).collect()
}

fn dialog(opens: Opens, window: &Window, core: &Core) -> Option<Dialog> {
    let list = window.list();
    let state = list.and_then(|list| core.store.watchlist(list));
    match opens {
        Opens::NewWatchlist => Some(Dialog::new_watchlist()),
        Opens::Import => Some(Dialog::import()),
        Opens::Rename => Some(Dialog::rename(list?, state?.name())),
    }
}

/// Shows the table of keys, where it is open.
pub fn keys(ui: &Ui, window: &mut Window, core: &Core) {
    if !window.shows_keys {
        return;
    }
    let more = [
        ("Type over the value", "any printable key"),
        ("Commit and move down, up", "Enter, Shift+Enter"),
        ("Commit and move to the next, previous editable cell", "Tab, Shift+Tab"),
        ("Discard what is typed", "Esc"),
        ("Turn a flag", "Space"),
        ("Step an open number by its last decimal", "Ctrl+Up, Ctrl+Down"),
        ("Move; with Shift the selection grows", "arrows, Home, End, PgUp, PgDn"),
        ("To the edge of the data", "Ctrl+arrows"),
        ("Everything that can be done", "Ctrl+K"),
        ("Larger, smaller, as it was", "Ctrl++, Ctrl+\u{2212}, Ctrl+0"),
    ];
    let modal = Modal::new(Id::unique("keys"))
        .frame(egui::Frame::popup(&ui.global_style()).inner_margin(16))
        .show(ui, |ui| {
            ui.set_width(560.0);
            ui.heading("Keys");
            // The title and the button stay in view in a low window.
            let height = (ui.ctx().content_rect().height() - 140.0).clamp(120.0, 420.0);
            ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
                egui::Grid::new("keys").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
                    let named = all(window, core).into_iter().filter(|command| !command.keys.is_empty());
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
    if modal.should_close() {
        window.shows_keys = false;
    }
}
