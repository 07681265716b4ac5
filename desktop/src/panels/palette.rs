//! The command palette: every command, found by typing parts of its title; and the list of all watchlists, by
//! their names.

use egui::{
    Button, Id, Key, Label, Modal, Response, RichText, ScrollArea, TextEdit, Ui, style::ScrollAnimation,
};
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{AtomKind, CaseMatching, Normalization, Pattern},
};
use shared::edit::{Change, ColumnRef};

use super::view::WindowView;
use crate::{
    command::{AppCommand, Command, Conditions, GO_TO, RESTORE_COLUMN, RESTORE_WATCHLIST, entries, entry_of},
    state::AppState,
    theme,
};

/// A command as the palette shows it.
struct Item {
    title: String,
    keys: String,
    description: &'static str,
    also: &'static str,
    /// Why the command cannot run, if it cannot.
    refusal: Option<&'static str>,
    command: Command,
}

/// State of the open command palette.
pub struct CommandPalette {
    text: String,
    selected: usize,
    /// Why the command that Enter chose cannot run.
    refusal: Option<&'static str>,
    is_new: bool,
    /// Whether it lists the watchlists only.
    is_of_watchlists: bool,
}

impl CommandPalette {
    /// Creates a palette with an empty query.
    pub fn new() -> Self {
        Self { text: String::new(), selected: 0, refusal: None, is_new: true, is_of_watchlists: false }
    }

    /// Creates a list of all watchlists.
    pub fn of_watchlists() -> Self {
        Self { is_of_watchlists: true, ..Self::new() }
    }
}

impl CommandPalette {
    fn nothing_found(&self) -> &'static str {
        if self.is_of_watchlists { "No matching watchlist" } else { "No matching command" }
    }
}

impl Default for CommandPalette {
    fn default() -> Self {
        Self::new()
    }
}

/// Draws the command palette. Returns it if it stays open, or the selected command.
pub fn show(
    ui: &Ui,
    mut palette: CommandPalette,
    window: &WindowView<'_>,
    state: &AppState,
) -> (Option<CommandPalette>, Option<Command>) {
    let mut found = Vec::new();
    let mut run = None;
    let modal = Modal::new(Id::unique("commands"))
        .frame(egui::Frame::popup(&ui.global_style()).inner_margin(12))
        .show(ui, |ui| {
            let opened =
                if palette.is_of_watchlists { Command::OpenListPicker } else { Command::OpenPalette };
            theme::name_dialog(ui, entry_of(&opened).dialog_title());
            // Fits into a small window with a large zoom.
            let room = ui.ctx().content_rect().size() - egui::vec2(48.0, 96.0);
            ui.set_width(440.0_f32.min(room.x));
            let height = 320.0_f32.min(room.y);
            let (up, down, enter) = ui.input_mut(|input| {
                let mut consume = |key| input.consume_key(egui::Modifiers::NONE, key);
                (consume(Key::ArrowUp), consume(Key::ArrowDown), consume(Key::Enter))
            });
            let query = show_query(ui, &mut palette);
            // After the field: Enter chooses from what is found for all that was typed before it.
            let items = if palette.is_of_watchlists { list_items(state, "") } else { items(window, state) };
            found = search(items, &palette.text);
            let last = found.len().saturating_sub(1);
            palette.selected = palette.selected.min(last);
            if enter {
                palette.refusal = found.get(palette.selected).and_then(|item| item.refusal);
            } else if up || down {
                palette.refusal = None;
            }
            if down {
                palette.selected = (palette.selected + 1).min(last);
            } else if up {
                palette.selected = palette.selected.saturating_sub(1);
            }
            ScrollArea::vertical().max_height(height).min_scrolled_height(height).auto_shrink(false).show(
                ui,
                |ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    for (index, item) in found.iter().enumerate() {
                        let is_selected = index == palette.selected;
                        let shown = show_item(ui, item, is_selected, is_selected && (up || down));
                        if is_selected {
                            // A screen reader reads the selected item, though the keys go to the field.
                            ui.ctx().accesskit_node_builder(query, |node| {
                                node.set_active_descendant(shown.id.accesskit_id());
                            });
                        }
                        if shown.clicked() || enter && is_selected && item.refusal.is_none() {
                            run = Some(index);
                        }
                    }
                    if found.is_empty() {
                        ui.label(RichText::new(palette.nothing_found()).font(theme::small()));
                    }
                },
            );
            // The line is there even if it is empty, so that the palette keeps its place.
            let selected = found.get(palette.selected);
            let (refusal, description) = (palette.refusal, selected.map(|item| item.description));
            let remark = refusal.or(description).filter(|remark| !remark.is_empty()).unwrap_or(" ");
            let color =
                if refusal.is_some() { ui.visuals().warn_fg_color } else { ui.visuals().weak_text_color() };
            ui.add(Label::new(RichText::new(remark).font(theme::small()).color(color)).truncate());
        });
    match run {
        Some(index) => (None, Some(found.swap_remove(index).command)),
        None => ((!modal.should_close()).then_some(palette), None),
    }
}

