//! The history panel: its texts, its queries and the edits that restore values.

use desktop::{
    command::{AppCommand, Command, GridCommand},
    grid::Cursor,
    panels::history::{self, HistoryPanel, View},
    store::log::Log,
    theme::{self, Palette},
};
use egui::{Theme, Vec2};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults, kittest::Queryable};
use shared::{
    column::standard_columns,
    edit::{Author, Change, ColumnRef, Commit, Remove, RemovedRow, Set},
    ids::{ClientId, EditId, Revision, RowId, UserId, WatchlistId},
    limits::Limits,
    number::Separators,
    position::Position,
    time::Timestamp,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
};
use uuid::Uuid;

use crate::painter::CpuPainter;

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const ANN: UserId = UserId(Uuid::from_u128(1));
const BOB: UserId = UserId(Uuid::from_u128(2));

fn row(number: u128) -> RowId {
    RowId(Uuid::from_u128(number))
}

/// A history panel on a watchlist of two rows, with the commits that led to it.
struct Desk {
    watchlist: Watchlist,
    /// Newest first.
    commits: Vec<Commit>,
    log: Log,
    panel: HistoryPanel,
    cursor: Cursor,
    commands: Vec<Command>,
    is_open: bool,
    has_theme: bool,
}

fn set(of: RowId, column: &str, value: &str, was: Option<&str>) -> Change {
    let was = was.map(|was| if was.is_empty() { Literal::Empty } else { Literal::from(was) });
    Change::Set(Set { row: of, column: column.into(), value: Literal::from(value), was })
}

fn desk() -> Harness<'static, Desk> {
    let limits = Limits::default();
    let mut watchlist = Watchlist::new("Core book", standard_columns(), &limits).unwrap();
    let positions = Position::between(None, None, 3).unwrap();
    let insert = |number: u128, symbol: &str, price: &str| {
        let cells = [("symbol".into(), Literal::from(symbol)), ("price".into(), Literal::from(price))];
        Change::insert(row(number), &positions[number as usize - 1], cells.into())
    };
    let done = [
        (ANN, "ann", vec![insert(1, "MMM", "70"), insert(2, "AA", "29"), insert(3, "OLD", "1")]),
        (ANN, "ann", vec![set(row(1), "price", "71.72", Some("70"))]),
        (
            BOB,
            "Bob Ross",
            vec![set(row(1), "price", "72.5", Some("71.72")), set(row(2), "note", "watch", Some(""))],
        ),
        (BOB, "Bob Ross", vec![Change::remove(row(3), None)]),
        (ANN, "ann", vec![Change::RemoveColumn(ColumnRef { key: "target".into() })]),
        (ANN, "ann", vec![Change::rename("Core"), set(row(2), "price", "30", None)]),
        (BOB, "Bob Ross", vec![Change::rename("Core book")]),
    ];
    let start = "2026-11-22T14:03:21.000Z".parse::<Timestamp>().unwrap().as_millis();
    let mut commits: Vec<Commit> = Vec::new();
    for (index, (user, name, changes)) in done.into_iter().enumerate() {
        let at = Timestamp::from_millis(start + index as i64 * 61_000);
        watchlist.apply(&changes, &Mode::Confirmed { at }).unwrap();
        let (client, edit) = (ClientId(Uuid::nil()), EditId(index as u64 + 1));
        let by = Author { user, name: name.into(), client, edit };
        commits.push(Commit { revision: Revision(index as u64 + 1), by, at, changes });
    }
    commits.reverse();
    let panel = HistoryPanel::default();
    let mut log = Log::new(panel.query(LIST));
    drop(log.next_request(false));
    log.add_page(&commits, None);
    let cursor = Cursor { row: Some(row(1)), column: "price".into() };
    let desk = Desk {
        watchlist,
        commits,
        log,
        panel,
        cursor,
        commands: Vec::new(),
        is_open: true,
        has_theme: false,
    };
    let builder = Harness::builder()
        .with_step_dt(0.05)
        .with_size(Vec2::new(780.0, 410.0))
        .renderer(CpuPainter::default());
    let mut harness = builder.build_ui_state(frame, desk);
    harness.run_steps(4);
    harness
}

