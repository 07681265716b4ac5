//! Keys of a whole window: shortcuts, and the order of keys that arrive together.

use std::time::Duration;

use desktop::command::{AppCommand, ColumnCommand, Command, DialogKind, GridCommand, Step};
use egui::{Event, Key, Modifiers};
use shared::{column::ColumnKind, edit::Change, value::Literal};

use crate::{
    headless::Headless,
    windows::{create, go_to_price, id, price},
};

#[test]
fn keys_switch_tabs_and_each_tab_keeps_its_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let companies = headless.window.list().unwrap();
    go_to_price(&mut headless, 4);
    let left = headless.window.grid.selection.cursor.clone();
    let other = create(&mut headless, "Other");
    for (modifiers, key, expected) in [
        (Modifiers::COMMAND, Key::PageDown, companies),
        (Modifiers::COMMAND, Key::PageUp, other),
        (Modifiers::COMMAND, Key::Tab, companies),
        (Modifiers::COMMAND | Modifiers::SHIFT, Key::Tab, other),
        (Modifiers::COMMAND, Key::PageUp, companies),
    ] {
        headless.key(modifiers, key);
        assert_eq!(headless.window.list(), Some(expected), "{key:?}");
    }
    assert_eq!(headless.window.grid.selection.cursor, left);
    headless.stop();
}

/// On a busy computer everything that a person types in a moment arrives in one frame.
#[test]
fn what_is_typed_at_once_goes_where_it_goes_when_it_is_typed_slowly() {
    let ctrl = |key| press(Modifiers::COMMAND, key);
    let key = |key| press(Modifiers::NONE, key);
    let value = || {
        [key(Key::Num5), text("5"), key(Key::Num2), text("2."), key(Key::Num7), text("7"), key(Key::Enter)]
    };
    let closed: [(&str, Event); 7] = [
        ("palette", ctrl(Key::K)),
        ("watchlists", ctrl(Key::G)),
        ("keys", key(Key::F1)),
        ("settings", key(Key::F10)),
        ("find", ctrl(Key::F)),
        ("menu", press(Modifiers::SHIFT, Key::F10)),
        ("tabs", key(Key::F6)),
    ];
    let mut cases: Vec<(&str, Vec<Event>, [&str; 2])> = closed
        .into_iter()
        .map(|(name, open)| {
            (name, [vec![open, key(Key::Escape)], value().into()].concat(), ["52.7", "29.01"])
        })
        .collect();
    let undone = [vec![text("9"), key(Key::Enter), ctrl(Key::Z)], value().into()].concat();
    cases.push(("undo", undone, ["52.7", "29.01"]));
    cases.push(("delete", [vec![key(Key::Delete)], value().into()].concat(), ["52.7", "29.01"]));
    let pasted = vec![Event::Paste("1".to_owned()), key(Key::ArrowDown), text("5"), key(Key::Enter)];
    cases.push(("paste", pasted, ["1", "5"]));
    let copied = vec![Event::Copy, key(Key::ArrowDown), Event::Paste("7".to_owned())];
    cases.push(("copy", copied, ["71.72", "71.72"]));
    for (name, letter) in
        [("settings menu", Key::S), ("new menu", Key::N), ("link menu", Key::L), ("column menu", Key::C)]
    {
        // On Linux, the text of the letter comes with it.
        let opened = vec![press(Modifiers::ALT, letter), text(letter.name()), key(Key::Escape)];
        cases.push((name, [opened, value().into()].concat(), ["52.7", "29.01"]));
    }
    cases.push(("insert", [vec![key(Key::Insert)], value().into()].concat(), ["52.7", "71.72"]));
    for (name, events, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut headless = Headless::start(folder.path());
        go_to_price(&mut headless, 0);
        headless.typed(with_releases(events));
        (0..60).for_each(|_| headless.frame(Vec::new()));
        headless.settle();
        let shown = headless.shown().unwrap();
        let prices = [0, 1].map(|index| {
            let row = shown.rows().at(index).unwrap().id;
            shown.cell(row, &"price".into()).to_literal()
        });
        assert_eq!(prices, expected.map(Literal::from), "{name}: {:?}", headless.window.grid.editor());
        headless.stop();
    }
}

