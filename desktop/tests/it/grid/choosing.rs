//! The editor's pickers, and its note when the edited cell has changed.

use desktop::grid::order::SortKey;
use std::time::Duration;

use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use shared::{
    edit::{Change, ColumnRef},
    value::Literal,
};

use super::desk::{GridHarness, harness, row, three_rows};

const PRICE: usize = 2;
const SIDE: usize = 10;
const DUE: usize = 11;

fn click(harness: &mut GridHarness, label: &str) {
    harness.0.get_by_label_contains(label).click();
    harness.frames();
}

fn due(harness: &mut GridHarness, text: &str) {
    harness.others(&[Change::set(row(1), &"due".into(), Literal::from(text))]);
}

#[test]
fn alt_down_opens_the_list_of_choices_and_arrows_select_from_it() {
    let mut harness = three_rows();
    harness.go(0, SIDE);
    harness.keys(Modifiers::ALT, Key::ArrowDown);
    for word in ["buy", "hold", "sell"] {
        harness.0.get_by_label(word);
    }
    harness.key(Key::ArrowDown);
    harness.key(Key::ArrowDown);
    assert_eq!(harness.editor().as_deref(), Some("hold"));
    harness.key(Key::Enter);
    assert_eq!((harness.editor(), harness.cell("Side of AAA")), (None, "hold".to_owned()));
    harness.go(0, SIDE);
    harness.keys(Modifiers::ALT, Key::ArrowDown);
    harness.key(Key::ArrowDown);
    harness.key(Key::Escape);
    assert_eq!(harness.cell("Side of AAA"), "hold", "Esc never commits");
    assert!(harness.0.query_by_label("sell").is_none(), "the list closes with the editor");
}

#[test]
fn a_choice_is_completed_from_its_first_letters_and_other_text_is_rejected() {
    let mut harness = three_rows();
    harness.go(0, SIDE);
    harness.text("S");
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Side of AAA"), "sell");
    harness.go(1, SIDE);
    harness.text("keep");
    harness.key(Key::Enter);
    assert_eq!(harness.editor().as_deref(), Some("keep"));
    harness.0.get_by_label("choose one of: buy, hold, sell");
    harness.key(Key::Escape);
    harness.go(1, SIDE);
    harness.key(Key::Enter);
    click(&mut harness, "buy");
    assert_eq!(
        (harness.editor(), harness.cell("Side of BBB")),
        (None, "buy".to_owned()),
        "a click selects and commits"
    );
}

#[test]
fn alt_down_opens_the_calendar_of_a_time_and_arrows_change_the_day() {
    let mut harness = three_rows();
    due(&mut harness, "2026-11-30T09:30:00.000Z");
    harness.go(0, DUE);
    harness.keys(Modifiers::ALT, Key::ArrowDown);
    harness.0.get_by_label("November 2026");
    harness.key(Key::ArrowRight);
    assert_eq!(harness.editor().as_deref(), Some("2026-12-01 09:30:00"), "the time of day is kept");
    harness.0.get_by_label("December 2026");
    harness.key(Key::ArrowUp);
    assert_eq!(harness.editor().as_deref(), Some("2026-11-24 09:30:00"));
    harness.key(Key::PageDown);
    assert_eq!(harness.editor().as_deref(), Some("2026-12-24 09:30:00"));
    click(&mut harness, "31 December 2026");
    harness.key(Key::Enter);
    assert_eq!((harness.editor(), harness.cell("Due of AAA")), (None, "2026-12-31".to_owned()));
    assert_eq!(harness.app().edits.len(), 1);
}

#[test]
fn the_calendar_of_an_empty_cell_starts_today_and_esc_leaves_the_cell_empty() {
    let mut harness = three_rows();
    harness.go(0, DUE);
    harness.keys(Modifiers::ALT, Key::ArrowDown);
    harness.0.get_by_label("November 2026");
    harness.key(Key::ArrowRight);
    assert_eq!(harness.editor().as_deref(), Some("2026-11-23"));
    harness.keys(Modifiers::ALT, Key::ArrowUp);
    assert!(
        harness.0.query_by_label("November 2026").is_none(),
        "the calendar is closed and the text is kept"
    );
    assert_eq!(harness.editor().as_deref(), Some("2026-11-23"));
    harness.key(Key::Escape);
    assert!(harness.app().edits.is_empty());
}