/// Draws the field and returns its id.
fn show_query(ui: &mut Ui, palette: &mut CommandPalette) -> Id {
    let (hint, label) = if palette.is_of_watchlists {
        ("Type the name of a watchlist", "Watchlist")
    } else {
        ("Type a command", "Command")
    };
    let field = TextEdit::singleline(&mut palette.text).hint_text(hint).desired_width(f32::INFINITY);
    let response = ui.add(field);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(label));
    if std::mem::take(&mut palette.is_new) || !response.has_focus() {
        response.request_focus();
    }
    if response.changed() {
        (palette.selected, palette.refusal) = (0, None);
    }
    response.id
}

fn show_item(ui: &mut Ui, item: &Item, is_selected: bool, scrolls: bool) -> Response {
    let button = Button::selectable(is_selected, &item.title)
        .shortcut_text(item.keys.as_str())
        .min_size(egui::vec2(ui.available_width(), 0.0));
    let mut response = ui.add_enabled(item.refusal.is_none(), button);
    if let Some(reason) = item.refusal {
        response = response.on_disabled_hover_text(reason);
    }
    if scrolls {
        response.scroll_to_me_animation(None, ScrollAnimation::none());
    }
    if !item.description.is_empty() {
        response = response.on_hover_text(item.description);
    }
    response
}

/// Returns the items that match a query, the best match first: titles that start with it, then titles that
/// contain it, then other words that contain it, then titles that contain its letters in order, then other
/// words. The words of a query may be in any order. Among those that match in the same way, commands that
/// cannot run come last.
fn search(mut items: Vec<Item>, query: &str) -> Vec<Item> {
    let query = query.trim().to_lowercase();
    if query.is_empty() {
        items.sort_by_key(|item| item.refusal.is_some());
        return items;
    }
    let pattern = Pattern::new(&query, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let scored = items.into_iter().filter_map(|item| {
        let mut score = |text: &str| pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher);
        let (title, words) = (score(&item.title), score(item.also));
        let shown = item.title.to_lowercase();
        let is_synonym = item.also.to_lowercase().contains(&query);
        let rank = (shown.starts_with(&query), shown.contains(&query), is_synonym, title.is_some());
        Some(((rank, item.refusal.is_none(), title.max(words)?), item))
    });
    let mut scored: Vec<_> = scored.collect();
    scored.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    scored.into_iter().map(|(_, item)| item).collect()
}

/// Returns the commands of the table, and those that name a watchlist or a column.
fn items(window: &WindowView<'_>, state: &AppState) -> Vec<Item> {
    let conditions = window.conditions(state);
    let mut items = named_items(&conditions);
    items.extend(watchlist_items(window, state));
    items
}

fn named_items(conditions: &Conditions) -> Vec<Item> {
    let named = entries().iter().filter(|entry| entry.in_palette);
    let items = named.map(|entry| {
        let keys: Vec<String> = entry.shortcuts.iter().map(|shortcut| shortcut.label()).collect();
        Item {
            title: entry.title.to_owned(),
            keys: keys.join(", "),
            description: &entry.description,
            also: entry.also,
            refusal: conditions.refusal(&entry.command, entry.when),
            command: entry.command.clone(),
        }
    });
    items.collect()
}

