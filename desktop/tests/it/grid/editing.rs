//! The table of editing keys, row by row.

use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use shared::{edit::Change, number::Separators, value::Literal};

use super::desk::{row, three};

const PRICE: usize = 2;

#[test]
fn enter_opens_with_everything_selected_and_commits_downwards() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.key(Key::Enter);
    assert_eq!(seat.editor().as_deref(), Some("30"));
    seat.text("31.5");
    assert_eq!(seat.editor().as_deref(), Some("31.5"), "what was there is replaced");
    seat.key(Key::Enter);
    assert_eq!((seat.editor(), seat.cell("Price of AAA")), (None, "31.50".to_owned()));
    assert_eq!(seat.focused().as_deref(), Some("Price of BBB"));
    seat.key(Key::Enter);
    seat.keys(Modifiers::SHIFT, Key::Enter);
    assert_eq!(seat.focused().as_deref(), Some("Price of AAA"));
}

#[test]
fn f2_opens_with_the_caret_at_the_end() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.key(Key::F2);
    seat.text(".25");
    assert_eq!(seat.editor().as_deref(), Some("30.25"));
}

#[test]
fn a_double_click_opens() {
    let mut seat = three();
    let at = seat.0.get_by_label("Price of BBB").rect().center();
    for _ in 0..2 {
        for pressed in [true, false] {
            let button = egui::PointerButton::Primary;
            let press = Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE };
            seat.0.event(Event::PointerMoved(at));
            seat.0.event(press);
        }
    }
    seat.frames();
    assert_eq!(seat.editor().as_deref(), Some("20"));
}

#[test]
fn a_printable_key_replaces_the_value_and_arrows_then_commit() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.text("7");
    assert_eq!(seat.editor().as_deref(), Some("7"));
    seat.key(Key::ArrowRight);
    assert_eq!(
        (seat.cell("Price of AAA"), seat.focused()),
        ("7.00".to_owned(), Some("Change of AAA".to_owned()))
    );
}

#[test]
fn tab_commits_to_the_next_editable_cell_and_wraps() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.text("7");
    seat.key(Key::Tab);
    assert_eq!(seat.focused().as_deref(), Some("Previous close of AAA"), "computed columns are passed over");
    seat.text("6");
    assert_eq!(seat.editor().as_deref(), Some("6"), "the grid has kept the keyboard");
    seat.keys(Modifiers::SHIFT, Key::Tab);
    assert_eq!(seat.focused().as_deref(), Some("Price of AAA"));
    assert_eq!(seat.cell("Previous close of AAA"), "6.00");
    seat.key(Key::End);
    seat.key(Key::Tab);
    assert_eq!(seat.focused().as_deref(), Some("Symbol of BBB"));
}

#[test]
fn esc_discards_and_never_commits() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.text("99");
    seat.key(Key::Escape);
    assert_eq!((seat.editor(), seat.cell("Price of AAA")), (None, "30.00".to_owned()));
    assert!(seat.desk().edits.is_empty());
}

#[test]
fn a_click_elsewhere_commits_what_is_valid_and_keeps_what_is_not() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.text("31");
    seat.0.get_by_label("Note of CCC").click();
    seat.frames();
    assert_eq!(
        (seat.cell("Price of AAA"), seat.focused()),
        ("31.00".to_owned(), Some("Note of CCC".to_owned()))
    );
    seat.go(1, PRICE);
    seat.text("1.2.3");
    seat.0.get_by_label("Note of CCC").click();
    seat.frames();
    assert_eq!(seat.editor().as_deref(), Some("1.2.3"), "nothing wrong is sent and nothing is lost");
    assert_eq!(seat.cell("Price of BBB"), "20.00");
}

#[test]
fn delete_and_backspace_empty_the_selected_cells() {
    for key in [Key::Delete, Key::Backspace] {
        let mut seat = three();
        seat.go(0, PRICE);
        seat.keys(Modifiers::SHIFT, Key::ArrowDown);
        seat.key(key);
        assert_eq!((seat.cell("Price of AAA"), seat.cell("Price of BBB")), (String::new(), String::new()));
        assert_eq!(seat.cell("Price of CCC"), "10.00");
        assert_eq!(seat.desk().edits.len(), 1, "one edit, one step of undo");
        seat.key(key);
        assert_eq!(seat.desk().edits.len(), 1, "empty cells are not emptied again");
    }
}

#[test]
fn space_turns_a_flag() {
    let mut seat = three();
    seat.go(0, 9);
    assert_eq!(seat.focused().as_deref(), Some("Done of AAA"));
    seat.key(Key::Space);
    assert_eq!(seat.cell("Done of AAA"), "yes");
    seat.key(Key::Space);
    assert_eq!(seat.cell("Done of AAA"), "no");
}