#[test]
fn an_undo_that_is_not_seen_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let companies = headless.window.list().unwrap();
    let notices = |headless: &Headless| -> Vec<String> {
        headless.state.store.notices().iter().map(|notice| notice.text.clone()).collect()
    };
    let type_price = |headless: &mut Headless| {
        go_to_price(headless, 0);
        headless.enter("42");
        headless.settle();
    };
    type_price(&mut headless);
    headless.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(notices(&headless), [""; 0], "the cursor shows it");
    type_price(&mut headless);
    // A window that was restored has a layout that nothing of this run has made.
    headless.window.grid.config.hidden.insert("price".into());
    headless.execute(Command::Undo);
    headless.frame(Vec::new());
    assert_eq!(notices(&headless), ["Undone: MMM Price, which is not shown here."]);
    headless.window.grid.config.hidden.clear();
    headless.key(Modifiers::NONE, Key::Escape);
    assert_eq!(notices(&headless), [""; 0]);
    type_price(&mut headless);
    headless.window.grid.config.has_filters = true;
    headless.window.grid.config.filters.insert("symbol".into(), "AA".to_owned());
    headless.execute(Command::Undo);
    headless.frame(Vec::new());
    assert_eq!(notices(&headless), ["Undone: MMM Price, which is not shown here."]);
    headless.window.grid.config.close_filters();
    headless.frame(Vec::new());
    type_price(&mut headless);
    let other = create(&mut headless, "Other");
    assert_eq!(headless.window.list(), Some(other));
    headless.key(Modifiers::COMMAND, Key::Z);
    headless.key(Modifiers::COMMAND, Key::Z);
    let asked =
        "The last change to undo is in \u{201c}Companies\u{201d}. Press Ctrl+Z again to undo it there.";
    assert_eq!(
        (headless.window.list(), notices(&headless).last().map(String::as_str)),
        (Some(other), Some(asked))
    );
    headless.advance(Duration::from_secs(1));
    headless.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(headless.window.list(), Some(companies));
    assert_eq!(notices(&headless).last().unwrap(), "Undone: MMM Price in \u{201c}Companies\u{201d}.");
    headless.stop();
}

#[test]
fn escape_does_not_dismiss_values_that_exist_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    go_to_price(&mut headless, 0);
    let row = headless.shown().unwrap().rows().at(0).unwrap().id;
    let list = headless.window.list().unwrap();
    headless.state.store.keep_draft(list, row, &"price".into(), "71");
    headless.execute(AppCommand::Notify("Something happened.".to_owned()));
    (0..4).for_each(|_| headless.key(Modifiers::NONE, Key::Escape));
    let left: Vec<usize> =
        headless.state.store.notices().iter().map(|notice| notice.rejected.len()).collect();
    assert_eq!(left, [1]);
    headless.click("Dismiss");
    assert!(headless.state.store.notices().is_empty());
    headless.stop();
}

/// On a busy computer the press, the way and the release of a drag arrive in one frame, and the next key, too.
#[test]
fn a_key_after_a_drag_is_for_what_was_dragged_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let places = ["General Electric Company, row GE", "Honeywell Intl Inc, row HON"]
        .map(|name| headless.find(&format!("Company, {name}")).unwrap());
    let moved = |at| Event::PointerMoved(at);
    let button = |pressed, pos| Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    let [from, to] = places;
    let middle = egui::pos2(from.x, (from.y + to.y) / 2.0);
    let drag = vec![moved(from), button(true, from), moved(middle), moved(to), button(false, to)];
    headless.typed(with_releases([drag, vec![press(Modifiers::NONE, Key::Delete)]].concat()));
    (0..20).for_each(|_| headless.frame(Vec::new()));
    headless.settle();
    let shown = headless.shown().unwrap();
    let cleared: Vec<String> = shown
        .rows()
        .iter()
        .filter(|row| shown.cell(row.id, &"company".into()).is_empty())
        .map(|row| shown.cell(row.id, &"symbol".into()).to_literal().to_string())
        .collect();
    assert_eq!(cleared, ["\"GE\"", "\"GM\"", "\"HPQ\"", "\"HON\""]);
    headless.stop();
}

/// Text and clicks that arrive in one frame act one after the other.
#[test]
fn text_is_for_the_cell_that_was_clicked_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let click = |pos| {
        let button = |pressed| Event::PointerButton {
            pos,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        vec![Event::PointerMoved(pos), button(true), button(false)]
    };
    let digits = |number: &str| number.chars().map(|digit| text(&digit.to_string())).collect::<Vec<_>>();
    let at = |headless: &mut Headless, symbol: &str, price: &str| {
        headless.find(&format!("Price, {price}, row {symbol}")).unwrap()
    };
    let places = [("MMM", "71.72"), ("AIG", "64.13"), ("C", "49.37")]
        .map(|(symbol, price)| at(&mut headless, symbol, price));
    let batch = [
        click(places[0]),
        digits("911"),
        click(places[1]),
        digits("912"),
        click(places[2]),
        digits("913"),
        vec![press(Modifiers::NONE, Key::Enter)],
    ];
    headless.typed(with_releases(batch.concat()));
    (0..60).for_each(|_| headless.frame(Vec::new()));
    headless.settle();
    let shown = headless.shown().unwrap();
    let prices = [0, 3, 6].map(|index| {
        let row = shown.rows().at(index).unwrap().id;
        shown.cell(row, &"price".into()).to_literal()
    });
    assert_eq!(prices, ["911", "912", "913"].map(Literal::from));
    headless.stop();
}

