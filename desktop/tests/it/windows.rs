//! Whole windows without a display: undo, linked windows, tabs, history, imports and restored state.

use std::time::Duration;

use desktop::{
    command::{AppCommand, ColumnCommand, Command, GridCommand},
    follow::{Group, Link},
    grid::Cursor,
    panels::dialogs::Dialog,
    settings::Workspace,
    store::{Connection, recent::REACTION},
    theme::Flash,
};
use egui::{Event, Key, Modifiers};
use shared::{
    edit::Change,
    ids::{RowId, WatchlistId},
    value::Literal,
};

use crate::{headless::Headless, screen::wait_for};

const PRICE: usize = 2;

pub fn price(headless: &Headless, row: usize) -> String {
    let shown = headless.shown().unwrap();
    let id = shown.rows().at(row).unwrap().id;
    shown.cell(id, &"price".into()).as_number().map_or_else(String::new, |number| number.to_string())
}

pub fn id(headless: &Headless, row: usize) -> RowId {
    headless.shown().unwrap().rows().at(row).unwrap().id
}

/// Moves the cursor to the price of a row.
pub fn go_to_price(headless: &mut Headless, row: usize) {
    headless.key(Modifiers::COMMAND, Key::Home);
    (0..row).for_each(|_| headless.key(Modifiers::NONE, Key::ArrowDown));
    (0..PRICE).for_each(|_| headless.key(Modifiers::NONE, Key::ArrowRight));
}

fn notices(headless: &Headless) -> Vec<String> {
    headless.state.store.notices().iter().map(|notice| notice.text.clone()).collect()
}

/// Two desktops on one data folder; the second joins the server of the first.
pub struct Two {
    pub ann: Headless,
    pub bob: Headless,
    _folder: tempfile::TempDir,
}

impl Two {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ann = Headless::start(folder.path());
        let bob = Headless::start(folder.path());
        Self { ann, bob, _folder: folder }
    }

    pub fn settle(&mut self) {
        self.ann.settle();
        self.bob.settle();
        wait_for("the same prices on both", || {
            self.ann.frame(Vec::new());
            self.bob.frame(Vec::new());
            self.ann.shown()?.has_same_content(self.bob.shown()?).then_some(())
        });
        // What is typed next is typed by a person who has read it.
        std::thread::sleep(REACTION);
    }

    pub fn stop(self) {
        self.bob.stop();
        self.ann.stop();
    }
}

#[test]
fn an_undo_does_not_overwrite_changes_of_others_and_adds_a_notice() {
    let mut two = Two::start();
    go_to_price(&mut two.ann, 0);
    two.ann.enter("80");
    two.ann.enter("30");
    two.settle();
    go_to_price(&mut two.bob, 0);
    two.bob.enter("90");
    two.settle();
    two.ann.key(Modifiers::COMMAND, Key::Z);
    two.settle();
    assert_eq!(price(&two.ann, 1), "29.01", "the last edit is undone");
    two.ann.key(Modifiers::COMMAND, Key::Z);
    two.settle();
    assert_eq!((price(&two.ann, 0), price(&two.bob, 0)), ("90".to_owned(), "90".to_owned()));
    let notices = notices(&two.ann);
    assert!(
        notices.iter().any(|text| text.starts_with("Not undone: ") && text.ends_with(" to 90.")),
        "{notices:?}"
    );
    two.ann.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    two.settle();
    assert_eq!(price(&two.ann, 1), "30", "the undone edit is redone");
    two.stop();
}