fn frame(ui: &mut egui::Ui, desk: &mut Desk) {
    if !std::mem::replace(&mut desk.has_theme, true) {
        // The fonts are available from the next frame on.
        theme::install(ui.ctx());
        ui.ctx().set_theme(Theme::Dark);
        return;
    }
    let view = View {
        id: LIST,
        watchlist: &desk.watchlist,
        log: Some(&desk.log),
        cursor: Some(&desk.cursor),
        zone: &jiff::tz::TimeZone::UTC,
        today: jiff::civil::date(2026, 11, 22),
        separators: Separators::ENGLISH,
        palette: Palette::of(Theme::Dark, false),
    };
    desk.is_open = history::show(ui, &mut desk.panel, &view, &mut desk.commands);
}

#[test]
fn entries_describe_who_changed_what() {
    let desk = desk();
    for text in [
        "AA Price: ? \u{203a} 30.00",
        "Watchlist renamed from Core to Core book",
        "Watchlist named Core",
        "Column Target removed",
        "OLD removed",
        "AA Note: empty \u{203a} watch",
        "MMM Price: 71.72 \u{203a} 72.50",
        "MMM Price: 70.00 \u{203a} 71.72",
        "MMM added",
    ] {
        desk.get_by_label(text);
    }
    assert_eq!(desk.get_all_by_label("Bob Ross").count(), 3);
    assert_eq!(desk.get_all_by_label("14:05:23").count(), 1, "an edit has one heading");
}

#[test]
fn the_filters_narrow_the_query_to_a_row_a_column_and_a_person() {
    let mut desk = desk();
    desk.get_by_label("Only MMM").click();
    desk.run_steps(3);
    let query = desk.state().panel.query(LIST);
    assert_eq!((query.row, query.column.clone(), query.user), (Some(row(1)), None, None));
    desk.get_by_label("Only Price").click();
    desk.run_steps(3);
    assert_eq!(desk.state().panel.query(LIST).column, Some("price".into()));
    desk.get_by_role(egui::accesskit::Role::ComboBox).click();
    desk.run_steps(3);
    let in_list = desk.get_all_by_label("Bob Ross").find(|node| {
        use egui_kittest::kittest::NodeT;
        node.accesskit_node().role() == egui::accesskit::Role::Button
    });
    in_list.expect("the person is listed").click();
    desk.run_steps(3);
    assert_eq!(desk.state().panel.query(LIST).user, Some(BOB));
}

#[test]
fn a_value_is_restored_by_a_guarded_edit() {
    let mut desk = desk();
    // The fourth button belongs to the newest change that replaced a known value: 71.72 by 72.50.
    let restore: Vec<_> = desk.get_all_by_label("Restore").collect();
    assert_eq!(restore.len(), 5, "current and unknown values cannot be restored");
    restore[3].click();
    desk.run_steps(3);
    let Some(Command::App(AppCommand::Edit { watchlist, changes, .. })) =
        desk.state().commands.first().cloned()
    else {
        panic!("the first command is not an edit: {:?}", desk.state().commands)
    };
    let guarded = Change::set_guarded(row(1), &"price".into(), Literal::from("71.72"), Literal::from("72.5"));
    assert_eq!((watchlist, changes), (LIST, vec![guarded]));
}

/// The history is not updated while the pointer is over it.
#[test]
fn a_restoration_asks_before_it_replaces_a_value_that_the_history_does_not_show_yet() {
    let mut desk = desk();
    let newer = set(row(1), "price", "404.5", None);
    let at = desk.state().commits[0].at;
    desk.state_mut().watchlist.apply(&[newer], &Mode::Confirmed { at }).unwrap();
    desk.run_steps(3);
    // The buttons of a value now belong to both changes of the price.
    let restore = desk.get_all_by_label("Restore").nth(3).unwrap();
    restore.click();
    desk.run_steps(3);
    let Some(Command::Grid(GridCommand::Confirm(question))) = desk.state().commands.first().cloned() else {
        panic!("the first command is not a question: {:?}", desk.state().commands)
    };
    let text = "Price of MMM was changed to 404.50, which the history does not show yet.";
    assert_eq!(question.lines, ["Restore Price of MMM to 71.72?", text]);
    assert_eq!(question.edits.len(), 1);
}

