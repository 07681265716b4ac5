//! Windows by keyboard alone: the focus moves between their parts, and menus open and are used.

use std::{collections::BTreeSet, time::Duration};

use desktop::{
    command::{AppCommand, Command, DialogKind, RESTORE_WATCHLIST, entry_of},
    store::history::RequestState,
    theme::ThemeChoice,
};
use egui::{Event, Key, Modifiers, vec2};
use shared::{
    column::{ColumnKey, ColumnKind},
    edit::Change,
};

use crate::{
    headless::Headless,
    screen::wait_for,
    windows::{create, go_to_price},
};

#[test]
fn f6_goes_round_the_parts_of_the_window_and_escape_returns_to_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let name = headless.shown().unwrap().name().to_string();
    headless.execute(Command::ToggleHistory);
    headless.key(Modifiers::COMMAND, Key::F);
    headless.key(Modifiers::NONE, Key::Escape);
    headless.execute(AppCommand::Notify("Something happened.".to_owned()));
    headless.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    headless.key(Modifiers::NONE, Key::Escape);
    let rows = headless.focused();
    let round = ["Close", "Dismiss", &name, "Link windows", "Filter Symbol"];
    let mut seen = Vec::new();
    for _ in 0..round.len() {
        headless.key(Modifiers::NONE, Key::F6);
        seen.push(headless.focused().unwrap());
    }
    assert_eq!(seen, round);
    headless.key(Modifiers::NONE, Key::F6);
    assert_eq!(headless.focused(), rows, "the rows");
    for part in round.iter().rev() {
        headless.key(Modifiers::SHIFT, Key::F6);
        assert_eq!(headless.focused().as_deref(), Some(*part));
    }
    headless.key(Modifiers::NONE, Key::Escape);
    assert_eq!(headless.focused(), rows);
    headless.stop();
}

#[test]
fn arrows_and_enter_work_in_the_bar_and_do_not_move_the_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let companies = headless.window.list().unwrap();
    create(&mut headless, "Other");
    headless.execute(Command::Show(companies));
    go_to_price(&mut headless, 3);
    let cursor = headless.window.grid.selection.cursor.clone();
    headless.key(Modifiers::NONE, Key::F6);
    headless.key(Modifiers::NONE, Key::ArrowRight);
    assert_eq!(headless.focused().as_deref(), Some("Other"));
    assert_eq!(headless.window.grid.selection.cursor, cursor);
    headless.key(Modifiers::NONE, Key::Enter);
    assert_ne!(headless.window.list(), Some(companies), "Enter shows the watchlist of the tab");
    headless.stop();
}

#[test]
fn keys_open_the_menus_of_the_bar_and_choose_from_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    for (modifiers, key) in [(Modifiers::NONE, Key::F10), (Modifiers::ALT, Key::S)] {
        headless.key(modifiers, key);
        assert_eq!(headless.focused().as_deref(), Some("System theme"), "{key:?}");
        headless.key(Modifiers::NONE, Key::ArrowDown);
        headless.key(Modifiers::NONE, Key::ArrowDown);
        assert_eq!(headless.focused().as_deref(), Some("Light theme"));
        headless.key(Modifiers::NONE, Key::ArrowUp);
        assert_eq!(headless.focused().as_deref(), Some("Dark theme"));
        headless.key(Modifiers::NONE, Key::Escape);
        assert_eq!(headless.find("Dark theme"), None, "Esc closes the menu");
    }
    headless.key(Modifiers::ALT, Key::S);
    headless.key(Modifiers::NONE, Key::ArrowDown);
    headless.key(Modifiers::NONE, Key::ArrowDown);
    headless.key(Modifiers::NONE, Key::Enter);
    assert_eq!(headless.state.preferences().theme, ThemeChoice::Light);
    headless.key(Modifiers::ALT, Key::N);
    assert_eq!(headless.focused().as_deref().map(str::trim_end), Some("New watchlist\u{2026}"));
    headless.key(Modifiers::NONE, Key::Escape);
    headless.key(Modifiers::ALT, Key::L);
    assert_eq!(headless.focused().as_deref(), Some("Not linked"));
    headless.key(Modifiers::NONE, Key::Escape);
    headless.typed(vec![Event::Text("7".to_owned())]);
    assert!(headless.window.grid.editor().is_some(), "the rows have the keys again");
    headless.key(Modifiers::NONE, Key::F10);
    assert!(headless.window.grid.editor().is_none(), "the editor is committed first");
    headless.key(Modifiers::NONE, Key::ArrowDown);
    assert_eq!(headless.focused().as_deref(), Some("Dark theme"));
    headless.key(Modifiers::NONE, Key::Escape);
    headless.stop();
}