#[test]
fn a_change_to_the_edited_cell_offers_a_choice() {
    for (answer, expected) in [("Overwrite", "21.00"), ("Keep their value", "25.00")] {
        let mut harness = three_rows();
        harness.go(1, PRICE);
        harness.text("21");
        harness.others(&[Change::set(row(2), &"price".into(), Literal::from("25"))]);
        harness.0.get_by_label("Now 25.00 \u{b7} bob");
        click(&mut harness, answer);
        assert_eq!((harness.editor(), harness.cell("Price of BBB")), (None, expected.to_owned()));
    }
}

#[test]
fn a_second_change_asks_for_confirmation_again() {
    let mut harness = three_rows();
    let by_others = |harness: &mut GridHarness, text: &str| {
        harness.others(&[Change::set(row(2), &"price".into(), Literal::from(text))]);
    };
    harness.go(1, PRICE);
    harness.text("21");
    by_others(&mut harness, "25");
    harness.key(Key::Enter);
    harness.0.get_by_label("Replace bob\u{2019}s 25.00 with 21.00?");
    by_others(&mut harness, "26");
    harness.key(Key::Enter);
    assert_eq!(harness.editor().as_deref(), Some("21"), "the user has not seen the 26 yet");
    harness.key(Key::Enter);
    assert_eq!((harness.editor(), harness.cell("Price of BBB")), (None, "21.00".to_owned()));
}

/// A person types a list without looking, and somebody else has changed its first cell.
#[test]
fn every_value_of_a_list_that_meets_a_question_can_be_copied() {
    let mut harness = three_rows();
    harness.go(1, PRICE);
    harness.text("1.25");
    harness.others(&[Change::set(row(2), &"price".into(), Literal::from("70"))]);
    harness.key(Key::Enter);
    for text in ["2.25", "3.25", "4.25"] {
        harness.text(text);
        harness.key(Key::Enter);
    }
    harness.0.get_by_label("4.25 in place of \u{201c}1.25\u{201d}? You have typed 4 values here.");
    click(&mut harness, "Copy all");
    assert_eq!(harness.app().copied, "1.25\n2.25\n3.25\n4.25");
    assert_eq!(harness.cell("Price of BBB"), "70.00");
}

/// In text that was opened a minus is the number's own, where the same keys typed over the cell subtract.
#[test]
fn a_negative_number_in_an_opened_text_is_asked_about() {
    let mut harness = three_rows();
    harness.go(1, PRICE);
    let before = harness.app().edits.len();
    harness.key(Key::Enter);
    harness.text("-0.5");
    harness.key(Key::Enter);
    harness.0.get_by_label("Change 20.00 to \u{2212}0.50?");
    assert_eq!(harness.app().edits.len(), before);
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Price of BBB"), "\u{2212}0.50");
    harness.go(1, PRICE);
    harness.key(Key::Enter);
    harness.text("-0.75");
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Price of BBB"), "\u{2212}0.75", "it was negative before");
}

#[test]
fn a_cell_that_changes_all_the_time_is_overwritten_by_the_second_answer() {
    for (text, sent) in [("21", Some("21.00")), ("+1", None)] {
        let mut harness = three_rows();
        harness.go(1, PRICE);
        harness.text(text);
        let before = harness.app().edits.len();
        for price in 30..33 {
            let price = Literal::from(price.to_string().as_str());
            harness.others(&[Change::set(row(2), &"price".into(), price)]);
            assert_eq!(harness.app().edits.len(), before, "{text}");
            harness.key(Key::Enter);
        }
        assert_eq!(
            harness.editor().is_none(),
            sent.is_some(),
            "{text}: a change of an unread value is asked about"
        );
        assert_eq!(harness.cell("Price of BBB"), sent.unwrap_or("32.00"), "{text}");
    }
}

/// A person who types on has not read the question.
#[test]
fn typing_on_withdraws_the_question_whether_to_overwrite() {
    let mut harness = three_rows();
    harness.go(1, PRICE);
    harness.text("21");
    harness.others(&[Change::set(row(2), &"price".into(), Literal::from("70"))]);
    harness.key(Key::Enter);
    harness.0.get_by_label("Replace bob\u{2019}s 70.00 with 21.00?");
    harness.text("7");
    harness.key(Key::Enter);
    assert_eq!(harness.editor().as_deref(), Some("7"), "it asks again, and does not join the two numbers");
    assert_eq!(harness.cell("Price of BBB"), "70.00");
    harness.0.get_by_label("7 in place of \u{201c}21\u{201d}?");
    harness.key(Key::Enter);
    harness.0.get_by_label("Replace bob\u{2019}s 70.00 with 7.00?");
    harness.key(Key::Enter);
    assert_eq!((harness.editor(), harness.cell("Price of BBB")), (None, "7.00".to_owned()));
}