#[test]
fn an_edit_without_effect_neither_glows_nor_can_be_undone() {
    let mut two = Two::start();
    go_to_price(&mut two.ann, 0);
    two.ann.enter("80");
    two.settle();
    let list = two.bob.window.list().unwrap();
    let glows = |two: &Two| two.bob.state.store.glow(list).is_some_and(|glow| glow.is_glowing(two.bob.now()));
    assert!(glows(&two));
    wait_for("the end of the glow", || {
        two.bob.frame(Vec::new());
        (!glows(&two)).then_some(())
    });
    let revision =
        |two: &Two| two.ann.state.store.replica().list(list).and_then(|list| list.at()).unwrap().revision;
    let before = revision(&two);
    go_to_price(&mut two.ann, 0);
    two.ann.enter("80.00");
    // The same holds for an edit that does not come from the editor.
    let changes = vec![Change::set(id(&two.ann, 0), &"price".into(), Literal::from("80.000"))];
    let command = AppCommand::Edit { watchlist: list, changes };
    two.ann.execute(command);
    two.settle();
    assert_eq!(revision(&two), before);
    assert!(!glows(&two));
    go_to_price(&mut two.ann, 0);
    two.ann.key(Modifiers::COMMAND, Key::Z);
    two.settle();
    assert_eq!(price(&two.bob, 0), "71.72", "the previous edit is undone");
    two.stop();
}

#[test]
fn linked_windows_follow_each_other_to_a_row_and_a_watchlist() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let companies = headless.window.list().unwrap();
    headless.open_window();
    headless.open_window();
    headless.window.link = Link::new(Some(Group::Blue));
    headless.others[0].0.link = Link::new(Some(Group::Blue));
    headless.frame(Vec::new());
    let row_of = |headless: &Headless, other: usize| {
        headless.others[other].0.grid.selection.cursor.as_ref().and_then(|cursor: &Cursor| cursor.row)
    };
    let not_linked = row_of(&headless, 1);
    (0..3).for_each(|_| headless.key(Modifiers::NONE, Key::ArrowDown));
    headless.frame(Vec::new());
    assert_eq!(row_of(&headless, 0), Some(id(&headless, 3)));
    assert_eq!(row_of(&headless, 1), not_linked);
    let created = create(&mut headless, "Other");
    wait_for("the linked window to show the new list", || {
        headless.frame(Vec::new());
        (headless.others[0].0.list() == Some(created)).then_some(())
    });
    assert_eq!(headless.others[1].0.list(), Some(companies));
    headless.key(Modifiers::COMMAND, Key::PageUp);
    wait_for("both windows to return", || {
        headless.frame(Vec::new());
        let is_back =
            headless.window.list() == Some(companies) && headless.others[0].0.list() == Some(companies);
        (is_back && row_of(&headless, 0) == Some(id(&headless, 3))).then_some(())
    });
    headless.stop();
}

/// Creates a watchlist from the window, which then shows it.
pub fn create(headless: &mut Headless, name: &str) -> WatchlistId {
    let before = headless.window.list();
    wait_for("a connection", || {
        headless.frame(Vec::new());
        matches!(headless.state.store.connection(), Connection::Up { .. }).then_some(())
    });
    let create = AppCommand::Create(name.to_owned());
    headless.execute(create);
    wait_for("the new list", || {
        headless.frame(Vec::new());
        headless.shown()?;
        headless.window.list().filter(|list| Some(*list) != before)
    })
}

#[test]
fn a_window_is_restored_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let companies = headless.window.list().unwrap();
    create(&mut headless, "Other");
    headless.key(Modifiers::COMMAND, Key::PageUp);
    go_to_price(&mut headless, 4);
    headless.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    headless.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    headless.window.grid.queue_command(GridCommand::Column(ColumnCommand::ToggleSparkline));
    headless.window.link = Link::new(Some(Group::Green));
    headless.window.viewport.on_top = true;
    headless.execute(Command::SetFlash(Flash::Cell));
    headless.frame(Vec::new());
    let (config, cursor) =
        (headless.window.grid.config.clone(), headless.window.grid.selection.cursor.clone());
    assert!(config.has_filters && config.sort.len() == 1 && config.sparklines.len() == 1);
    headless.stop();
    let mut headless = Headless::start(folder.path());
    assert_eq!(headless.window.list(), Some(companies));
    assert_eq!((&headless.window.grid.config, &headless.window.grid.selection.cursor), (&config, &cursor));
    assert_eq!((headless.window.link.group(), headless.window.viewport.on_top), (Some(Group::Green), true));
    assert_eq!(headless.window.grid.flash, Flash::Cell);
    // It is a setting of the window.
    headless.open_window();
    assert_eq!(headless.others[0].0.grid.flash, Flash::Row);
    headless.stop();
}

