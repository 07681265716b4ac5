//! Columns: by name from the list of everything, and by their headers and edges.

use desktop::grid::{ColumnCommand, Command, GridAction};
use egui::{accesskit::Role, pos2};
use egui_kittest::kittest::{NodeT, Queryable};
use shared::edit::{Change, KeyOnly};

use super::desk::{Seat, three};

const PRICE: usize = 2;

fn ask(seat: &mut Seat, command: ColumnCommand) {
    seat.desk().grid.ask(Command::Column(command));
    seat.frames();
}

fn headers(seat: &Seat) -> Vec<String> {
    seat.0.get_all_by_role(Role::ColumnHeader).filter_map(|node| node.accesskit_node().label()).collect()
}

fn width(seat: &Seat, title: &str) -> f32 {
    header(seat, title).width()
}

fn header(seat: &Seat, title: &str) -> egui::Rect {
    seat.0.get_by_role_and_label(Role::ColumnHeader, title).rect()
}

#[test]
fn a_column_is_hidden_here_and_shown_again() {
    let mut seat = three();
    let before = headers(&seat);
    seat.go(0, PRICE);
    ask(&mut seat, ColumnCommand::Hide);
    assert!(!headers(&seat).contains(&"Price".to_owned()));
    assert_eq!(headers(&seat).len(), before.len() - 1);
    ask(&mut seat, ColumnCommand::ShowAll);
    assert_eq!(headers(&seat), before);
    for _ in 0..20 {
        ask(&mut seat, ColumnCommand::Hide);
    }
    assert_eq!(headers(&seat).len(), 1, "one always stays");
    assert!(seat.desk().edits.is_empty(), "nobody else loses a column");
}

#[test]
fn hidden_columns_are_shown_where_others_removed_the_rest() {
    let mut seat = three();
    for _ in 0..20 {
        ask(&mut seat, ColumnCommand::Hide);
    }
    let left = headers(&seat);
    assert_eq!(left.len(), 1);
    let due = seat.desk().watchlist.columns().iter().find(|entry| *entry.column.title == *left[0]).unwrap();
    let key = due.column.key.clone();
    seat.others(&[Change::RemoveColumn(KeyOnly { key })]);
    assert!(headers(&seat).len() > 5 && seat.focused().is_some());
}

#[test]
fn a_computed_column_has_no_sparkline_and_one_does_not_sort() {
    let mut seat = three();
    seat.go(0, 3);
    ask(&mut seat, ColumnCommand::Trend);
    assert_eq!(seat.desk().said.len(), 1);
    seat.go(0, PRICE);
    ask(&mut seat, ColumnCommand::Trend);
    seat.go(0, PRICE + 1);
    ask(&mut seat, ColumnCommand::Rename);
    assert_eq!(seat.desk().said.last(), Some(&format!("{:?}", GridAction::RenameColumn("price".into()))));
    ask(&mut seat, ColumnCommand::Hide);
    assert!(
        !headers(&seat).contains(&"Price trend".to_owned()) && headers(&seat).contains(&"Price".to_owned())
    );
}

#[test]
fn a_column_is_moved_and_widened_by_name() {
    let mut seat = three();
    seat.go(0, PRICE);
    ask(&mut seat, ColumnCommand::Move(false));
    assert_eq!(headers(&seat)[..3], ["Symbol", "Price", "Company"]);
    ask(&mut seat, ColumnCommand::Move(true));
    ask(&mut seat, ColumnCommand::Move(true));
    assert_eq!(headers(&seat)[..4], ["Symbol", "Company", "Change", "Price"]);
    let before = width(&seat, "Price");
    ask(&mut seat, ColumnCommand::Width(true));
    assert!(width(&seat, "Price") > before + 10.0);
    ask(&mut seat, ColumnCommand::Width(false));
    assert!((width(&seat, "Price") - before).abs() < 0.5);
    ask(&mut seat, ColumnCommand::Fit);
    assert!(width(&seat, "Price") < before);
}

#[test]
fn decimals_are_the_windows_own() {
    let mut seat = three();
    seat.go(0, PRICE);
    ask(&mut seat, ColumnCommand::Decimals(true));
    assert_eq!(seat.cell("Price of AAA"), "30.000");
    (0..4).for_each(|_| ask(&mut seat, ColumnCommand::Decimals(false)));
    assert_eq!(seat.cell("Price of AAA"), "30");
    assert!(seat.desk().edits.is_empty());
}

#[test]
fn a_column_is_removed_for_everyone_and_a_computed_one_is_not() {
    let mut seat = three();
    seat.go(0, 3);
    ask(&mut seat, ColumnCommand::Remove);
    assert_eq!(seat.desk().said, ["Change is computed from other columns; it can be hidden."]);
    seat.go(0, 8);
    ask(&mut seat, ColumnCommand::Remove);
    assert!(matches!(&seat.desk().edits[0][..], [Change::RemoveColumn(_)]));
    assert!(!headers(&seat).contains(&"Note".to_owned()));
    assert!(seat.focused().is_some(), "the cursor is on another column");
}

#[test]
fn frozen_columns_stay_where_the_others_scroll() {
    let mut seat = three();
    seat.0.set_size(egui::vec2(700.0, 400.0));
    seat.go(0, 1);
    ask(&mut seat, ColumnCommand::Freeze);
    let before =
        (header(&seat, "Symbol").left(), header(&seat, "Company").left(), header(&seat, "Price").left());
    seat.key(egui::Key::End);
    let after =
        (header(&seat, "Symbol").left(), header(&seat, "Company").left(), header(&seat, "Price").left());
    assert!((before.0 - after.0).abs() < 0.5 && (before.1 - after.1).abs() < 0.5, "{before:?} {after:?}");
    assert!(after.2 < before.2 - 50.0);
    ask(&mut seat, ColumnCommand::FreezeFirst);
    assert!(header(&seat, "Company").left() < before.1 - 50.0);
}

#[test]
fn edges_resize_and_fit_and_headers_are_dragged() {
    let mut seat = three();
    let company = header(&seat, "Company");
    let edge = pos2(company.right(), company.center().y);
    seat.drag(edge, edge + egui::vec2(60.0, 0.0));
    assert!((width(&seat, "Company") - company.width() - 60.0).abs() < 2.0, "{}", width(&seat, "Company"));
    let edge = pos2(header(&seat, "Company").right(), company.center().y);
    for _ in 0..2 {
        seat.0.drag_at(edge);
        seat.0.drop_at(edge);
        seat.0.step();
    }
    seat.frames();
    assert!(width(&seat, "Company") < 100.0, "fitted to nothing but its title: {}", width(&seat, "Company"));
    let (from, to) = (header(&seat, "Note").center(), header(&seat, "Price"));
    seat.drag(from, pos2(to.left() + 5.0, from.y));
    assert_eq!(headers(&seat)[..4], ["Symbol", "Company", "Note", "Price"]);
    assert!(seat.desk().grid.config.sort.is_empty(), "a drag does not sort");
}