#[test]
fn shift_and_f10_open_the_menu_of_what_has_the_focus() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    go_to_price(&mut headless, 0);
    headless.key(Modifiers::SHIFT, Key::F10);
    assert!(headless.focused().unwrap().starts_with("Edit cell"), "of the rows");
    headless.key(Modifiers::NONE, Key::Escape);
    headless.key(Modifiers::NONE, Key::F6);
    headless.key(Modifiers::SHIFT, Key::F10);
    assert_eq!(
        headless.focused().as_deref().map(str::trim_end),
        Some("Rename watchlist\u{2026}"),
        "of the tab"
    );
    headless.key(Modifiers::NONE, Key::Escape);
    headless.key(Modifiers::NONE, Key::F10);
    assert_eq!(headless.focused().as_deref(), Some("System theme"));
    headless.stop();
}

#[test]
fn the_focused_button_of_a_question_is_what_enter_chooses() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let rows = |headless: &Headless| headless.shown().unwrap().rows().len();
    for (keys, left) in [(vec![Key::ArrowLeft, Key::Enter], 20), (vec![Key::Enter], 0)] {
        headless.key(Modifiers::COMMAND, Key::A);
        headless.key(Modifiers::COMMAND, Key::Delete);
        assert_eq!((headless.focused().as_deref(), rows(&headless)), (Some("Remove rows"), 20));
        keys.into_iter().for_each(|key| headless.key(Modifiers::NONE, key));
        (0..3).for_each(|_| headless.frame(Vec::new()));
        assert_eq!(rows(&headless), left);
    }
    headless.stop();
}

/// Opens a part of the window, and walks through it with a key: every control that appeared has a name and
/// gets the focus.
pub fn walk(headless: &mut Headless, part: &str, step: Key, open: impl FnOnce(&mut Headless)) {
    headless.key(Modifiers::NONE, Key::Escape);
    headless.key(Modifiers::COMMAND, Key::Home);
    let before = headless.controls();
    open(headless);
    (0..3).for_each(|_| headless.frame(Vec::new()));
    let mut left = headless.controls_since(&before);
    assert!(!left.is_empty(), "{part} opens");
    assert!(left.values().all(|name| !name.is_empty()), "{part}: every control has a name: {left:?}");
    for _ in 0..2 * left.len() + before.len() {
        let focused = headless.focused_controls();
        if focused.iter().any(|control| left.contains_key(control)) {
            assert!(headless.is_focus_shown(), "{part}: the focus is not seen: {:?}", headless.focused());
        }
        focused.iter().for_each(|control| drop(left.remove(control)));
        if left.is_empty() {
            break;
        }
        headless.key(Modifiers::NONE, step);
    }
    assert!(left.is_empty(), "{part}: out of reach of the keys: {left:?}");
    headless.key(Modifiers::NONE, Key::Escape);
}