#[test]
fn the_last_changes_of_a_cell_come_from_the_server() {
    let mut two = Two::start();
    for value in ["80", "81", "82"] {
        go_to_price(&mut two.ann, 0);
        two.ann.enter(value);
        two.settle();
    }
    go_to_price(&mut two.bob, 0);
    two.bob.key(Modifiers::SHIFT, Key::F2);
    let (list, window) = (two.bob.window.list().unwrap(), two.bob.window.id());
    let changes = wait_for("the changes", || {
        two.bob.frame(Vec::new());
        let history = two.bob.state.store.cell_history(list, window)?;
        Some(history.changes.clone()).filter(|changes| !changes.is_empty())
    });
    let found: Vec<String> = changes.iter().map(|change| format!("{} {}", change.from, change.to)).collect();
    assert_eq!(found, ["\"81\" \"82\"", "\"80\" \"81\"", "\"71.72\" \"80\"", "empty \"71.72\""]);
    two.stop();
}

#[test]
fn closing_a_window_clears_its_presence() {
    let mut two = Two::start();
    two.ann.open_window();
    let list = two.ann.window.list().unwrap();
    let windows_of_ann = |two: &mut Two| {
        two.ann.frame(Vec::new());
        two.bob.frame(Vec::new());
        let (own, shown) =
            (two.bob.state.store.replica().client(), two.bob.state.store.replica().list(list).unwrap());
        shown.people().iter().filter(|person| person.client != own && person.cell.is_some()).count()
    };
    wait_for("both windows of Ann", || (windows_of_ann(&mut two) == 2).then_some(()));
    let (closed, _) = two.ann.others.remove(0);
    two.ann.state.store.forget_window(closed.id());
    wait_for("one window of Ann", || (windows_of_ann(&mut two) == 1).then_some(()));
    two.stop();
}

#[test]
fn undo_and_redo_move_the_cursor_to_the_changed_cell() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    go_to_price(&mut headless, 2);
    headless.enter("80");
    headless.key(Modifiers::COMMAND, Key::End);
    headless.key(Modifiers::COMMAND, Key::Z);
    headless.frame(Vec::new());
    let at = |headless: &Headless| headless.window.grid.selection.cursor.clone().unwrap();
    assert_eq!(at(&headless), Cursor { row: Some(id(&headless, 2)), column: "price".into() });
    headless.key(Modifiers::COMMAND, Key::Home);
    headless.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    headless.frame(Vec::new());
    assert_eq!(at(&headless), Cursor { row: Some(id(&headless, 2)), column: "price".into() });
    headless.stop();
}

#[test]
fn the_import_dialog_stays_open_after_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let file = folder.path().join("mine.csv");
    headless.window.overlays.dialog = Some(Dialog::import());
    headless.frame(Vec::new());
    let import = |headless: &mut Headless| {
        headless.key(Modifiers::COMMAND, Key::A);
        headless.typed(vec![egui::Event::Text(file.display().to_string())]);
        headless.key(Modifiers::NONE, Key::Enter);
        wait_for("the file to be read", || {
            headless.frame(Vec::new());
            (!headless.window.overlays.dialog.as_ref().is_some_and(Dialog::is_transferring)).then_some(())
        });
    };
    import(&mut headless);
    assert!(
        headless.window.overlays.dialog.is_some() && notices(&headless).is_empty(),
        "the file does not exist"
    );
    assert_eq!(
        headless.shown().unwrap().cell(id(&headless, 0), &"price".into()).as_number(),
        "71.72".parse().ok()
    );
    std::fs::write(&file, "Symbol,Price\nXYZ,7\n").unwrap();
    import(&mut headless);
    assert!(headless.window.overlays.dialog.is_none());
    wait_for("the imported list", || {
        headless.frame(Vec::new());
        (headless.symbols() == ["XYZ"]).then_some(())
    });
    headless.stop();
}

