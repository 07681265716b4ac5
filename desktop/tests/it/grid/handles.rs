//! The numbers of rows, which are their handles, sparklines, and the card beside a cell.

use std::collections::BTreeSet;

use desktop::{
    grid::{ColumnCommand, Command, GridAction},
    store::{
        history::{Asked, CellChange, CellHistory},
        trails::Trails,
    },
};
use egui::{Event, Key, Modifiers, Pos2, accesskit::Role, pos2};
use egui_kittest::kittest::{NodeT, Queryable};
use shared::{
    edit::Change,
    ids::{RowId, WatchlistId},
    number::parse_exact,
    replica::Effect,
    value::{Literal, Value},
};
use uuid::Uuid;

use super::desk::{Seat, row, seat, three};

/// The middle of a row's number.
fn number(seat: &Seat, name: &str) -> Pos2 {
    let symbol = seat.0.get_by_label(&format!("Symbol of {name}")).rect();
    pos2(symbol.left() - 8.0, symbol.center().y)
}

fn press(seat: &mut Seat, at: Pos2, modifiers: Modifiers) {
    seat.0.event(Event::ModifiersChanged(modifiers));
    seat.0.drag_at(at);
    seat.frames();
    seat.0.drop_at(at);
    seat.frames();
    seat.event(Event::ModifiersChanged(Modifiers::NONE));
}

fn selected(seat: &Seat) -> Vec<RowId> {
    let desk = seat.desk_ref();
    desk.grid.selected_rows(&desk.grid.table(&desk.watchlist))
}

fn four() -> Seat {
    seat(&[("A", "1", ""), ("B", "2", ""), ("C", "3", ""), ("D", "4", "")])
}

#[test]
fn a_click_on_a_rows_number_selects_the_row() {
    let mut seat = four();
    let (a, b, d) = (number(&seat, "A"), number(&seat, "B"), number(&seat, "D"));
    press(&mut seat, b, Modifiers::NONE);
    assert_eq!(selected(&seat), [row(2)]);
    assert!(seat.0.get_by_label("Note of B").accesskit_node().is_selected().unwrap_or(false), "whole");
    press(&mut seat, d, Modifiers::SHIFT);
    assert_eq!(selected(&seat), [row(2), row(3), row(4)]);
    press(&mut seat, a, Modifiers::NONE);
    press(&mut seat, d, Modifiers::COMMAND);
    assert_eq!(selected(&seat), [row(1), row(4)]);
    press(&mut seat, d, Modifiers::NONE);
    assert_eq!(selected(&seat), [row(4)], "a selected one is selected alone");
}

#[test]
fn a_drag_over_numbers_selects_and_one_of_selected_rows_moves_them() {
    let mut seat = four();
    let (a, b) = (number(&seat, "A"), number(&seat, "B"));
    seat.drag(a, b);
    assert_eq!(selected(&seat), [row(1), row(2)]);
    let below_c = number(&seat, "C") + egui::vec2(0.0, 9.0);
    seat.drag(a, below_c);
    assert_eq!(seat.symbols(), ["C", "A", "B", "D"]);
    assert_eq!((seat.desk().edits.len(), selected(&seat)), (1, vec![row(1), row(2)]), "one edit");
    let above_b = number(&seat, "B") - egui::vec2(0.0, 9.0);
    let from = number(&seat, "A");
    seat.drag(from, above_b);
    assert_eq!(seat.desk().edits.len(), 1, "where they are they need not go");
    let end = number(&seat, "D") + egui::vec2(0.0, 60.0);
    let from = number(&seat, "A");
    seat.drag(from, end);
    assert_eq!(seat.symbols(), ["C", "D", "A", "B"]);
}

#[test]
fn rows_of_a_sorted_list_are_not_dragged() {
    let mut seat = four();
    seat.0.get_by_label("Symbol").click();
    seat.frames();
    let (a, d) = (number(&seat, "A"), number(&seat, "D") + egui::vec2(0.0, 9.0));
    press(&mut seat, a, Modifiers::NONE);
    seat.drag(a, d);
    assert!(seat.desk().edits.is_empty());
    assert_eq!(seat.desk().said, ["Rows are moved in the list's own order: it is sorted at present."]);
}

#[test]
fn a_long_press_on_the_number_of_a_selected_row_moves_nothing() {
    let mut seat = four();
    let (a, d) = (number(&seat, "A"), number(&seat, "D"));
    press(&mut seat, a, Modifiers::NONE);
    press(&mut seat, d, Modifiers::COMMAND);
    seat.0.drag_at(d);
    (0..90).for_each(|_| seat.0.step());
    seat.0.drop_at(d);
    seat.frames();
    assert_eq!((seat.symbols().concat(), seat.desk().edits.len()), ("ABCD".to_owned(), 0));
}

/// A row at a place that leaves no other between it and the next: the longest that there is.
fn crowded(number: u128, last: u8) -> Change {
    let hex = format!("{}{last:02x}", "80".repeat(127));
    let position = shared::position::Position::from_hex(&hex).unwrap();
    let cells = [("symbol".into(), Literal::from(format!("C{last}").as_str()))];
    Change::insert(row(number), &position, cells.into())
}