#[test]
fn every_control_of_every_part_is_reached_by_keys_and_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let list = create(&mut headless, "Other");
    let companies = headless.state.store.known_lists()[0].0;
    headless.execute(Command::Show(companies));
    let price = ColumnKey::from("price");
    for dialog in [
        DialogKind::NewWatchlist,
        DialogKind::Rename(list),
        DialogKind::Delete(list),
        DialogKind::Import,
        DialogKind::Export,
        DialogKind::Connect,
        DialogKind::AddColumn(companies, price.clone()),
        DialogKind::RenameColumn(companies, price.clone()),
        DialogKind::ColumnType(companies, price),
    ] {
        let name = format!("{dialog:?}");
        walk(&mut headless, &name, Key::Tab, |headless| headless.execute(Command::OpenDialog(dialog)));
    }
    for (part, step, modifiers, key) in [
        ("settings", Key::ArrowDown, Modifiers::ALT, Key::S),
        ("new", Key::ArrowDown, Modifiers::ALT, Key::N),
        ("link", Key::ArrowDown, Modifiers::ALT, Key::L),
        ("row menu", Key::ArrowDown, Modifiers::SHIFT, Key::F10),
        ("column menu", Key::ArrowDown, Modifiers::ALT, Key::C),
        ("history", Key::Tab, Modifiers::COMMAND, Key::H),
        ("palette", Key::ArrowDown, Modifiers::COMMAND, Key::K),
        ("list of watchlists", Key::ArrowDown, Modifiers::COMMAND, Key::G),
        ("find", Key::Tab, Modifiers::COMMAND, Key::F),
        ("filters", Key::Tab, Modifiers::COMMAND | Modifiers::SHIFT, Key::L),
        ("list of keys", Key::Tab, Modifiers::NONE, Key::F1),
        ("question", Key::Tab, Modifiers::COMMAND, Key::Delete),
    ] {
        walk(&mut headless, part, step, |headless| {
            if part == "question" {
                headless.key(Modifiers::COMMAND, Key::A);
            }
            headless.key(modifiers, key);
            if part == "history" {
                headless.key(Modifiers::SHIFT, Key::F6);
            }
        });
    }
    walk(&mut headless, "notices", Key::ArrowUp, |headless| {
        headless.execute(AppCommand::Notify("Something happened.".to_owned()));
        headless.execute(AppCommand::Notify("Something else happened.".to_owned()));
        // The history, which is still open, comes before them.
        (0..2).for_each(|_| headless.key(Modifiers::NONE, Key::F6));
    });
    headless.execute(Command::Show(list));
    headless.typed(vec![Event::Text("7".to_owned())]);
    headless.execute(AppCommand::Delete(list));
    wait_for("the message about the deletion", || {
        headless.frame(Vec::new());
        headless.find("Copy text").map(drop)
    });
    // Nothing behind the message has the keys.
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        headless.key(Modifiers::NONE, Key::Tab);
        seen.extend(headless.focused());
    }
    assert_eq!(seen, ["Close", "Copy text", RESTORE_WATCHLIST].map(str::to_owned).into());
    headless.stop();
}

#[test]
fn keys_open_the_menu_of_a_column_and_choose_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    go_to_price(&mut headless, 0);
    headless.key(Modifiers::ALT, Key::C);
    assert!(headless.focused().unwrap().starts_with("Sort ascending"));
    let first = headless.symbols();
    headless.key(Modifiers::NONE, Key::Enter);
    assert_eq!(headless.window.grid.config.sort[0].column, ColumnKey::from("price"));
    assert_eq!(headless.symbols(), first, "the order of the list is not changed");
    headless.key(Modifiers::COMMAND, Key::Space);
    headless.key(Modifiers::SHIFT, Key::F10);
    assert!(headless.focused().unwrap().starts_with("Sort ascending"), "of the selected column");
    headless.key(Modifiers::NONE, Key::Escape);
    headless.key(Modifiers::COMMAND, Key::A);
    headless.key(Modifiers::SHIFT, Key::F10);
    assert!(headless.focused().unwrap().starts_with("Edit cell"), "of the rows");
    headless.stop();
}

#[test]
fn the_items_of_a_menu_are_aligned() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    for key in [Key::L, Key::N, Key::S] {
        let before = headless.controls();
        headless.key(Modifiers::ALT, key);
        let items = headless.controls_since(&before);
        let places: Vec<_> = items
            .values()
            .map(|name| (headless.find(name.trim_end_matches([' ', '\u{23f5}'])).unwrap().x, name))
            .collect();
        assert!(places.windows(2).all(|pair| (pair[0].0 - pair[1].0).abs() < 0.5), "{places:?}");
        headless.key(Modifiers::NONE, Key::Escape);
    }
    headless.stop();
}

#[test]
fn ctrl_h_opens_the_history_while_a_cell_is_edited_and_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    go_to_price(&mut headless, 0);
    headless.typed(vec![Event::Text("125".to_owned())]);
    headless.key(Modifiers { ctrl: true, command: true, ..Modifiers::NONE }, Key::H);
    assert_eq!(headless.window.grid.editor().map(|editor| editor.text.as_str()), Some("125"));
    assert!(headless.find("History").is_some());
    headless.stop();
}