/// Returns an item that shows each watchlist, with its number of rows if that is known.
fn list_items(state: &AppState, prefix: &str) -> Vec<Item> {
    let summaries = state.store.replica().summaries().unwrap_or_default();
    let lists = state.store.known_lists().into_iter().map(|(watchlist, name)| {
        let summary = summaries.iter().find(|summary| summary.watchlist == watchlist);
        let loaded = state.store.watchlist(watchlist).map(|watchlist| watchlist.row_count());
        let rows = loaded.or(summary.map(|summary| summary.rows));
        let rows = rows.map(|rows| state.region.separators.format_count(rows, "row", "rows"));
        let shown = item(format!("{prefix}{name}"), Command::Show(watchlist));
        Item { keys: rows.unwrap_or_default(), ..shown }
    });
    lists.collect()
}

/// Returns an item that is not in the table of commands.
fn item(title: String, command: Command) -> Item {
    Item { title, keys: String::new(), description: "", also: "", refusal: None, command }
}

fn watchlist_items(window: &WindowView<'_>, state: &AppState) -> Vec<Item> {
    let mut items = Vec::new();
    if let Some((list, watchlist)) = window.list.and_then(|list| Some((list, state.store.watchlist(list)?))) {
        for entry in watchlist.columns().iter().filter(|entry| entry.column.removed) {
            let changes = vec![Change::RestoreColumn(ColumnRef { key: entry.column.key.clone() })];
            let title = format!("{RESTORE_COLUMN} {}", entry.column.title);
            items.push(item(title, AppCommand::Edit { watchlist: list, changes }.into()));
        }
    }
    items.extend(list_items(state, &format!("{GO_TO} ")));
    for deleted in state.store.deleted() {
        let title = format!("{RESTORE_WATCHLIST} {}", deleted.name);
        items.push(item(title, AppCommand::Restore(deleted.watchlist).into()));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::When;

    /// Conditions under which every command can run.
    fn all_conditions() -> Conditions {
        let mut conditions = Conditions::default();
        entries().iter().for_each(|entry| conditions.add(entry.when, true));
        conditions
    }

    fn found(query: &str) -> Vec<String> {
        let all = named_items(&all_conditions());
        search(all, query).into_iter().map(|item| item.title).collect()
    }

    #[test]
    fn finds_commands_by_abbreviations_and_words_in_any_order() {
        assert_eq!(found("insab")[0], "Insert row above");
        assert_eq!(found("above insert row")[0], "Insert row above");
        assert_eq!(found("NEW WIN")[0], "New window");
        assert_eq!(found("sortdesc")[0], "Sort descending");
        assert_eq!(found("add column")[0], "Add column\u{2026}");
        assert!(found("delete").contains(&"Remove selected rows".to_owned()), "{:?}", found("delete"));
        assert!(!found("settings").is_empty() && !found("restore").contains(&"Quit".to_owned()));
        for (query, first) in [
            ("help", "Keyboard shortcuts"),
            ("zoom", "Zoom in"),
            ("bigger", "Zoom in"),
            ("options", "Settings"),
            ("delete row", "Remove selected rows"),
            ("delete rows", "Remove selected rows"),
            ("delete column", "Remove column for everyone"),
        ] {
            assert_eq!(found(query)[0], first, "{query}");
        }
        assert!(found("clear").contains(&"Clear filters".to_owned()), "{:?}", found("clear"));
        assert!(found("qqq").is_empty());
        assert_eq!(found(" ").len(), named_items(&Conditions::default()).len());
    }

    #[test]
    fn a_command_that_cannot_run_is_disabled() {
        let items = named_items(&Conditions::default());
        let refusal = |title: &str| items.iter().find(|item| item.title == title).unwrap().refusal;
        assert_eq!(refusal("New window"), None);
        assert_eq!(refusal("Remove selected rows"), Some("No watchlist is shown."));
        let mut conditions = Conditions::default();
        conditions.add(When::List, true);
        let items = named_items(&conditions);
        let refusal = |title: &str| items.iter().find(|item| item.title == title).unwrap().refusal;
        assert_eq!(refusal("Remove selected rows"), Some("The cursor is not on a row."));
    }

    #[test]
    fn commands_that_cannot_run_come_last() {
        let none = Conditions::default();
        let refused = |query| -> Vec<bool> {
            search(named_items(&none), query).iter().map(|item| item.refusal.is_some()).collect()
        };
        let all = refused("");
        assert!(!all[0] && all.is_sorted(), "{all:?}");
        assert!(refused("redo")[0], "unless they match better");
    }
}