#[test]
fn two_processes_on_one_folder_each_restore_their_windows() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ann, mut bob) = (Headless::start(folder.path()), Headless::start(folder.path()));
    go_to_price(&mut ann, 3);
    go_to_price(&mut bob, 5);
    let (at_ann, at_bob) =
        (ann.window.grid.selection.cursor.clone(), bob.window.grid.selection.cursor.clone());
    assert_ne!(at_ann, at_bob);
    ann.stop();
    bob.stop();
    let (ann, bob) = (Headless::start(folder.path()), Headless::start(folder.path()));
    assert_eq!((&ann.window.grid.selection.cursor, &bob.window.grid.selection.cursor), (&at_ann, &at_bob));
    bob.stop();
    ann.stop();
}

#[test]
fn the_history_panel_follows_new_changes_and_restored_values() {
    let mut two = Two::start();
    go_to_price(&mut two.ann, 0);
    two.ann.enter("80");
    two.settle();
    two.bob.key(Modifiers::COMMAND, Key::H);
    let window = two.bob.window.id();
    let newest = |two: &mut Two| {
        two.ann.frame(Vec::new());
        two.bob.frame(Vec::new());
        let log = two.bob.state.store.log(window)?;
        log.entries().first().map(|entry| entry.change.clone())
    };
    let change = wait_for("the newest change", || newest(&mut two));
    let typed =
        Change::set_guarded(id(&two.bob, 0), &"price".into(), Literal::from("80"), Literal::from("71.72"));
    assert_eq!(change, typed);
    let row = id(&two.bob, 0);
    let restore = Change::set_guarded(row, &"price".into(), Literal::from("71.72"), Literal::from("80"));
    let list = two.bob.window.list().unwrap();
    let edit = AppCommand::Edit { watchlist: list, changes: vec![restore] };
    two.bob.execute(edit);
    two.settle();
    assert_eq!(price(&two.ann, 0), "71.72");
    wait_for("the restoring change", || {
        matches!(newest(&mut two)?, Change::Set(set) if set.value == Literal::from("71.72")).then_some(())
    });
    two.bob.key(Modifiers::COMMAND, Key::H);
    assert!(two.bob.window.history.is_none() && two.bob.state.store.log(window).is_none());
    two.stop();
}

#[test]
fn a_requested_watchlist_is_shown_or_reported_as_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let first = headless.window.list().unwrap();
    let command = AppCommand::Create("Second".to_owned());
    headless.execute(command);
    let second = wait_for("the second list", || {
        headless.frame(Vec::new());
        headless.window.list().filter(|list| *list != first)
    });
    headless.window.show_requested_list(first);
    headless.frame(Vec::new());
    assert_eq!((headless.window.list(), notices(&headless)), (Some(first), Vec::new()));
    headless.window.show_requested_list(second);
    headless.frame(Vec::new());
    assert_eq!((headless.window.list(), notices(&headless)), (Some(second), Vec::new()));
    let unknown = WatchlistId(uuid::Uuid::from_u128(1));
    headless.window.show_requested_list(unknown);
    headless.frame(Vec::new());
    assert_eq!(headless.window.list(), Some(first), "the oldest is shown instead");
    assert!(notices(&headless)[0].contains(&format!("no watchlist {unknown}")), "{:?}", notices(&headless));
    headless.stop();
}

#[test]
fn the_last_window_that_closes_is_opened_again_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    headless.open_window();
    headless.others[0].0.viewport.on_top = true;
    headless.frame(Vec::new());
    let (first, second) = (headless.window.id(), headless.others[0].0.id());
    let now = headless.now();
    headless.state.close_window(first, now);
    headless.state.close_window(second, now);
    // Windows may be drawn once more after they are closed.
    headless.frame(Vec::new());
    headless.state.save_workspace(now + Duration::from_secs(60), true);
    let saved = std::fs::read(folder.path().join("workspace.json")).unwrap();
    let saved: Workspace = serde_json::from_slice(&saved).unwrap();
    assert_eq!(saved.windows.iter().map(|window| window.on_top).collect::<Vec<_>>(), [true]);
    headless.stop();
}