#[test]
fn the_keys_go_through_the_whole_history_and_scroll_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let list = headless.window.list().unwrap();
    let row = headless.shown().unwrap().rows().iter().next().unwrap().id;
    // Between two prices there are renames of the watchlist, which have no button.
    for number in 0..30 {
        let change = Change::set(row, &"price".into(), number.to_string().as_str().into());
        headless.execute(AppCommand::Edit { watchlist: list, changes: vec![change] });
        for name in 0..6 {
            let rename = Change::rename(&format!("Name {number} {name}"));
            headless.execute(AppCommand::Edit { watchlist: list, changes: vec![rename] });
        }
    }
    headless.settle();
    headless.key(Modifiers::COMMAND, Key::H);
    wait_for("the history", || headless.find("Restore").map(drop));
    headless.key(Modifiers::NONE, Key::F6);
    let (mut entries, mut buttons) = (BTreeSet::new(), 0);
    let older = entry_of(&AppCommand::RequestLog { older: true }.into()).title;
    for _ in 0..300 {
        headless.key(Modifiers::NONE, Key::Tab);
        let Some(focused) = headless.focused() else { continue };
        if focused == older {
            headless.key(Modifiers::NONE, Key::Enter);
            wait_for("the older changes", || {
                headless.frame(Vec::new());
                let log = headless.state.store.log(headless.window.id())?;
                (log.request == RequestState::Answered).then_some(())
            });
        }
        buttons += usize::from(focused == "Restore");
        entries.extend(Some(focused).filter(|entry| entry.starts_with("MMM Price")));
    }
    assert!(
        entries.len() >= 28 && buttons >= 28,
        "{} entries and {buttons} buttons are reached",
        entries.len()
    );
    headless.stop();
}

#[test]
fn the_menus_of_a_small_window_scroll_to_what_the_keys_have_moved_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    headless.size = vec2(640.0, 400.0);
    headless.key(Modifiers::NONE, Key::F10);
    headless.key(Modifiers::NONE, Key::ArrowUp);
    wait_for("the last item", || {
        let focused = headless.focused()?;
        let at = headless.find(focused.trim_end())?;
        (focused.starts_with("Keyboard shortcuts") && at.y < 400.0).then_some(())
    });
    headless.stop();
}

#[test]
fn a_watchlist_is_found_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let rates = create(&mut headless, "Rates");
    create(&mut headless, "Metals");
    headless.key(Modifiers::COMMAND, Key::G);
    assert!(headless.find("Metals").is_some());
    headless.typed(vec![Event::Text("rat".to_owned())]);
    headless.key(Modifiers::NONE, Key::Enter);
    assert_eq!(headless.window.list(), Some(rates));
    headless.stop();
}

#[test]
fn the_list_of_keys_scrolls() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    headless.key(Modifiers::NONE, Key::F1);
    assert_eq!(headless.focused().as_deref(), Some("Close"));
    let first = |headless: &mut Headless| headless.find("any printable key").map(|at| at.y);
    let before = first(&mut headless).unwrap();
    headless.key(Modifiers::NONE, Key::PageDown);
    wait_for("the scrolled list", || {
        first(&mut headless).is_none_or(|after| after < before - 100.0).then_some(())
    });
    headless.key(Modifiers::NONE, Key::Home);
    wait_for("the start of the list", || (first(&mut headless) == Some(before)).then_some(()));
    headless.key(Modifiers::NONE, Key::Escape);
    assert_eq!(headless.find("any printable key"), None);
    headless.stop();
}

#[test]
fn nothing_in_the_bar_moves_with_the_round_trip_and_the_palette_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let mut places = Vec::new();
    for micros in [300, 1_000, 12_000, 250_000] {
        headless.state.store.set_round_trip(Duration::from_micros(micros));
        places.push(headless.find("Settings").unwrap());
    }
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
    headless.key(Modifiers::COMMAND, Key::K);
    let before = headless.find("Command").unwrap();
    for text in ["r", "e", "do"] {
        headless.typed(vec![Event::Text(text.to_owned())]);
        assert_eq!(headless.find("Command"), Some(before), "{text}");
    }
    headless.key(Modifiers::NONE, Key::Enter);
    assert!(headless.find("Nothing to redo in this window.").is_some());
    assert_eq!(headless.find("Command"), Some(before), "with the reason");
    headless.stop();
}

