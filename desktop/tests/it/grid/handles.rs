//! Row numbers as drag handles, sparklines, and the hover card.

use std::collections::BTreeSet;

use desktop::{
    command::{AppCommand, ColumnCommand, Command, GridCommand},
    store::{
        history::{CellChange, CellHistory, RequestState},
        sparklines::SparklineValues,
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

use super::desk::{GridHarness, LIST, harness, row, three_rows};

/// Returns a point on a row's number.
fn number(harness: &GridHarness, name: &str) -> Pos2 {
    let symbol = harness.node(&format!("Symbol of {name}")).rect();
    pos2(symbol.left() - 8.0, symbol.center().y)
}

fn press(harness: &mut GridHarness, at: Pos2, modifiers: Modifiers) {
    harness.0.event(Event::ModifiersChanged(modifiers));
    harness.0.drag_at(at);
    harness.frames();
    harness.0.drop_at(at);
    harness.frames();
    harness.event(Event::ModifiersChanged(Modifiers::NONE));
}

fn selected(harness: &GridHarness) -> Vec<RowId> {
    let app = harness.app_ref();
    app.grid.selection.rows(&app.grid.table(&app.watchlist))
}

fn four() -> GridHarness {
    harness(&[("A", "1", ""), ("B", "2", ""), ("C", "3", ""), ("D", "4", "")])
}

#[test]
fn a_click_on_a_rows_number_selects_the_row() {
    let mut harness = four();
    let (a, b, d) = (number(&harness, "A"), number(&harness, "B"), number(&harness, "D"));
    press(&mut harness, b, Modifiers::NONE);
    assert_eq!(selected(&harness), [row(2)]);
    assert!(harness.node("Note of B").accesskit_node().is_selected().unwrap_or(false), "the whole row");
    press(&mut harness, d, Modifiers::SHIFT);
    assert_eq!(selected(&harness), [row(2), row(3), row(4)]);
    press(&mut harness, a, Modifiers::NONE);
    press(&mut harness, d, Modifiers::COMMAND);
    assert_eq!(selected(&harness), [row(1), row(4)]);
    press(&mut harness, d, Modifiers::NONE);
    assert_eq!(selected(&harness), [row(4)], "a click on a selected row selects only that row");
}

#[test]
fn dragging_over_row_numbers_selects_and_dragging_selected_rows_moves_them() {
    let mut harness = four();
    let (a, b) = (number(&harness, "A"), number(&harness, "B"));
    harness.drag(a, b);
    assert_eq!(selected(&harness), [row(1), row(2)]);
    let below_c = number(&harness, "C") + egui::vec2(0.0, 9.0);
    harness.drag(a, below_c);
    assert_eq!(harness.symbols(), ["C", "A", "B", "D"]);
    assert_eq!((harness.app().edits.len(), selected(&harness)), (1, vec![row(1), row(2)]), "one edit");
    let above_b = number(&harness, "B") - egui::vec2(0.0, 9.0);
    let from = number(&harness, "A");
    harness.drag(from, above_b);
    assert_eq!(harness.app().edits.len(), 1, "dropping rows where they are sends no edit");
    let end = number(&harness, "D") + egui::vec2(0.0, 60.0);
    let from = number(&harness, "A");
    harness.drag(from, end);
    assert_eq!(harness.symbols(), ["C", "D", "A", "B"]);
}

#[test]
fn rows_of_a_sorted_list_cannot_be_dragged() {
    let mut harness = four();
    harness.0.get_by_label("Symbol").click();
    harness.frames();
    let (a, d) = (number(&harness, "A"), number(&harness, "D") + egui::vec2(0.0, 9.0));
    press(&mut harness, a, Modifiers::NONE);
    harness.drag(a, d);
    assert!(harness.app().edits.is_empty());
    assert_eq!(harness.app().notices, ["Rows can only be moved in list order. Choose \"Clear sort\" first."]);
}

#[test]
fn a_long_press_on_the_number_of_a_selected_row_moves_nothing() {
    let mut harness = four();
    let (a, d) = (number(&harness, "A"), number(&harness, "D"));
    press(&mut harness, a, Modifiers::NONE);
    press(&mut harness, d, Modifiers::COMMAND);
    harness.0.drag_at(d);
    (0..90).for_each(|_| harness.0.step());
    harness.0.drop_at(d);
    harness.frames();
    assert_eq!((harness.symbols().concat(), harness.app().edits.len()), ("ABCD".to_owned(), 0));
}

/// Returns a row at a position of maximum length, so that there is no position between it and the next.
fn crowded(number: u128, last: u8) -> Change {
    at_position(number, &format!("{}{last:02x}", "80".repeat(127)), &format!("C{last}"))
}

fn at_position(number: u128, hex: &str, symbol: &str) -> Change {
    let position = shared::position::Position::from_hex(hex).unwrap();
    Change::insert(row(number), &position, [("symbol".into(), Literal::from(symbol))].into())
}

#[test]
fn rows_can_be_added_before_the_first_and_after_the_last_possible_position() {
    let mut harness = harness(&[]);
    let first = format!("{}01", "00".repeat(127));
    harness.others(&[at_position(1, &first, "FIRST"), at_position(2, &"ff".repeat(128), "LAST")]);
    harness.go(2, 0);
    harness.text("NEW");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols(), ["FIRST", "LAST", "NEW"]);
    harness.go(0, 0);
    harness.key(Key::Insert);
    harness.text("TOP");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols(), ["TOP", "FIRST", "LAST", "NEW"]);
}