#[test]
fn scroll_positions_are_kept_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("many.csv");
    let rows: String = (0..300).map(|number| format!("S{number},1\n")).collect();
    std::fs::write(&file, format!("Symbol,Price\n{rows}")).unwrap();
    let mut headless = Headless::start(folder.path());
    let companies = headless.window.list().unwrap();
    headless.execute(AppCommand::Import(file));
    let many = wait_for("the import", || {
        headless.frame(Vec::new());
        headless.shown().filter(|list| list.rows().len() == 300)?;
        headless.window.list()
    });
    headless.key(Modifiers::COMMAND, Key::End);
    headless.key(Modifiers::NONE, Key::ArrowUp);
    let position = headless.window.grid.scroll.position();
    assert!(position.row > 200.0, "{position:?}");
    headless.settle();
    headless.execute(Command::Show(companies));
    (0..3).for_each(|_| headless.frame(Vec::new()));
    headless.stop();
    let mut headless = Headless::start(folder.path());
    headless.execute(Command::Show(many));
    wait_for("the rows", || {
        headless.frame(Vec::new());
        headless.shown().filter(|list| list.rows().len() == 300).map(drop)
    });
    headless.frame(Vec::new());
    assert_eq!(headless.window.grid.scroll.position(), position);
    headless.stop();
}

#[test]
fn shown_rows_are_exported_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    go_to_price(&mut headless, 0);
    headless.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    headless.enter("Held");
    headless.settle();
    go_to_price(&mut headless, 1);
    headless.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    headless.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    let file = folder.path().join("shown.tsv");
    headless.key(Modifiers::COMMAND, Key::E);
    assert!(headless.find("Shown rows and columns, in their order").is_some());
    headless.typed(vec![Event::Text(file.display().to_string())]);
    headless.key(Modifiers::NONE, Key::Enter);
    let written = wait_for("the file", || {
        headless.frame(Vec::new());
        std::fs::read_to_string(&file).ok()
    });
    let lines: Vec<Vec<&str>> = written.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines[0][..3], ["Symbol", "Company", "Price"]);
    assert_eq!((lines.len(), lines[1][0]), (22, "Held"), "a section is exported, and not counted as a row");
    assert_eq!(lines[2][2], "71.72", "the highest price first");
    wait_for("the notice", || {
        headless.frame(Vec::new());
        notices(&headless).iter().any(|text| text.starts_with("20 rows were exported to")).then_some(())
    });
    assert!(headless.window.overlays.dialog.is_none());
    // The dialog says what is wrong, and asks before it replaces a file.
    let none = folder.path().join("none").join("shown.csv");
    headless.key(Modifiers::COMMAND, Key::E);
    headless.typed(vec![Event::Text(none.display().to_string())]);
    headless.key(Modifiers::NONE, Key::Enter);
    let error = format!("Cannot write {}: the folder does not exist.", none.display());
    wait_for("the error", || headless.find(&error));
    headless.key(Modifiers::COMMAND, Key::A);
    headless.typed(vec![Event::Text(file.display().to_string())]);
    headless.key(Modifiers::NONE, Key::Enter);
    assert!(headless.find("This file exists. It will be replaced.").is_some());
    headless.key(Modifiers::NONE, Key::Enter);
    wait_for("the end of the dialog", || {
        headless.frame(Vec::new());
        headless.window.overlays.dialog.is_none().then_some(())
    });
    // Everything, in the order of the list, whatever is shown.
    headless.window.grid.queue_command(GridCommand::Column(ColumnCommand::Hide));
    headless.frame(Vec::new());
    let everything = folder.path().join("everything.csv");
    headless.key(Modifiers::COMMAND, Key::E);
    headless.click("Everything");
    assert_eq!(headless.focused().as_deref(), Some("Path of the file"), "what is typed next is for it");
    headless.key(Modifiers::COMMAND, Key::A);
    headless.enter(&everything.display().to_string());
    let written = wait_for("the file", || {
        headless.frame(Vec::new());
        std::fs::read_to_string(&everything).ok()
    });
    let lines: Vec<Vec<&str>> = written.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((lines[0][..3].to_vec(), lines[1][0]), (vec!["Symbol", "Company", "Price"], "Held"));
    assert_eq!((lines.len(), lines[2][0], lines[2][2]), (22, "MMM", "71.72"));
    headless.stop();
}