/// New entries have just moved the button under the pointer.
#[test]
fn a_restoration_asks_if_the_entries_have_just_moved() {
    let mut desk = desk();
    let Desk { commits, log, .. } = desk.state_mut();
    let newest = Commit {
        revision: Revision(9),
        changes: vec![set(row(2), "note", "sell", Some("watch"))],
        ..commits[0].clone()
    };
    let all: Vec<Commit> = [&newest].into_iter().chain(&*commits).cloned().collect();
    drop(log.next_request(false));
    log.add_page(&all, None);
    desk.step();
    desk.get_all_by_label("Restore").last().unwrap().click();
    desk.step();
    let asks = |desk: &Harness<'_, Desk>| {
        matches!(desk.state().commands.first(), Some(Command::Grid(GridCommand::Confirm(_))))
    };
    assert!(asks(&desk), "{:?}", desk.state().commands);
    desk.state_mut().commands.clear();
    desk.run_steps(10);
    desk.get_all_by_label("Restore").last().unwrap().click();
    desk.run_steps(2);
    assert!(!desk.state().commands.is_empty() && !asks(&desk), "{:?}", desk.state().commands);
}

#[test]
fn a_removed_row_is_restored_once_all_its_changes_are_loaded() {
    let mut desk = desk();
    // The newest changes alone do not include its values.
    let Desk { commits, log, .. } = desk.state_mut();
    let (first, newer) = commits.split_last().unwrap();
    drop(log.next_request(false));
    log.add_page(newer, None);
    let first = first.clone();
    desk.run_steps(10);
    desk.get_by_label("Unknown row removed");
    desk.get_by_label("Show row").click();
    desk.run_steps(3);
    let query = desk.state().panel.query(LIST);
    assert_eq!((query.row, query.column, query.user), (Some(row(3)), None, None));
    let log = &mut desk.state_mut().log;
    drop(log.next_request(true));
    log.add_page(&[first], None);
    desk.run_steps(10);
    desk.get_by_label("OLD removed");
    assert!(desk.query_by_label("Show row").is_none());
    // The first one restores a column.
    desk.get_all_by_label("Restore").nth(1).unwrap().click();
    desk.run_steps(3);
    let Some(Command::App(AppCommand::Edit { changes, .. })) = desk.state().commands.first().cloned() else {
        panic!("the first command is not an edit: {:?}", desk.state().commands)
    };
    let position = Position::between(None, None, 3).unwrap().remove(2);
    let cells = [("symbol".into(), Literal::from("OLD")), ("price".into(), Literal::from("1"))];
    assert_eq!(changes, [Change::insert(row(3), &position, cells.into())]);
}

#[test]
fn a_removal_that_says_what_the_row_was_names_and_restores_it_without_older_changes() {
    let mut desk = desk();
    let position = Position::from_hex("c0").unwrap();
    let cells = [("symbol".into(), Literal::from("OLD")), ("price".into(), Literal::from("1"))];
    let was = RemovedRow { position: Some(position.clone()), cells: cells.clone().into() };
    let name = RemovedRow { position: None, cells: [("symbol".into(), Literal::from("HUGE"))].into() };
    let removal = |row, was| Change::Remove(Remove { row, as_of: None, was: Some(Box::new(was)) });
    let Desk { commits, log, .. } = desk.state_mut();
    let changes = vec![removal(row(3), was), removal(row(4), name)];
    let newest = Commit { revision: Revision(9), changes, ..commits[0].clone() };
    drop(log.next_request(false));
    log.add_page(&[newest], None);
    desk.run_steps(10);
    desk.get_by_label("2 rows removed");
    desk.get_by_label("OLD removed");
    desk.get_by_label("HUGE removed");
    assert_eq!(desk.get_all_by_label("Show row").count(), 1, "the cells of the other row are not known");
    desk.get_by_label("Restore").click();
    desk.run_steps(3);
    let Some(Command::App(AppCommand::Edit { changes, .. })) = desk.state().commands.first().cloned() else {
        panic!("the first command is not an edit: {:?}", desk.state().commands)
    };
    assert_eq!(changes, [Change::insert(row(3), &position, cells.into())]);
}

#[test]
fn a_whole_edit_is_restored_and_its_changes_open_and_close() {
    let mut desk = desk();
    desk.get_by_label("3 rows added");
    desk.get_by_label("2 cells changed").click();
    desk.run_steps(3);
    assert!(desk.query_by_label("AA Note: empty \u{203a} watch").is_none(), "closed");
    assert_eq!(buttons_of(&desk).len(), 2, "of the newest edit, nothing that it replaced is known");
    buttons_of(&desk)[0].click();
    desk.run_steps(3);
    buttons_of(&desk)[1].click();
    desk.run_steps(3);
    let edits: Vec<Vec<Change>> = desk.state().commands.iter().take(1).map(changes_of).collect();
    let set = |row, column: &str, value: &str, was: &str| {
        let literal = |text: &str| if text.is_empty() { Literal::Empty } else { Literal::from(text) };
        Change::set_guarded(row, &column.into(), literal(value), literal(was))
    };
    assert_eq!(edits, [vec![set(row(1), "price", "71.72", "72.5"), set(row(2), "note", "", "watch")]]);
    let Command::Grid(GridCommand::Confirm(asked)) = &desk.state().commands[1] else {
        panic!("no question: {:?}", desk.state().commands)
    };
    assert_eq!(asked.lines, ["This edit added 2 rows, which are removed for everyone."], "all rows");
    let added = Some(Revision(1));
    assert_eq!(asked.edits, [[Change::remove(row(2), added), Change::remove(row(1), added)]]);
}