#[test]
fn a_menu_that_is_opened_on_its_button_takes_the_focus() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    for (button, first) in [("Settings", "System theme"), ("Link windows", "Not linked")] {
        headless.key(Modifiers::NONE, Key::F6);
        headless.tab_to(button);
        assert_eq!(headless.focused().as_deref(), Some(button));
        headless.key(Modifiers::NONE, Key::Enter);
        assert_eq!(headless.focused().as_deref(), Some(first));
        headless.key(Modifiers::NONE, Key::F6);
        assert_eq!(headless.focused().as_deref(), Some(first), "the menu keeps it");
        headless.key(Modifiers::NONE, Key::Escape);
        headless.key(Modifiers::NONE, Key::Escape);
    }
    headless.stop();
}

#[test]
fn arrow_keys_move_the_edge_of_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    headless.execute(Command::ToggleHistory);
    headless.key(Modifiers::NONE, Key::F6);
    headless.tab_to("Resize panel");
    let before = headless.find("Resize panel").unwrap();
    (0..2).for_each(|_| headless.key(Modifiers::NONE, Key::ArrowLeft));
    assert_eq!(headless.focused().as_deref(), Some("Resize panel"));
    let wider = headless.find("Resize panel").unwrap();
    assert!(wider.x < before.x - 20.0, "{wider} {before}");
    (0..2).for_each(|_| headless.key(Modifiers::NONE, Key::ArrowRight));
    assert_eq!(headless.find("Resize panel"), Some(before));
    headless.stop();
}

#[test]
fn tab_from_the_last_button_of_the_bar_leads_back_to_the_same_cell() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    go_to_price(&mut headless, 3);
    let cell = headless.focused();
    let cursor = headless.window.grid.selection.cursor.clone();
    headless.key(Modifiers::NONE, Key::F6);
    headless.tab_to("Settings");
    headless.key(Modifiers::NONE, Key::Tab);
    assert_eq!((headless.focused(), headless.window.grid.selection.cursor.clone()), (cell, cursor));
    headless.stop();
}

/// The kind of a new column is chosen by the arrow keys alone, as radio buttons are elsewhere.
#[test]
fn arrow_keys_choose_between_radio_buttons() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let list = headless.window.list().unwrap();
    headless.execute(Command::OpenDialog(DialogKind::AddColumn(list, "price".into())));
    headless.frame(Vec::new());
    headless.typed(vec![Event::Text("When".to_owned())]);
    headless.key(Modifiers::NONE, Key::Tab);
    assert_eq!(headless.focused().as_deref(), Some("Number"));
    // Tab passes over a choice, an arrow makes it.
    headless.key(Modifiers::NONE, Key::Tab);
    headless.key(Modifiers::SHIFT, Key::Tab);
    for _ in 0..4 {
        headless.key(Modifiers::NONE, Key::ArrowRight);
    }
    assert_eq!(headless.focused().as_deref(), Some("Time"));
    headless.key(Modifiers::NONE, Key::Enter);
    headless.settle();
    let shown = headless.shown().unwrap();
    let new = shown.columns().visible().find(|entry| &*entry.column.title == "When").unwrap();
    assert_eq!(new.column.kind, ColumnKind::Time);
    headless.stop();
}

#[test]
fn a_dialog_moves_the_focus_to_the_field_that_still_needs_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    go_to_price(&mut headless, 0);
    let list = headless.window.list().unwrap();
    headless.execute(Command::OpenDialog(DialogKind::AddColumn(list, "price".into())));
    (0..3).for_each(|_| headless.frame(Vec::new()));
    headless.click("Choice");
    headless.enter("Rating");
    assert_eq!(headless.focused().as_deref(), Some("Options"), "the title is there");
    headless.click("Number");
    assert_eq!(headless.focused().as_deref(), Some("Title"), "a number has no options");
    headless.click("Choice");
    assert_eq!(headless.focused().as_deref(), Some("Options"));
    headless.enter("buy, hold");
    headless.settle();
    let column = headless.shown().unwrap().columns().iter().find(|column| &*column.column.title == "Rating");
    assert_eq!(
        column.map(|column| &column.column.kind),
        Some(&ColumnKind::Choice(["buy".into(), "hold".into()].into()))
    );
    headless.stop();
}