/// Tab, an arrow and a click go on to another cell: they say nothing about the question.
#[test]
fn only_enter_and_the_buttons_answer_a_question() {
    let change = |harness: &mut GridHarness, change: Change| {
        harness.text("21");
        harness.others(&[change]);
        harness.key(Key::Enter);
    };
    type Ask<'a> = &'a dyn Fn(&mut GridHarness);
    let questions: [(&str, Ask<'_>); 4] = [
        ("Replace bob\u{2019}s 70.00 with 21.00?", &|harness| {
            change(harness, Change::set(row(2), &"price".into(), Literal::from("70")));
        }),
        ("This row was removed. Bring it back with your text?", &|harness| {
            change(harness, Change::remove(row(2), None));
        }),
        ("21 in place of \u{201c}x\u{201d}?", &|harness| {
            harness.text("x");
            harness.key(Key::Enter);
            harness.text("21");
            harness.key(Key::Enter);
        }),
        ("Change 20.00 to \u{2212}21.00?", &|harness| {
            harness.others(&[Change::set(row(3), &"price".into(), Literal::from("-1"))]);
            harness.text("-21");
            harness.key(Key::Enter);
        }),
    ];
    for (question, ask) in questions {
        let mut harness = three_rows();
        harness.go(1, PRICE);
        ask(&mut harness);
        harness.0.get_by_label(question);
        let (before, typed) = (harness.app().edits.len(), harness.editor());
        for key in [Key::Tab, Key::ArrowDown, Key::ArrowUp] {
            harness.key(key);
            assert_eq!(
                (harness.app().edits.len(), harness.editor()),
                (before, typed.clone()),
                "{question} {key:?}"
            );
        }
        let elsewhere = harness.node("Symbol of AAA").rect().center();
        harness.quick_click(elsewhere);
        assert_eq!((harness.app().edits.len(), harness.editor()), (before, typed.clone()), "{question}");
        harness.0.get_by_label(question);
        harness.key(Key::Enter);
        assert_eq!((harness.app().edits.len(), harness.editor()), (before + 1, None), "{question}");
    }
}

/// A list of negative figures over positive ones, typed without looking.
#[test]
fn the_same_negative_figure_again_is_the_same_question() {
    let mut harness = three_rows();
    harness.others(&[Change::set(row(3), &"price".into(), Literal::from("-1"))]);
    harness.go(0, PRICE);
    for _ in 0..2 {
        harness.text("-0.5");
        harness.key(Key::Enter);
        harness.0.get_by_label("Change 30.00 to \u{2212}0.50?");
    }
    harness.text("-0.6");
    harness.key(Key::Enter);
    harness.0.get_by_label("-0.6 in place of \u{201c}-0.5\u{201d}?");
    harness.key(Key::Enter);
    harness.0.get_by_label("Change 30.00 to \u{2212}0.60?");
    assert!(harness.app().edits.is_empty());
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Price of AAA"), "\u{2212}0.60");
}

#[test]
fn text_of_a_removed_row_can_be_copied_or_bring_the_row_back() {
    let mut harness = three_rows();
    harness.go(1, PRICE);
    harness.text("21");
    harness.others(&[Change::remove(row(2), None)]);
    harness.0.get_by_label("This row was removed");
    click(&mut harness, "Copy text");
    assert_eq!((harness.app_ref().copied.as_str(), harness.editor().as_deref()), ("21", Some("21")));
    harness.app().copied.clear();
    harness.event(Event::Copy);
    assert_eq!(
        (harness.app_ref().copied.as_str(), harness.editor().as_deref()),
        ("21", Some("21")),
        "by key"
    );
    click(&mut harness, "Bring it back");
    assert_eq!((harness.editor(), harness.cell("Price of BBB")), (None, "21.00".to_owned()));
    assert_eq!(harness.cell("Note of BBB"), "second", "the row has its other values");
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"]);
}

#[test]
fn a_row_that_is_brought_back_takes_its_place_in_the_list_whatever_the_sort() {
    let mut harness = three_rows();
    // By price: CCC, BBB, AAA.
    let sort = SortKey { column: "price".into(), descending: false };
    harness.app().grid.config.sort = vec![sort];
    harness.frames();
    assert_eq!(harness.symbols(), ["CCC", "BBB", "AAA"]);
    harness.go(0, PRICE);
    harness.text("11");
    harness.others(&[Change::remove(row(3), None)]);
    click(&mut harness, "Bring it back");
    harness.app().grid.config.sort.clear();
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"]);
}

#[test]
fn changing_the_choices_keeps_the_typed_text() {
    let mut harness = three_rows();
    harness.go(0, SIDE);
    harness.text("hold");
    let words = ["strong buy", "buy", "hold", "sell"].map(Into::into);
    let kind = shared::column::ColumnKind::Choice(words.into());
    let set = shared::edit::SetColumn { key: "side".into(), title: None, kind: Some(kind), after: None };
    harness.others(&[Change::SetColumn(set)]);
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Side of AAA"), "hold");
}

#[test]
fn a_list_near_the_bottom_opens_upwards_and_does_not_cover_the_editor() {
    let rows: Vec<String> = (0..60).map(|number| format!("S{number:02}")).collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|symbol| (&**symbol, "1", "")).collect();
    let mut harness = super::desk::harness(&rows);
    harness.go(59, SIDE);
    harness.keys(Modifiers::ALT, Key::ArrowDown);
    harness.frames();
    let (word, editor) = (harness.0.get_by_label("sell").rect(), harness.0.get_by_label("Edit Side").rect());
    assert!(word.bottom() <= editor.top(), "{word:?} {editor:?}");
}