#[test]
fn rows_can_be_inserted_and_moved_between_adjacent_positions() {
    let mut harness = harness(&[]);
    harness.others(&[crowded(1, 1), crowded(2, 2), crowded(3, 3)]);
    assert_eq!(harness.symbols(), ["C1", "C2", "C3"]);
    harness.go(1, 0);
    harness.key(Key::Insert);
    assert!(harness.app().edits[0].len() > 1, "neighbours move to make room");
    harness.text("NEW");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols(), ["C1", "NEW", "C2", "C3"]);
    let mut harness = super::desk::harness(&[]);
    harness.others(&[crowded(1, 1), crowded(2, 2), crowded(3, 3)]);
    let third = number(&harness, "C3");
    press(&mut harness, third, Modifiers::NONE);
    let to = number(&harness, "C2") - egui::vec2(0.0, 9.0);
    harness.drag(third, to);
    assert_eq!(harness.symbols(), ["C1", "C3", "C2"]);
}

#[test]
fn a_sparkline_is_a_column_of_the_window_only() {
    let mut harness = three_rows();
    harness.go(0, 2);
    let headers = |harness: &GridHarness| -> Vec<String> {
        harness
            .0
            .get_all_by_role(Role::ColumnHeader)
            .filter_map(|node| node.accesskit_node().label())
            .collect()
    };
    let before = headers(&harness);
    let mut sparklines = SparklineValues::default();
    sparklines.set_columns(&BTreeSet::from(["price".into()]));
    let number = |text: &str| Value::Number(parse_exact(text).unwrap());
    sparklines.record(&[Effect::Cell {
        row: row(1),
        column: "price".into(),
        before: number("29"),
        after: number("30"),
    }]);
    harness.app().sparklines = Some(sparklines);
    harness.app().grid.queue_command(GridCommand::Column(ColumnCommand::ToggleSparkline));
    harness.frames();
    assert_eq!(headers(&harness)[2..4], ["Price", "Price trend"]);
    assert_eq!(harness.cell("Price trend of AAA"), "29, 30");
    harness.0.get_by_label("Price trend").click();
    harness.frames();
    assert!(harness.app().grid.config.sort.is_empty(), "a sparkline header does not sort");
    harness.go(0, 3);
    assert_eq!(harness.focused().as_deref(), Some("Price trend of AAA"));
    harness.text("5");
    assert_eq!(harness.editor(), None);
    harness.key(Key::Delete);
    harness.paste("5");
    assert!(harness.app().edits.is_empty());
    harness.go(0, 2);
    harness.app().grid.queue_command(GridCommand::Column(ColumnCommand::ToggleSparkline));
    harness.frames();
    assert_eq!(headers(&harness), before);
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
        request: RequestState::Answered,
        is_stale: false,
    }
}

#[test]
fn resting_the_pointer_on_a_cell_shows_its_latest_changes() {
    let mut harness = three_rows();
    let at = harness.node("Price of BBB").rect().center();
    harness.0.hover_at(at);
    harness.0.step();
    assert!(harness.app().notices.is_empty(), "not immediately");
    (0..2).for_each(|_| harness.frames());
    let request = AppCommand::RequestCellHistory { watchlist: LIST, row: row(2), column: "price".into() };
    let asked = format!("{:?}", Command::from(request));
    assert_eq!(harness.app().notices, [asked]);
    harness.app().history = Some(known(2, "price", &[("bob", "19.5", "20"), ("ann", "18", "19.5")]));
    harness.frames();
    for text in ["14:03:21", "bob", "ann"] {
        assert!(harness.0.query_all_by_label(text).next().is_some(), "{text}");
    }
    harness.0.get_by_label("19.50 \u{203a} 20.00");
    harness.0.get_by_label("18.00 \u{203a} 19.50");
    if let Some(history) = &mut harness.app().history {
        history.is_stale = true;
    }
    (0..4).for_each(|_| harness.frames());
    assert!(harness.app().notices.len() > 1, "the history is requested again after a change");
    assert!(harness.app().notices.len() < 5, "but not in every frame");
    harness.key(Key::ArrowRight);
    (0..4).for_each(|_| harness.frames());
    assert!(harness.0.query_by_label("bob").is_none(), "a key press closes the card");
    harness.0.hover_at(at + egui::vec2(2.0, 0.0));
    (0..3).for_each(|_| harness.frames());
    assert!(harness.0.query_all_by_label("bob").next().is_some(), "moving the pointer opens the card again");
    harness.0.remove_cursor();
    harness.frames();
    assert!(harness.0.query_by_label("bob").is_none());
}

#[test]
fn a_key_shows_the_card_at_the_cursor_until_it_moves() {
    let mut harness = three_rows();
    harness.0.remove_cursor();
    harness.others(&[Change::set(row(2), &"note".into(), Literal::from("x".repeat(80).as_str()))]);
    harness.go(1, 8);
    harness.keys(Modifiers::SHIFT, Key::F2);
    assert_eq!(harness.0.query_all_by_label(&"x".repeat(80)).count(), 1, "truncated text is shown in full");
    harness.key(Key::ArrowUp);
    assert_eq!(harness.0.query_all_by_label(&"x".repeat(80)).count(), 0);
}

#[test]
fn a_card_reports_a_missing_connection_or_an_unchanged_cell() {
    for (request, text) in [
        (RequestState::Offline, "Recent changes are not available offline."),
        (RequestState::Answered, "No changes yet."),
    ] {
        let mut harness = three_rows();
        harness.0.remove_cursor();
        harness.go(1, 2);
        harness.app().history = Some(CellHistory { request, ..known(2, "price", &[]) });
        harness.keys(Modifiers::SHIFT, Key::F2);
        harness.0.get_by_label(text);
    }
}