#[test]
fn ctrl_d_fills_down_and_ctrl_r_fills_right() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.keys(Modifiers::SHIFT, Key::ArrowDown);
    seat.keys(Modifiers::SHIFT, Key::ArrowDown);
    seat.keys(Modifiers::COMMAND, Key::D);
    assert_eq!(
        (seat.cell("Price of BBB"), seat.cell("Price of CCC")),
        ("30.00".to_owned(), "30.00".to_owned())
    );
    assert_eq!(seat.desk().edits.len(), 1);
    seat.go(0, 6);
    seat.keys(Modifiers::COMMAND, Key::R);
    assert_eq!(
        seat.cell("Previous close of AAA"),
        "",
        "the column to the left is computed and holds nothing"
    );
    seat.text("5");
    seat.key(Key::ArrowRight);
    seat.keys(Modifiers::COMMAND, Key::R);
    assert_eq!(seat.cell("Target of AAA"), "5.00");
}

#[test]
fn ctrl_and_an_arrow_step_an_open_number_by_its_last_decimal() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.key(Key::F2);
    seat.keys(Modifiers::COMMAND, Key::ArrowUp);
    assert_eq!(seat.editor().as_deref(), Some("30.01"));
    seat.keys(Modifiers::COMMAND, Key::ArrowDown);
    seat.keys(Modifiers::COMMAND, Key::ArrowDown);
    assert_eq!(seat.editor().as_deref(), Some("29.99"));
}

#[test]
fn numbers_take_shorthands_and_the_persons_separators() {
    for (separators, typed, shown) in [
        (Separators::Point, "1,234.50", "1,234.50"),
        (Separators::Comma, "1 234,50", "1\u{a0}234,50"),
        (Separators::Point, "1.2k", "1,200.00"),
        (Separators::Point, "3m", "3,000,000.00"),
        (Separators::Point, "+0.5", "30.50"),
        (Separators::Point, "-2%", "29.40"),
    ] {
        let mut seat = three();
        seat.desk().separators = separators;
        seat.go(0, PRICE);
        seat.text(typed);
        seat.key(Key::Enter);
        assert_eq!(seat.cell("Price of AAA"), shown, "{typed}");
    }
}

#[test]
fn typing_in_the_empty_last_row_starts_a_new_row() {
    let mut seat = three();
    seat.go(3, 0);
    seat.text("DDD");
    seat.key(Key::Enter);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC", "DDD"]);
    seat.text("EEE");
    seat.key(Key::Enter);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC", "DDD", "EEE"]);
}

#[test]
fn tab_goes_on_in_the_row_that_was_just_typed() {
    let mut seat = three();
    seat.go(3, 0);
    seat.text("DDD");
    seat.key(Key::Tab);
    assert_eq!(seat.focused().as_deref(), Some("Company of DDD"));
    seat.text("Delta");
    seat.key(Key::ArrowRight);
    seat.text("171");
    seat.keys(Modifiers::SHIFT, Key::Enter);
    assert_eq!(seat.focused().as_deref(), Some("Price of CCC"));
    assert_eq!(
        (seat.cell("Symbol of DDD"), seat.cell("Company of DDD"), seat.cell("Price of DDD")),
        ("DDD".to_owned(), "Delta".to_owned(), "171.00".to_owned())
    );
}

#[test]
fn half_typed_text_is_kept_when_its_column_is_removed() {
    let mut seat = three();
    seat.go(1, PRICE);
    seat.text("21");
    let place = seat.0.get_by_label("Edit Price").rect();
    seat.others(&[Change::RemoveColumn(shared::edit::KeyOnly { key: "price".into() })]);
    seat.0.get_by_label("this column was removed");
    let now = seat.0.get_by_role(egui::accesskit::Role::TextInput).rect();
    assert!(
        (now.left() - place.left()).abs() < 1.0 && (now.top() - place.top()).abs() < 1.0,
        "{now:?} {place:?}"
    );
    seat.key(Key::Enter);
    assert_eq!(seat.editor().as_deref(), Some("21"));
    seat.0.get_by_label_contains("Copy the text").click();
    seat.frames();
    assert_eq!((seat.desk_ref().copied.as_str(), seat.editor().as_deref()), ("21", Some("21")));
    seat.key(Key::Escape);
    assert!(seat.editor().is_none() && seat.desk().edits.is_empty());
}

