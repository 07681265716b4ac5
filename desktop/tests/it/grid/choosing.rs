//! What is chosen beside the editor: a word, a day, and what becomes of text whose cell has changed.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use shared::{edit::Change, value::Literal};

use super::desk::{Seat, row, three};

const PRICE: usize = 2;
const SIDE: usize = 10;
const DUE: usize = 11;

fn click(seat: &mut Seat, label: &str) {
    seat.0.get_by_label_contains(label).click();
    seat.frames();
}

fn due(seat: &mut Seat, text: &str) {
    seat.others(&[Change::set(row(1), &"due".into(), Literal::from(text))]);
}

#[test]
fn alt_down_opens_a_choices_list_and_arrows_choose_from_it() {
    let mut seat = three();
    seat.go(0, SIDE);
    seat.keys(Modifiers::ALT, Key::ArrowDown);
    for word in ["buy", "hold", "sell"] {
        seat.0.get_by_label(word);
    }
    seat.key(Key::ArrowDown);
    seat.key(Key::ArrowDown);
    assert_eq!(seat.editor().as_deref(), Some("hold"));
    seat.key(Key::Enter);
    assert_eq!((seat.editor(), seat.cell("Side of AAA")), (None, "hold".to_owned()));
    seat.go(0, SIDE);
    seat.keys(Modifiers::ALT, Key::ArrowDown);
    seat.key(Key::ArrowDown);
    seat.key(Key::Escape);
    assert_eq!(seat.cell("Side of AAA"), "hold", "Esc never commits");
    assert!(seat.0.query_by_label("sell").is_none(), "the list is closed with the editor");
}

#[test]
fn a_word_is_completed_from_its_first_letters_and_anything_else_is_refused() {
    let mut seat = three();
    seat.go(0, SIDE);
    seat.text("S");
    seat.key(Key::Enter);
    assert_eq!(seat.cell("Side of AAA"), "sell");
    seat.go(1, SIDE);
    seat.text("keep");
    seat.key(Key::Enter);
    assert_eq!(seat.editor().as_deref(), Some("keep"));
    seat.0.get_by_label("choose one of: buy, hold, sell");
    seat.key(Key::Escape);
    seat.go(1, SIDE);
    seat.key(Key::Enter);
    click(&mut seat, "buy");
    assert_eq!((seat.editor(), seat.cell("Side of BBB")), (None, "buy".to_owned()), "a click chooses");
}

#[test]
fn alt_down_opens_a_times_calendar_and_arrows_go_from_day_to_day() {
    let mut seat = three();
    due(&mut seat, "2026-11-30T09:30:00.000Z");
    seat.go(0, DUE);
    seat.keys(Modifiers::ALT, Key::ArrowDown);
    seat.0.get_by_label("November 2026");
    seat.key(Key::ArrowRight);
    assert_eq!(seat.editor().as_deref(), Some("2026-12-01 09:30:00"), "the time of day stays");
    seat.0.get_by_label("December 2026");
    seat.key(Key::ArrowUp);
    assert_eq!(seat.editor().as_deref(), Some("2026-11-24 09:30:00"));
    seat.key(Key::PageDown);
    assert_eq!(seat.editor().as_deref(), Some("2026-12-24 09:30:00"));
    click(&mut seat, "31 December 2026");
    seat.key(Key::Enter);
    assert_eq!((seat.editor(), seat.cell("Due of AAA")), (None, "2026-12-31".to_owned()));
    assert_eq!(seat.desk().edits.len(), 1);
}

#[test]
fn a_calendar_of_an_empty_cell_starts_today_and_esc_leaves_the_cell_empty() {
    let mut seat = three();
    seat.go(0, DUE);
    seat.keys(Modifiers::ALT, Key::ArrowDown);
    seat.0.get_by_label("November 2026");
    seat.key(Key::ArrowRight);
    assert_eq!(seat.editor().as_deref(), Some("2026-11-23"));
    seat.keys(Modifiers::ALT, Key::ArrowUp);
    assert!(seat.0.query_by_label("November 2026").is_none(), "closed, and what is typed stays");
    assert_eq!(seat.editor().as_deref(), Some("2026-11-23"));
    seat.key(Key::Escape);
    assert!(seat.desk().edits.is_empty());
}