#[test]
fn text_typed_after_picking_a_day_is_appended() {
    let mut harness = three_rows();
    due(&mut harness, "2026-11-22T00:00:00.000Z");
    harness.go(0, DUE);
    harness.keys(Modifiers::ALT, Key::ArrowDown);
    harness.key(Key::ArrowRight);
    harness.text(" 14:30");
    assert_eq!(harness.editor().as_deref(), Some("2026-11-23 14:30"));
}

#[test]
fn the_list_of_choices_is_about_as_wide_as_its_cell() {
    let mut harness = three_rows();
    harness.go(0, SIDE);
    harness.keys(Modifiers::ALT, Key::ArrowDown);
    let option = harness.0.get_by_label("hold").rect();
    let cell = harness.node("Side of BBB").rect();
    assert!(option.width() <= cell.width() + 8.0, "{option} {cell}");
}

/// Types a list down the column while the row is removed in which the first value is typed.
#[test]
fn a_row_that_is_brought_back_by_enter_is_followed_by_the_next_row() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.text("31");
    harness.others(&[Change::remove(row(1), None)]);
    harness.key(Key::Enter);
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Price of AAA"), "31.00");
    harness.text("32");
    harness.key(Key::Enter);
    let prices = ["AAA", "BBB", "CCC"].map(|symbol| harness.cell(&format!("Price of {symbol}")));
    assert_eq!(prices, ["31.00", "32.00", "10.00"]);
}

/// Somebody else removes the row that the cursor is on, at rest and while a list is typed.
#[test]
fn nothing_is_typed_into_a_row_that_slides_under_the_cursor() {
    for is_typing in [false, true] {
        let mut harness = three_rows();
        harness.go(if is_typing { 0 } else { 1 }, PRICE);
        if is_typing {
            harness.text("29");
            harness.key(Key::Enter);
        }
        let before = harness.app().edits.len();
        harness.others(&[Change::remove(row(2), None)]);
        let why = "The row under the cursor was removed. Choose a cell to go on.";
        assert_eq!(harness.app().notices, [why], "at once");
        harness.text("702");
        harness.key(Key::Enter);
        harness.paste("5");
        harness.key(Key::Delete);
        harness.keys(Modifiers::COMMAND, Key::D);
        assert_eq!(
            (harness.editor(), harness.app().edits.len()),
            (None, before),
            "{:?}",
            harness.app().notices
        );
        harness.key(Key::ArrowUp);
        harness.key(Key::ArrowDown);
        harness.text("703");
        harness.key(Key::Enter);
        assert_eq!(harness.cell("Price of CCC"), "703.00", "an arrow key has chosen it");
    }
    let mut harness = three_rows();
    harness.go(1, PRICE);
    harness.keys(Modifiers::COMMAND, Key::Delete);
    harness.text("11");
    harness.key(Key::Enter);
    assert_eq!(
        harness.cell("Price of CCC"),
        "11.00",
        "after an own removal the next row is the one to go on with"
    );
}

