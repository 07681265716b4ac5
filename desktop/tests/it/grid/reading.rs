//! What a screen reader is told.

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};

use super::desk::three;

#[test]
fn the_tree_has_a_table_with_headers_rows_and_valued_cells() {
    let seat = three();
    let grid = seat.0.get_by_role(Role::Grid);
    assert_eq!(grid.accesskit_node().label().as_deref(), Some("Core book"));
    let headers: Vec<String> =
        seat.0.get_all_by_role(Role::ColumnHeader).filter_map(|node| node.accesskit_node().label()).collect();
    assert_eq!(headers[..4], ["Symbol", "Company", "Price", "Change"]);
    assert_eq!(grid.get_all_by_role(Role::Row).count(), 5, "the header, three rows and the new one");
    let rows: Vec<_> = grid.get_all_by_role(Role::Row).collect();
    let in_second = rows[2].get_by_label("Price of BBB");
    assert_eq!(in_second.value().as_deref(), Some("20.00"));
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC"]);
}

#[test]
fn a_screen_readers_click_moves_the_cursor() {
    let mut seat = three();
    seat.0.get_by_label("Note of BBB").click_accesskit();
    seat.frames();
    assert_eq!(seat.focused().as_deref(), Some("Note of BBB"));
}
