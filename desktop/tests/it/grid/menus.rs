//! The context menu of the rows, opened and used by keyboard.

use egui::{Key, Modifiers, Vec2};
use egui_kittest::{
    Harness,
    kittest::{By, NodeT, Queryable},
};

use super::desk::{GridHarness, TestApp, three_rows};

fn is_open(harness: &GridHarness) -> bool {
    harness.0.query_by_label_contains("Insert row above").is_some()
}

#[test]
fn the_menu_of_the_rows_opens_at_the_cursor_by_keyboard() {
    for (modifiers, key) in [(Modifiers::SHIFT, Key::F10), (Modifiers::NONE, Key::Menu)] {
        let mut harness = three_rows();
        harness.go(1, 2);
        assert!(!is_open(&harness));
        harness.keys(modifiers, key);
        assert!(is_open(&harness), "{key:?}");
        let cell = harness.node("Price of BBB").rect();
        let item = harness.0.get_by_label_contains("Edit cell").rect();
        // The menu is moved up if it is too high for the room below the cell.
        let is_at_cell = (item.left() - cell.left()).abs() < 20.0 && item.top() < cell.bottom() + 20.0;
        assert!(is_at_cell, "{item} {cell}");
        harness.key(Key::Escape);
        assert!(!is_open(&harness));
        harness.key(Key::ArrowDown);
        assert_eq!(harness.focused().as_deref(), Some("Price of CCC"), "the grid has the keys again");
        harness.text("7");
        assert_eq!(harness.editor().as_deref(), Some("7"));
        harness.keys(modifiers, key);
        assert!(!is_open(&harness), "the editor has the keys");
    }
}

#[test]
fn every_item_is_reached_in_a_small_window() {
    let size = Vec2::new(640.0, 400.0);
    let app = TestApp::of(three_rows().app_ref().watchlist.clone(), three_rows().app_ref().look);
    let mut harness = GridHarness::at(app, Harness::builder().with_size(size));
    harness.key(Key::Menu);
    let mut seen = Vec::new();
    // The last two cannot run here, and are passed over.
    for _ in 0..13 {
        let focused = harness.0.get(By::new().predicate(|node| node.is_focused()));
        let (name, place) = (focused.accesskit_node().label().unwrap(), focused.rect());
        assert!(place.top() >= 0.0 && place.bottom() <= size.y, "{name} at {place}");
        seen.push(name);
        harness.key(Key::ArrowDown);
    }
    assert!(seen[0].starts_with("Edit cell") && seen[12].starts_with("Fill right"), "{seen:?}");
}

#[test]
fn the_arrows_choose_from_the_menu() {
    let mut harness = three_rows();
    harness.go(1, 0);
    harness.key(Key::Menu);
    // The first item has the focus at once.
    harness.repeat(2, Key::ArrowDown);
    harness.key(Key::Enter);
    assert_eq!((harness.app_ref().copied.as_str(), is_open(&harness)), ("BBB", false));
    assert_eq!((harness.focused().as_deref(), harness.editor()), (Some("Symbol of BBB"), None));
    harness.key(Key::ArrowDown);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of CCC"));
}