#[test]
fn enter_chooses_from_what_is_found_for_all_that_was_typed_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let before = headless.window.grid.density;
    let list = headless.window.list().unwrap();
    headless.execute(Command::OpenDialog(DialogKind::Rename(list)));
    headless.frame(Vec::new());
    headless.typed(vec![text("Renamed"), press(Modifiers::NONE, Key::Enter)]);
    headless.settle();
    assert_eq!(&**headless.shown().unwrap().name(), "Renamed", "of a dialog");
    headless.typed(with_releases(vec![press(Modifiers::COMMAND, Key::K)]));
    headless.frame(Vec::new());
    headless.typed(vec![text("comfortable"), press(Modifiers::NONE, Key::Enter)]);
    assert_ne!(headless.window.grid.density, before);
    headless.stop();
}

fn press(modifiers: Modifiers, key: Key) -> Event {
    event(modifiers, key, true)
}

fn event(modifiers: Modifiers, key: Key, pressed: bool) -> Event {
    Event::Key { key, physical_key: None, pressed, repeat: false, modifiers }
}

/// Adds the release of every pressed key.
fn with_releases(events: Vec<Event>) -> Vec<Event> {
    let released = events.into_iter().flat_map(|pressed| {
        let release = match &pressed {
            Event::Key { key, modifiers, .. } => Some(event(*modifiers, *key, false)),
            _ => None,
        };
        [Some(pressed), release]
    });
    let mut released: Vec<Event> = released.flatten().collect();
    // A text comes with the press of its key.
    for index in 2..released.len() {
        if matches!(
            (&released[index - 1], &released[index]),
            (Event::Key { pressed: false, .. }, Event::Text(_))
        ) {
            released.swap(index - 1, index);
        }
    }
    released
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

/// At a low frame rate a shortcut and the keys around it arrive in one frame.
#[test]
fn keys_around_a_shortcut_in_the_same_frame_go_where_they_were_meant_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let companies = headless.window.list().unwrap();
    let other = create(&mut headless, "Other");
    headless.execute(Command::Show(companies));
    go_to_price(&mut headless, 0);
    let next = || press(Modifiers::COMMAND, Key::PageDown);
    let enter = || press(Modifiers::NONE, Key::Enter);
    headless.typed(vec![text("5"), text("0"), enter(), next(), text("NEW"), enter()]);
    (0..6).for_each(|_| headless.frame(Vec::new()));
    assert_eq!(headless.window.list(), Some(other));
    let symbols = |list| {
        let rows = headless.state.store.watchlist(list).unwrap().rows().iter();
        rows.filter(|row| row.stored(0).to_literal() == Literal::from("NEW")).count()
    };
    assert_eq!((symbols(companies), symbols(other)), (0, 1), "typed after the switch");
    headless.execute(Command::Show(companies));
    headless.frame(Vec::new());
    assert_eq!(price(&headless, 0), "50", "typed before the switch");

    let tab = || press(Modifiers::NONE, Key::Tab);
    let escape = || press(Modifiers::NONE, Key::Escape);
    let down = || press(Modifiers::NONE, Key::ArrowDown);
    go_to_price(&mut headless, 1);
    headless.typed(vec![
        text("8"),
        escape(),
        text("5"),
        text("1"),
        tab(),
        text("7"),
        down(),
        text("6"),
        enter(),
    ]);
    (0..8).for_each(|_| headless.frame(Vec::new()));
    let shown = headless.shown().unwrap();
    let number = |row: usize, column: &str| {
        shown.cell(id(&headless, row), &column.into()).as_number().map(|number| number.to_string())
    };
    let closes = [1, 2].map(|row| number(row, "previousClose"));
    assert_eq!(
        (price(&headless, 1), closes),
        ("51".to_owned(), [Some("7".to_owned()), Some("6".to_owned())])
    );

    headless.typed(vec![press(Modifiers::COMMAND, Key::K), text("dark")]);
    headless.frame(Vec::new());
    assert!(headless.window.overlays.palette.is_some() && headless.window.grid.editor().is_none());
    headless.stop();
}

