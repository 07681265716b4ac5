//! Keys of a whole window: shortcuts, and the order of keys that arrive together.

use desktop::command::{Command, GridCommand, Step};
use egui::{Key, Modifiers};
use shared::value::Literal;

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

/// At a low frame rate a shortcut and the keys around it arrive in one frame.
#[test]
fn keys_around_a_shortcut_in_the_same_frame_go_where_they_were_meant_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut headless = Headless::start(folder.path());
    let companies = headless.window.list().unwrap();
    let other = create(&mut headless, "Other");
    headless.execute(Command::Show(companies));
    go_to_price(&mut headless, 0);
    let text = |text: &str| egui::Event::Text(text.to_owned());
    let press = |modifiers, key| egui::Event::Key {
        key,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers,
    };
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