#[test]
fn an_editor_whose_cell_is_scrolled_away_waits_at_the_edge() {
    let rows: Vec<String> = (0..200).map(|number| format!("S{number:03}")).collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|symbol| (&**symbol, "1", "")).collect();
    let mut seat = super::desk::seat(&rows);
    seat.go(0, PRICE);
    seat.text("5");
    seat.desk().grid.scroll_row = 100.0;
    let at = egui::pos2(400.0, 300.0);
    seat.0.hover_at(at);
    seat.event(Event::MouseWheel {
        unit: egui::MouseWheelUnit::Line,
        delta: egui::vec2(0.0, -30.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    (0..20).for_each(|_| seat.frames());
    let (grid, editor) =
        (seat.0.get_by_role(egui::accesskit::Role::Grid).rect(), seat.0.get_by_label("Edit Price").rect());
    assert!(grid.contains_rect(editor), "{grid:?} {editor:?}");
    assert!(editor.top() > grid.top() + 20.0, "not over the header");
    assert_eq!(seat.editor().as_deref(), Some("5"));
}

#[test]
fn an_edit_of_a_computed_column_is_refused_in_words() {
    let mut seat = three();
    seat.go(0, 3);
    seat.text("5");
    assert_eq!(
        (seat.editor(), seat.desk().said.clone()),
        (None, vec!["Change is computed from other columns.".to_owned()])
    );
}

#[test]
fn what_changes_nothing_is_no_edit() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.key(Key::Enter);
    seat.key(Key::Enter);
    seat.go(0, PRICE);
    seat.text("30.00");
    seat.key(Key::Enter);
    assert!(seat.desk().edits.is_empty());
}

#[test]
fn half_typed_text_is_not_touched_while_its_cell_changes() {
    let mut seat = three();
    seat.go(1, PRICE);
    seat.text("21");
    seat.others(&[Change::set(row(2), &"price".into(), Literal::from("25"))]);
    assert_eq!(seat.editor().as_deref(), Some("21"));
    seat.key(Key::Enter);
    assert_eq!(
        (seat.editor().as_deref(), seat.cell("Price of BBB")),
        (Some("21"), "25.00".to_owned()),
        "asked once"
    );
    seat.key(Key::Enter);
    assert_eq!((seat.editor(), seat.cell("Price of BBB")), (None, "21.00".to_owned()));
    let Some(Change::Set(set)) = seat.desk().edits[0].first().cloned() else { panic!("a cell was set") };
    assert_eq!(set.was, Some(Literal::from("25")), "guarded by what the warning said");
}

#[test]
fn half_typed_text_is_kept_when_its_row_is_removed_and_when_a_column_comes() {
    let mut seat = three();
    seat.go(1, PRICE);
    seat.text("21");
    let add = shared::edit::AddColumn {
        key: "extra".into(),
        title: "Extra".into(),
        kind: shared::column::ColumnKind::Text,
        after: Some(None),
    };
    seat.others(&[Change::AddColumn(add)]);
    assert_eq!(seat.editor().as_deref(), Some("21"));
    // The new column is the first, and empty: rows are named by their numbers.
    let place = |seat: &super::desk::Seat, name: &str| seat.0.get_by_label(name).rect();
    let below = place(&seat, "Price of row 3");
    seat.others(&[Change::remove(row(2), None)]);
    assert_eq!(place(&seat, "Price of row 2"), below, "its place is kept free, and covers no other row");
    seat.key(Key::Enter);
    assert_eq!(seat.editor().as_deref(), Some("21"), "nothing is lost");
    assert!(seat.desk().edits.is_empty());
    seat.key(Key::Enter);
    assert_eq!(
        (seat.editor(), seat.cell("Price of row 2")),
        (None, "21.00".to_owned()),
        "a new row in its place"
    );
    assert_eq!(seat.focused().as_deref(), Some("Price of row 2"), "and the cursor is on it");
    assert_eq!(place(&seat, "Price of row 3"), below);
}

#[test]
fn what_was_typed_in_one_cell_is_not_brought_back_in_another() {
    let mut seat = three();
    seat.go(0, PRICE);
    for digit in ["1", "11", "111"] {
        seat.text(digit);
    }
    seat.key(Key::Escape);
    seat.go(1, PRICE);
    seat.text("2");
    seat.keys(Modifiers::COMMAND, Key::Z);
    assert!(["", "2"].contains(&seat.editor().as_deref().unwrap()), "{:?}", seat.editor());
}

#[test]
fn what_is_shown_and_opened_is_read_back_in_every_locale() {
    for (separators, shown, opened) in
        [(Separators::Point, "12,345.68", "12345.678"), (Separators::Comma, "12\u{a0}345,68", "12345,678")]
    {
        let mut seat = three();
        seat.desk().separators = separators;
        seat.others(&[Change::set(row(1), &"price".into(), Literal::from("12345.678"))]);
        assert_eq!(seat.cell("Price of AAA"), shown);
        seat.go(0, PRICE);
        seat.key(Key::F2);
        assert_eq!(seat.editor().as_deref(), Some(opened));
        seat.key(Key::Enter);
        assert!(seat.desk().edits.is_empty(), "opened and committed, it is the same number");
        seat.go(0, PRICE);
        seat.text(shown);
        seat.key(Key::Enter);
        let Some(Change::Set(set)) = seat.desk().edits[0].first().cloned() else { panic!("a cell was set") };
        assert_eq!(set.value, Literal::from("12345.68"));
    }
}