#[test]
fn overlays_do_not_change_the_text_of_an_open_editor() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let editor = |headless: &Headless| headless.window.grid.editor().map(|editor| editor.text.clone());
    go_to_price(&mut headless, 0);
    headless.typed(vec![egui::Event::Text("8".to_owned())]);
    headless.key(Modifiers::COMMAND, Key::K);
    assert!(headless.window.overlays.palette.is_some());
    headless.typed(vec![egui::Event::Text("light".to_owned())]);
    headless.key(Modifiers::NONE, Key::Escape);
    headless.key(Modifiers::NONE, Key::F1);
    assert!(headless.window.overlays.is_keys_open && headless.window.overlays.palette.is_none());
    headless.typed(vec![egui::Event::Text("x".to_owned())]);
    headless.key(Modifiers::NONE, Key::Escape);
    assert_eq!((editor(&headless).as_deref(), price(&headless, 0)), (Some("8"), "71.72".to_owned()));
    headless.typed(vec![egui::Event::Text("0".to_owned())]);
    assert_eq!(editor(&headless).as_deref(), Some("80"), "typing continues in the editor");
    // A command runs once the cell is committed.
    headless.window.grid.queue_command(GridCommand::Move(Step::Last));
    headless.frame(Vec::new());
    headless.frame(Vec::new());
    assert_eq!((editor(&headless), price(&headless, 0)), (None, "80".to_owned()));
    assert_eq!(headless.window.grid.selection.cursor.as_ref().unwrap().row, Some(id(&headless, 19)));
    headless.stop();
}

#[test]
fn a_changed_column_type_is_undone_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let list = headless.window.list().unwrap();
    let row = headless.shown().unwrap().rows().at(0).unwrap().id;
    let set = Change::set(row, &"note".into(), Literal::from("1.2M"));
    headless.execute(AppCommand::Edit { watchlist: list, changes: vec![set] });
    headless.settle();
    let note = |headless: &Headless| {
        let shown = headless.shown().unwrap();
        let entry = shown.columns().get(&"note".into()).unwrap();
        (entry.column.kind.clone(), shown.cell(row, &"note".into()).to_literal())
    };
    let before = note(&headless);
    headless.execute(Command::OpenDialog(DialogKind::ColumnType(list, "note".into())));
    (0..3).for_each(|_| headless.frame(Vec::new()));
    headless.click("Number");
    headless.key(Modifiers::NONE, Key::Enter);
    headless.settle();
    assert_eq!(note(&headless), (ColumnKind::Number { decimals: 0 }, Literal::from("1200000")));
    headless.key(Modifiers::COMMAND, Key::Z);
    headless.settle();
    assert_eq!(note(&headless), before);
    headless.key(Modifiers::COMMAND, Key::Y);
    headless.settle();
    assert_eq!(note(&headless).1, Literal::from("1200000"));
    headless.stop();
}

#[test]
fn changes_of_the_layout_are_undone_in_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let config = |headless: &Headless| headless.window.grid.config.clone();
    let plain = config(&headless);
    let price_of = |headless: &Headless| {
        let shown = headless.shown().unwrap();
        shown.cell(shown.rows().at(0).unwrap().id, &"price".into()).to_literal()
    };
    go_to_price(&mut headless, 0);
    headless.enter("42");
    headless.settle();
    let hide = GridCommand::Column(ColumnCommand::Hide);
    go_to_price(&mut headless, 0);
    headless.execute(Command::Grid(hide));
    (0..3).for_each(|_| headless.frame(Vec::new()));
    let hidden = config(&headless);
    assert!(hidden.hidden.contains(&"price".into()));
    headless.window.grid.config.sort_by(&"symbol".into(), false);
    headless.frame(Vec::new());
    let undo = |headless: &mut Headless| headless.key(Modifiers::COMMAND, Key::Z);
    let redo = |headless: &mut Headless| headless.key(Modifiers::COMMAND, Key::Y);
    let sorted = config(&headless);
    undo(&mut headless);
    assert_eq!((config(&headless), price_of(&headless)), (hidden.clone(), Literal::from("42")), "the sort");
    undo(&mut headless);
    assert_eq!(
        (config(&headless), price_of(&headless)),
        (plain.clone(), Literal::from("42")),
        "the hidden column"
    );
    undo(&mut headless);
    headless.settle();
    assert_eq!((config(&headless), price_of(&headless)), (plain, Literal::from("71.72")), "the value");
    redo(&mut headless);
    headless.settle();
    assert_eq!(price_of(&headless), Literal::from("42"));
    redo(&mut headless);
    assert_eq!(config(&headless), hidden);
    redo(&mut headless);
    assert_eq!(config(&headless), sorted);
    headless.stop();
}