#[test]
fn rows_find_room_between_two_that_leave_none() {
    let mut seat = seat(&[]);
    seat.others(&[crowded(1, 1), crowded(2, 2), crowded(3, 3)]);
    assert_eq!(seat.symbols(), ["C1", "C2", "C3"]);
    seat.go(1, 0);
    seat.key(Key::Insert);
    assert!(seat.desk().edits[0].len() > 1, "neighbours make room");
    seat.text("NEW");
    seat.key(Key::Enter);
    assert_eq!(seat.symbols(), ["C1", "NEW", "C2", "C3"]);
    let mut seat = super::desk::seat(&[]);
    seat.others(&[crowded(1, 1), crowded(2, 2), crowded(3, 3)]);
    let third = number(&seat, "C3");
    press(&mut seat, third, Modifiers::NONE);
    let to = number(&seat, "C2") - egui::vec2(0.0, 9.0);
    seat.drag(third, to);
    assert_eq!(seat.symbols(), ["C1", "C3", "C2"]);
}

#[test]
fn a_sparkline_is_a_column_of_the_windows_own() {
    let mut seat = three();
    seat.go(0, 2);
    let headers = |seat: &Seat| -> Vec<String> {
        seat.0.get_all_by_role(Role::ColumnHeader).filter_map(|node| node.accesskit_node().label()).collect()
    };
    let before = headers(&seat);
    let mut trails = Trails::default();
    trails.want(&BTreeSet::from(["price".into()]));
    let number = |text: &str| Value::Number(parse_exact(text).unwrap());
    trails.note(&[Effect::Cell {
        row: row(1),
        column: "price".into(),
        before: number("29"),
        after: number("30"),
    }]);
    seat.desk().trails = Some(trails);
    seat.desk().grid.ask(Command::Column(ColumnCommand::Trend));
    seat.frames();
    assert_eq!(headers(&seat)[2..4], ["Price", "Price trend"]);
    assert_eq!(seat.cell("Price trend of AAA"), "29, 30");
    seat.0.get_by_label("Price trend").click();
    seat.frames();
    assert!(seat.desk().grid.config.sort.is_empty(), "it does not sort");
    seat.go(0, 3);
    assert_eq!(seat.focused().as_deref(), Some("Price trend of AAA"));
    seat.text("5");
    assert_eq!(seat.editor(), None);
    seat.key(Key::Delete);
    seat.paste("5");
    assert!(seat.desk().edits.is_empty());
    seat.go(0, 2);
    seat.desk().grid.ask(Command::Column(ColumnCommand::Trend));
    seat.frames();
    assert_eq!(headers(&seat), before);
}

fn known(number: u128, column: &str, changes: &[(&str, &str, &str)]) -> CellHistory {
    let change = |(by, from, to): &(&str, &str, &str)| CellChange {
        by: (*by).into(),
        at: "2026-11-22T14:03:21.000Z".parse().unwrap(),
        from: Literal::from(*from),
        to: Literal::from(*to),
    };
    CellHistory {
        watchlist: WatchlistId(Uuid::nil()),
        row: row(number),
        column: column.into(),
        changes: changes.iter().map(change).collect(),
        asked: Asked::Answered,
        is_old: false,
    }
}

#[test]
fn where_the_pointer_rests_the_cells_last_changes_are_shown() {
    let mut seat = three();
    let at = seat.0.get_by_label("Price of BBB").rect().center();
    seat.0.hover_at(at);
    seat.0.step();
    assert!(seat.desk().said.is_empty(), "not at once");
    seat.frames();
    let asked = format!("{:?}", GridAction::AskHistory(row(2), "price".into()));
    assert_eq!(seat.desk().said, [asked]);
    seat.desk().history = Some(known(2, "price", &[("bob", "19.5", "20"), ("ann", "18", "19.5")]));
    seat.frames();
    for text in ["14:03:21", "bob", "ann"] {
        assert!(seat.0.query_all_by_label(text).next().is_some(), "{text}");
    }
    seat.0.get_by_label("19.50 \u{203a} 20.00");
    seat.0.get_by_label("18.00 \u{203a} 19.50");
    if let Some(history) = &mut seat.desk().history {
        history.is_old = true;
    }
    (0..4).for_each(|_| seat.frames());
    assert!(seat.desk().said.len() > 1, "what has changed is asked for again");
    assert!(seat.desk().said.len() < 5, "but not in every frame");
    seat.key(Key::ArrowRight);
    (0..4).for_each(|_| seat.frames());
    assert!(seat.0.query_by_label("bob").is_none(), "whoever types does not look at the pointer");
    seat.0.hover_at(at + egui::vec2(2.0, 0.0));
    (0..3).for_each(|_| seat.frames());
    assert!(seat.0.query_all_by_label("bob").next().is_some(), "it has moved");
    seat.0.remove_cursor();
    seat.frames();
    assert!(seat.0.query_by_label("bob").is_none());
}

#[test]
fn a_key_shows_the_card_at_the_cursor_until_it_moves() {
    let mut seat = three();
    seat.0.remove_cursor();
    seat.others(&[Change::set(row(2), &"note".into(), Literal::from("x".repeat(80).as_str()))]);
    seat.go(1, 8);
    seat.keys(Modifiers::SHIFT, Key::F2);
    assert_eq!(seat.0.query_all_by_label(&"x".repeat(80)).count(), 1, "what is cut off is read in full");
    seat.key(Key::ArrowUp);
    assert_eq!(seat.0.query_all_by_label(&"x".repeat(80)).count(), 0);
}

#[test]
fn a_card_says_that_the_server_is_not_connected_or_that_nobody_changed_the_cell() {
    for (asked, text) in [
        (Asked::Offline, "Its changes are on the server, which is not connected."),
        (Asked::Answered, "Nobody has changed it yet."),
    ] {
        let mut seat = three();
        seat.0.remove_cursor();
        seat.go(1, 2);
        seat.desk().history = Some(CellHistory { asked, ..known(2, "price", &[]) });
        seat.keys(Modifiers::SHIFT, Key::F2);
        seat.0.get_by_label(text);
    }
}