/// Somebody else removes the row or the column of the cursor, and a person who has not seen it goes on along it.
#[test]
fn a_step_along_what_took_the_place_of_a_removed_row_or_column_chooses_no_cell() {
    type Keys = &'static [(Modifiers, Key)];
    let none = |key| (Modifiers::NONE, key);
    let row_keys: [Keys; 6] = [
        &[(Modifiers::NONE, Key::ArrowRight)],
        &[(Modifiers::NONE, Key::Tab)],
        &[
            (Modifiers::NONE, Key::Home),
            (Modifiers::NONE, Key::ArrowRight),
            (Modifiers::NONE, Key::ArrowRight),
        ],
        &[(Modifiers::SHIFT, Key::ArrowRight)],
        &[(Modifiers::SHIFT, Key::Space)],
        &[(Modifiers::COMMAND, Key::ArrowLeft)],
    ];
    let column_keys: [Keys; 3] = [
        &[(Modifiers::NONE, Key::ArrowDown)],
        &[(Modifiers::NONE, Key::PageDown)],
        &[(Modifiers::COMMAND, Key::Space)],
    ];
    let remove_price = Change::RemoveColumn(ColumnRef { key: "price".into() });
    let cases = row_keys.iter().map(|keys| (Change::remove(row(2), None), keys));
    for (removal, keys) in cases.chain(column_keys.iter().map(|keys| (remove_price.clone(), keys))) {
        let mut harness = three_rows();
        harness.go(1, PRICE);
        harness.others(&[removal]);
        let before = harness.app().edits.len();
        keys.iter().for_each(|(modifiers, key)| harness.keys(*modifiers, *key));
        harness.text("45");
        harness.key(Key::Enter);
        harness.key(Key::Delete);
        assert_eq!((harness.editor(), harness.app().edits.len()), (None, before), "{keys:?}");
    }
    // From the removed row the next one is the one that took its place.
    for (key, cell) in [(Key::ArrowDown, "Price of CCC"), (Key::ArrowUp, "Price of AAA")] {
        let mut harness = three_rows();
        harness.go(1, PRICE);
        harness.others(&[Change::remove(row(2), None)]);
        let (modifiers, key) = none(key);
        harness.keys(modifiers, key);
        harness.text("45");
        harness.key(Key::Enter);
        assert_eq!(harness.cell(cell), "45.00");
    }
}

/// An absolute step chooses the cell that it leads to, also if that is where the cursor is.
#[test]
fn an_absolute_step_after_a_removal_chooses_its_cell() {
    for key in [Key::Home, Key::ArrowUp] {
        let mut harness = three_rows();
        harness.go(0, PRICE);
        harness.others(&[Change::remove(row(1), None)]);
        harness.keys(Modifiers::COMMAND, key);
        harness.key(Key::ArrowDown);
        let cursor = harness.app_ref().grid.selection.cursor.as_ref().and_then(|cursor| cursor.row);
        assert_eq!(cursor, Some(row(3)), "{key:?}");
    }
}

/// In text that was opened a plus is part of the number, where the same keys typed over the cell add.
#[test]
fn a_sign_in_an_opened_text_is_asked_about() {
    let mut harness = three_rows();
    harness.go(1, PRICE);
    harness.key(Key::Enter);
    harness.text("+5");
    harness.key(Key::Enter);
    harness.0.get_by_label("Change 20.00 to 5.00?");
    harness.key(Key::Escape);
    harness.key(Key::Enter);
    harness.text("-2%");
    harness.key(Key::Enter);
    harness.0.get_by_label_contains("without opening the cell");
    assert_eq!(harness.cell("Price of BBB"), "20.00");
}

fn four_rows() -> GridHarness {
    harness(&[("A", "10", ""), ("B", "20", ""), ("C", "30", ""), ("D", "40", "")])
}

fn prices(harness: &GridHarness) -> Vec<String> {
    harness.symbols().iter().map(|symbol| harness.cell(&format!("Price of {symbol}"))).collect()
}