#[test]
fn enter_on_a_command_that_cannot_run_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    headless.key(Modifiers::COMMAND, Key::K);
    headless.typed(vec![Event::Text("redo".to_owned())]);
    assert_eq!(headless.find("Nothing to redo in this window."), None);
    headless.key(Modifiers::NONE, Key::Enter);
    assert!(headless.window.overlays.palette.is_some(), "the palette stays open");
    assert!(headless.find("Nothing to redo in this window.").is_some());
    headless.typed(vec![Event::Text(" ".to_owned())]);
    assert_eq!(headless.find("Nothing to redo in this window."), None, "typing asks again");
    headless.stop();
}

#[test]
fn a_removal_says_what_it_removed_and_offers_to_undo_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    go_to_price(&mut headless, 1);
    headless.key(Modifiers::COMMAND, Key::Delete);
    assert_eq!(notices(&headless), ["\u{201c}AA\u{201d} was removed for everyone."]);
    assert!(!headless.symbols().contains(&"AA".to_owned()));
    headless.click("Undo");
    headless.settle();
    assert!(headless.symbols().contains(&"AA".to_owned()));
    assert_eq!(notices(&headless), [""; 0]);
    // Another edit is the last one then, so the notice does not offer to undo the removal any more.
    go_to_price(&mut headless, 1);
    headless.key(Modifiers::COMMAND, Key::Delete);
    headless.enter("80");
    assert_eq!(notices(&headless), [""; 0]);
    go_to_price(&mut headless, 1);
    headless.key(Modifiers::COMMAND, Key::Delete);
    assert_eq!(notices(&headless).len(), 1);
    headless.key(Modifiers::NONE, Key::Escape);
    assert_eq!(notices(&headless), [""; 0], "Esc dismisses it");
    headless.stop();
}

#[test]
fn a_new_window_does_not_show_what_others_were_told_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let now = headless.now();
    headless.state.store.notify("Told before.", now);
    assert!(headless.find("Told before.").is_some());
    headless.open_window();
    let shown = |headless: &Headless| {
        let notices = headless.others[0].0.addressee().notices(&headless.state);
        notices.map(|notice| notice.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&headless), [""; 0]);
    let now = headless.now();
    headless.state.store.notify("Told to all.", now);
    headless.execute(AppCommand::Notify("Told to the window of the command.".to_owned()));
    assert_eq!(shown(&headless), ["Told to all."]);
    assert!(headless.find("Told to the window of the command.").is_some());
    headless.stop();
}

/// Both linked windows are on the row that somebody else removes.
#[test]
fn a_linked_window_chooses_no_cell_in_place_of_a_removed_row() {
    let mut two = Two::start();
    two.ann.open_window();
    two.ann.window.link = Link::new(Some(Group::Blue));
    two.ann.others[0].0.link = Link::new(Some(Group::Blue));
    for round in 0..5 {
        go_to_price(&mut two.ann, 2 + round);
        (0..3).for_each(|_| two.ann.frame(Vec::new()));
        let removed = id(&two.ann, 2 + round);
        let (list, window) = (two.bob.window.list().unwrap(), two.bob.window.id());
        two.bob.state.store.edit(list, window, vec![Change::remove(removed, None)]).unwrap();
        two.settle();
        (0..3).for_each(|_| two.ann.frame(Vec::new()));
        // Whichever window was drawn first.
        two.ann.swap_windows();
        let before = price(&two.ann, 2 + round);
        two.ann.enter("65.43");
        two.settle();
        assert_eq!(price(&two.ann, 2 + round), before, "round {round}");
        let told = notices(&two.ann);
        assert!(told.iter().any(|notice| notice.starts_with("The row under the cursor was removed.")));
        // The person chooses the row that took its place, which the other window follows.
        two.ann.advance(Duration::from_secs(2));
        two.ann.key(Modifiers::NONE, Key::ArrowDown);
        (0..3).for_each(|_| two.ann.frame(Vec::new()));
        let followed = two.ann.others[0].0.grid.selection.cursor.as_ref().and_then(|cursor| cursor.row);
        assert_eq!(followed, Some(id(&two.ann, 2 + round)), "round {round}");
        two.ann.advance(Duration::from_secs(10));
    }
    two.stop();
}
