//! Section rows: a title across the list.

use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use shared::{edit::Change, value::Literal};

use super::desk::{Seat, row, seat};

const PRICE: usize = 2;

/// D, C, then a section with B, A.
fn in_sections() -> Seat {
    let mut seat = seat(&[("D", "4", ""), ("C", "3", ""), ("B", "2", ""), ("A", "1", "")]);
    seat.go(2, PRICE);
    seat.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    assert_eq!(seat.editor().as_deref(), Some("Section"), "its title is open to be typed over");
    seat.text("Banks");
    seat.key(Key::Enter);
    seat
}

#[test]
fn a_section_is_one_edit_and_its_title_is_edited_as_a_cell() {
    let mut seat = in_sections();
    assert_eq!(seat.symbols(), ["D", "C", "Banks", "B", "A"]);
    assert_eq!(seat.desk().edits[0].len(), 2, "the column for the titles comes with the first of them");
    assert!(seat.0.query_by_label("Section").is_none(), "which is no column of the table");
    seat.go(2, PRICE);
    seat.key(Key::F2);
    assert_eq!(seat.editor().as_deref(), Some("Banks"), "wherever the cursor is on it");
    seat.text("!");
    seat.key(Key::Enter);
    assert_eq!(seat.symbols()[2], "Banks!");
    seat.go(0, 0);
    seat.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    seat.key(Key::Escape);
    assert_eq!(seat.symbols(), ["Section", "D", "C", "Banks!", "B", "A"]);
    assert_eq!(seat.desk().edits.last().map(Vec::len), Some(1));
}

#[test]
fn rows_are_sorted_within_their_sections() {
    let mut seat = in_sections();
    seat.0.get_by_label("Symbol").click();
    seat.frames();
    assert_eq!(seat.symbols(), ["C", "D", "Banks", "A", "B"]);
    seat.0.get_by_label("Symbol").click();
    seat.frames();
    assert_eq!(seat.symbols(), ["D", "C", "Banks", "B", "A"]);
}

#[test]
fn a_section_is_shown_where_any_of_its_rows_is() {
    let mut seat = in_sections();
    seat.desk().grid.config.has_filters = true;
    for (filter, shown) in [
        ("<2", vec!["Banks", "A"]),
        (">2", vec!["D", "C"]),
        (">9", vec![]),
        ("", vec!["D", "C", "Banks", "B", "A"]),
    ] {
        seat.desk().grid.config.filters.insert("price".into(), filter.to_owned());
        seat.frames();
        assert_eq!(seat.symbols(), shown, "{filter}");
    }
}

#[test]
fn what_is_pasted_filled_or_emptied_over_a_section_leaves_its_rows_in_order() {
    let mut seat = in_sections();
    seat.keys(Modifiers::COMMAND, Key::A);
    seat.event(Event::Copy);
    let (copied, before) = (seat.desk().copied.clone(), seat.desk().edits.len());
    assert_eq!(copied.lines().nth(2).map(|line| line.trim_end()), Some("Banks"));
    seat.keys(Modifiers::COMMAND, Key::Home);
    seat.paste(&copied);
    assert_eq!(seat.desk().edits.len(), before, "pasted back it changes nothing");
    seat.go(1, PRICE);
    seat.keys(Modifiers::SHIFT, Key::ArrowDown);
    seat.keys(Modifiers::SHIFT, Key::ArrowDown);
    seat.keys(Modifiers::COMMAND, Key::D);
    assert_eq!((seat.cell("Price of B"), seat.symbols()[2].as_str()), ("3.00".to_owned(), "Banks"));
    seat.go(1, PRICE);
    seat.paste("7\n8\n9\n");
    seat.0.get_by_label("1 cell cannot be read and would be left as it is:");
    seat.0.get_by_role_and_label(egui::accesskit::Role::Button, "Paste").click();
    seat.frames();
    assert_eq!((seat.cell("Price of C"), seat.cell("Price of B")), ("7.00".to_owned(), "9.00".to_owned()));
}

#[test]
fn a_section_that_another_client_makes_is_one_here() {
    let mut seat = seat(&[("D", "4", ""), ("C", "3", "")]);
    let column = shared::edit::AddColumn {
        key: "_section".into(),
        title: "Section".into(),
        kind: shared::column::ColumnKind::Text,
        after: None,
    };
    let title = Change::set(row(1), &"_section".into(), Literal::from("Metals"));
    seat.others(&[Change::AddColumn(column), title]);
    assert_eq!(seat.symbols(), ["Metals", "C"]);
    seat.go(0, 0);
    seat.key(Key::Delete);
    assert_eq!(seat.symbols(), ["D", "C"], "without a title it is a row again");
}

#[test]
fn a_section_that_is_edited_is_shown_until_the_editor_closes() {
    let mut seat = in_sections();
    seat.desk().grid.config.has_filters = true;
    seat.desk().grid.config.filters.insert("price".into(), "<2".to_owned());
    seat.frames();
    seat.go(0, 0);
    seat.text("Banks and others");
    seat.others(&[Change::set(row(4), &"price".into(), Literal::from("9"))]);
    assert_eq!(seat.symbols(), ["Banks"], "its last row is held back, and it is being typed in");
    seat.key(Key::Enter);
    (0..3).for_each(|_| seat.frames());
    assert_eq!(seat.symbols(), Vec::<String>::new());
}