/// Somebody else inserts a row ahead of a list of values, and removes one.
#[test]
fn rows_that_others_insert_or_remove_do_not_shift_a_list_of_values() {
    for key in [Key::Enter, Key::ArrowDown] {
        let mut harness = four_rows();
        harness.go(0, PRICE);
        let typed = |harness: &mut GridHarness, text: &str| {
            harness.text(text);
            harness.key(key);
        };
        typed(&mut harness, "11");
        let insert = harness.insertion_at(2, "X");
        harness.others(&[insert]);
        for text in ["21", "31", "41"] {
            typed(&mut harness, text);
        }
        assert_eq!(harness.symbols(), ["A", "B", "X", "C", "D"], "{key:?}");
        assert_eq!(prices(&harness), ["11.00", "21.00", "", "31.00", "41.00"], "{key:?}");

        let mut harness = four_rows();
        harness.go(0, PRICE);
        typed(&mut harness, "11");
        harness.others(&[Change::remove(row(3), None)]);
        for text in ["21", "31", "41"] {
            typed(&mut harness, text);
        }
        assert_eq!(prices(&harness), ["11.00", "21.00", "40.00"], "{key:?}");
        let why = "The next row was removed. Choose a cell to go on.";
        assert_eq!(harness.app().notices.first().map(String::as_str), Some(why), "{key:?}");
    }
}

/// Somebody else removes the column that the cursor is in.
#[test]
fn nothing_is_typed_into_a_column_that_slides_under_the_cursor() {
    let mut harness = four_rows();
    harness.go(0, PRICE);
    harness.text("11");
    harness.key(Key::Enter);
    let before = harness.app().edits.len();
    harness.others(&[Change::RemoveColumn(ColumnRef { key: "price".into() })]);
    for text in ["21", "31"] {
        harness.text(text);
        harness.key(Key::Enter);
    }
    assert_eq!((harness.editor(), harness.app().edits.len()), (None, before));
    let why = "The column under the cursor was removed. Choose a cell to go on.";
    assert_eq!(harness.app().notices.first().map(String::as_str), Some(why));
}

/// A person who types Tab or Down after each figure goes on without looking.
#[test]
fn the_key_that_ends_a_text_that_was_not_entered_chooses_no_cell() {
    for key in [Key::Tab, Key::ArrowDown, Key::Enter] {
        let mut harness = four_rows();
        harness.go(1, PRICE);
        let before = harness.app().edits.len();
        harness.others(&[Change::remove(row(2), None)]);
        for text in ["82", "5", "6"] {
            harness.text(text);
            harness.key(key);
        }
        harness.key(Key::Enter);
        assert_eq!((harness.editor(), harness.app().edits.len()), (None, before), "{key:?}");
        harness.0.run_steps(100);
        harness.key(Key::ArrowDown);
        harness.text("7");
        harness.key(Key::Enter);
        assert_eq!(harness.app().edits.len(), before + 1, "after a while the arrow chooses: {key:?}");
    }
}

/// The column of a list of figures is removed, and comes back while the person types on without looking.
#[test]
fn a_figure_after_several_refused_ones_is_asked_about() {
    let mut harness = four_rows();
    harness.go(0, PRICE);
    harness.text("52.");
    harness.others(&[Change::RemoveColumn(ColumnRef { key: "price".into() })]);
    for text in ["5", "53.5"] {
        harness.text(text);
        harness.key(Key::Enter);
    }
    harness.others(&[Change::RestoreColumn(ColumnRef { key: "price".into() })]);
    harness.key(Key::Enter);
    harness.0.get_by_label("53.5 in place of \u{201c}52.5\u{201d}?");
    assert!(harness.app().edits.is_empty());
    harness.key(Key::Enter);
    assert_eq!(prices(&harness), ["53.50", "20.00", "30.00", "40.00"]);
    assert_eq!(harness.focused().as_deref(), Some("Price of B"), "down in the column that is back");
}

/// Enter is typed twice, or held, before a person can have read the question.
#[test]
fn a_question_is_not_answered_by_the_key_that_is_typed_with_it() {
    let enter = |pressed| Event::Key {
        key: Key::Enter,
        physical_key: None,
        pressed,
        repeat: false,
        modifiers: Modifiers::NONE,
    };
    for is_held in [false, true] {
        let mut harness = three_rows();
        harness.go(1, PRICE);
        harness.text("21");
        harness.others(&[Change::set(row(2), &"price".into(), Literal::from("70"))]);
        harness.app().pace = Duration::from_millis(20);
        harness.event(enter(true));
        harness.0.get_by_label("Replace bob\u{2019}s 70.00 with 21.00?");
        if is_held {
            // egui notices that the key was not released.
            harness.app().now += Duration::from_secs(1);
        } else {
            harness.event(enter(false));
        }
        harness.event(enter(true));
        assert_eq!(harness.editor().as_deref(), Some("21"), "held: {is_held}");
        harness.event(enter(false));
        harness.app().now += Duration::from_secs(1);
        harness.key(Key::Enter);
        assert_eq!((harness.editor(), harness.cell("Price of BBB")), (None, "21.00".to_owned()));
    }
}
