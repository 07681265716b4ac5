//! The accessibility tree.

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};

use super::desk::three_rows;

#[test]
fn the_tree_has_a_grid_with_headers_rows_and_cell_values() {
    let harness = three_rows();
    let grid = harness.0.get_by_role(Role::Grid);
    assert_eq!(grid.accesskit_node().label().as_deref(), Some("Core book"));
    let headers: Vec<String> = harness
        .0
        .get_all_by_role(Role::ColumnHeader)
        .filter_map(|node| node.accesskit_node().label())
        .collect();
    assert_eq!(headers[..4], ["Symbol", "Company", "Price", "Change"]);
    assert_eq!(grid.get_all_by_role(Role::Row).count(), 5, "the header, three rows and the empty one");
    let rows: Vec<_> = grid.get_all_by_role(Role::Row).collect();
    assert_eq!(rows[2].accesskit_node().label().as_deref(), Some("row BBB"));
    rows[2].get_by_label("Price, 20.00, row BBB");
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"]);
}

#[test]
fn a_screen_reader_click_moves_the_cursor() {
    let mut harness = three_rows();
    harness.node("Note of BBB").click_accesskit();
    harness.frames();
    assert_eq!(harness.focused().as_deref(), Some("Note of BBB"));
}