#[test]
fn a_restored_edit_leaves_out_what_others_have_changed_since_and_says_so() {
    let mut desk = desk();
    let Desk { watchlist, .. } = desk.state_mut();
    let limits = Limits::default();
    watchlist.apply(&[set(row(1), "price", "75", None)], &Mode::Pending { limits: &limits }).unwrap();
    desk.run_steps(3);
    buttons_of(&desk)[0].click();
    desk.run_steps(3);
    let Some(Command::Grid(GridCommand::Confirm(asked))) = desk.state().commands.first().cloned() else {
        panic!("no question: {:?}", desk.state().commands)
    };
    assert_eq!(
        asked.lines,
        ["1 change of this edit cannot be restored, or somebody has changed the same since."]
    );
    assert_eq!(asked.edits[0].len(), 1, "the note");
    desk.get_by_label("Only MMM").click();
    desk.run_steps(3);
    let query = desk.state().panel.query(LIST);
    let log = &mut desk.state_mut().log;
    *log = Log::new(query);
    drop(log.next_request(false));
    desk.run_steps(3);
    assert_eq!(
        desk.query_all_by_label("Revert edit").count(),
        0,
        "a filtered history has only a part of each edit"
    );
}

fn buttons_of<'d>(desk: &'d Harness<'static, Desk>) -> Vec<egui_kittest::Node<'d>> {
    desk.get_all_by_label("Revert edit").collect()
}

fn changes_of(command: &Command) -> Vec<Change> {
    match command {
        Command::App(AppCommand::Edit { changes, .. }) => changes.clone(),
        other => panic!("not an edit: {other:?}"),
    }
}

#[test]
fn the_restoration_of_an_edit_that_added_many_rows_is_asked_for() {
    let mut desk = desk();
    let limits = Limits::default();
    let positions = Position::between(None, None, 101).unwrap();
    let inserts =
        (100..).zip(&positions).map(|(number, position)| Change::insert(row(number), position, [].into()));
    let changes: Vec<Change> = inserts.collect();
    let Desk { watchlist, commits, log, .. } = desk.state_mut();
    watchlist.apply(&changes, &Mode::Pending { limits: &limits }).unwrap();
    let newest = Commit { revision: Revision(9), changes, ..commits[0].clone() };
    drop(log.next_request(false));
    log.add_page(&[newest], None);
    desk.run_steps(10);
    assert!(desk.query_by_label_contains("Unnamed row").is_none(), "many changes are closed at first");
    desk.get_by_label("Revert edit").click();
    desk.run_steps(3);
    let Some(Command::Grid(GridCommand::Confirm(asked))) = desk.state().commands.first().cloned() else {
        panic!("no question: {:?}", desk.state().commands)
    };
    assert_eq!(asked.lines, ["This edit added 101 rows, which are removed for everyone."]);
}

#[test]
fn a_search_that_the_server_ended_early_can_be_continued() {
    let mut desk = desk();
    let log = &mut desk.state_mut().log;
    drop(log.next_request(false));
    log.add_page(&[], Some(Revision(17)));
    desk.run_steps(10);
    assert!(desk.query_by_label("No changes found").is_none());
    desk.get_by_label("Show older changes").click();
    desk.run_steps(3);
    let older = Command::from(AppCommand::RequestLog { older: true });
    assert!(desk.state().commands.contains(&older));
    let log = &mut desk.state_mut().log;
    assert_eq!(log.next_request(true).before, Some(Revision(17)));
    log.add_page(&[], None);
    desk.run_steps(10);
    desk.get_by_label("No changes found");
}

#[test]
fn the_panel_matches_its_snapshot() {
    let mut desk = desk();
    let mut results = SnapshotResults::new();
    results.add(desk.try_snapshot_options("history", &SnapshotOptions::default()));
}