#[test]
fn a_cell_that_changed_under_the_editor_is_a_choice() {
    for (answer, expected) in [("Overwrite", "21.00"), ("Take theirs", "25.00")] {
        let mut seat = three();
        seat.go(1, PRICE);
        seat.text("21");
        seat.others(&[Change::set(row(2), &"price".into(), Literal::from("25"))]);
        seat.0.get_by_label("now 25.00 \u{b7} bob");
        click(&mut seat, answer);
        assert_eq!((seat.editor(), seat.cell("Price of BBB")), (None, expected.to_owned()));
    }
}

#[test]
fn what_changes_again_is_asked_about_again() {
    let mut seat = three();
    let by_others = |seat: &mut Seat, text: &str| {
        seat.others(&[Change::set(row(2), &"price".into(), Literal::from(text))]);
    };
    seat.go(1, PRICE);
    seat.text("21");
    by_others(&mut seat, "25");
    seat.key(Key::Enter);
    seat.0.get_by_label("overwrite 25.00 \u{b7} bob?");
    by_others(&mut seat, "26");
    seat.key(Key::Enter);
    assert_eq!(seat.editor().as_deref(), Some("21"), "nobody has seen the 26 before");
    seat.key(Key::Enter);
    assert_eq!((seat.editor(), seat.cell("Price of BBB")), (None, "21.00".to_owned()));
}

#[test]
fn text_whose_row_is_removed_can_be_copied_or_become_a_new_row() {
    let mut seat = three();
    seat.go(1, PRICE);
    seat.text("21");
    seat.others(&[Change::remove(row(2), None)]);
    seat.0.get_by_label("this row was removed");
    click(&mut seat, "Copy the text");
    assert_eq!((seat.desk_ref().copied.as_str(), seat.editor().as_deref()), ("21", Some("21")));
    click(&mut seat, "New row");
    assert_eq!((seat.editor(), seat.cell("Price of row 2")), (None, "21.00".to_owned()));
    assert_eq!(seat.symbols(), ["AAA", "", "CCC"]);
}

#[test]
fn words_that_change_under_the_list_change_nothing_of_what_is_typed() {
    let mut seat = three();
    seat.go(0, SIDE);
    seat.text("hold");
    let words = ["strong buy", "buy", "hold", "sell"].map(Into::into);
    let kind = shared::column::ColumnKind::Choice(words.to_vec());
    let set = shared::edit::SetColumn { key: "side".into(), title: None, kind: Some(kind), after: None };
    seat.others(&[Change::SetColumn(set)]);
    seat.key(Key::Enter);
    assert_eq!(seat.cell("Side of AAA"), "hold");
}

#[test]
fn a_list_near_the_bottom_opens_upwards_and_covers_no_text() {
    let rows: Vec<String> = (0..60).map(|number| format!("S{number:02}")).collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|symbol| (&**symbol, "1", "")).collect();
    let mut seat = super::desk::seat(&rows);
    seat.go(59, SIDE);
    seat.keys(Modifiers::ALT, Key::ArrowDown);
    seat.frames();
    let (word, editor) = (seat.0.get_by_label("sell").rect(), seat.0.get_by_label("Edit Side").rect());
    assert!(word.bottom() <= editor.top(), "{word:?} {editor:?}");
}

#[test]
fn what_is_typed_after_a_day_was_chosen_goes_behind_it() {
    let mut seat = three();
    due(&mut seat, "2026-11-22T00:00:00.000Z");
    seat.go(0, DUE);
    seat.keys(Modifiers::ALT, Key::ArrowDown);
    seat.key(Key::ArrowRight);
    seat.text(" 14:30");
    assert_eq!(seat.editor().as_deref(), Some("2026-11-23 14:30"));
}
