//! Column commands, headers and column edges.

use desktop::{
    command::{ColumnCommand, Command, DialogKind, GridCommand, Step},
    grid::config::GridConfig,
};
use egui::{accesskit::Role, pos2};
use egui_kittest::kittest::{NodeT, Queryable};
use shared::{
    column::ColumnKind,
    edit::{Change, ColumnRef, SetColumn},
    ids::WatchlistId,
    value::Literal,
};
use uuid::Uuid;

use super::desk::{GridHarness, LIST, harness, painted, row, three_rows};

const PRICE: usize = 2;

fn run(harness: &mut GridHarness, command: impl Into<GridCommand>) {
    harness.app().grid.queue_command(command);
    harness.frames();
}

fn headers(harness: &GridHarness) -> Vec<String> {
    harness.0.get_all_by_role(Role::ColumnHeader).filter_map(|node| node.accesskit_node().label()).collect()
}

fn width(harness: &GridHarness, title: &str) -> f32 {
    header(harness, title).width()
}

fn header(harness: &GridHarness, title: &str) -> egui::Rect {
    harness.0.get_by_role_and_label(Role::ColumnHeader, title).rect()
}

#[test]
fn a_column_can_be_hidden_in_this_window_and_shown_again() {
    let mut harness = three_rows();
    let before = headers(&harness);
    harness.go(0, PRICE);
    run(&mut harness, ColumnCommand::Hide);
    assert!(!headers(&harness).contains(&"Price".to_owned()));
    assert_eq!(headers(&harness).len(), before.len() - 1);
    run(&mut harness, GridCommand::ShowAllColumns);
    assert_eq!(headers(&harness), before);
    for _ in 0..20 {
        run(&mut harness, ColumnCommand::Hide);
    }
    assert_eq!(headers(&harness).len(), 1, "one column always stays");
    assert!(harness.app().edits.is_empty(), "other windows keep the column");
}

#[test]
fn hidden_columns_are_shown_if_others_remove_the_rest() {
    let mut harness = three_rows();
    for _ in 0..20 {
        run(&mut harness, ColumnCommand::Hide);
    }
    let left = headers(&harness);
    assert_eq!(left.len(), 1);
    let due = harness.app().watchlist.columns().iter().find(|entry| *entry.column.title == *left[0]).unwrap();
    let key = due.column.key.clone();
    harness.others(&[Change::RemoveColumn(ColumnRef { key })]);
    assert!(headers(&harness).len() > 5 && harness.focused().is_some());
}

#[test]
fn computed_columns_have_no_sparkline_and_sparkline_commands_apply_to_their_source() {
    let mut harness = three_rows();
    harness.go(0, 3);
    run(&mut harness, ColumnCommand::ToggleSparkline);
    assert_eq!(harness.app().notices.len(), 1);
    harness.go(0, PRICE);
    run(&mut harness, ColumnCommand::ToggleSparkline);
    harness.go(0, PRICE + 1);
    run(&mut harness, ColumnCommand::Rename);
    let dialog = Command::OpenDialog(DialogKind::RenameColumn(LIST, "price".into()));
    assert_eq!(harness.app().notices.last(), Some(&format!("{dialog:?}")));
    run(&mut harness, ColumnCommand::Hide);
    assert!(
        !headers(&harness).contains(&"Price trend".to_owned())
            && headers(&harness).contains(&"Price".to_owned())
    );
}

#[test]
fn a_saved_layout_places_and_sizes_a_sparkline_by_its_key() {
    let mut harness = three_rows();
    let saved = r#"{
        "order": ["symbol", "price~", "price", "company"], "widths": {"price~": 77.0, "price": 90.0},
        "hidden": ["company"], "frozen": 2, "decimals": {"price": 4}, "trends": ["price"], "sort": [],
        "isHeld": false, "hasFilters": false, "filters": {}
    }"#;
    harness.app().grid.config = serde_json::from_str(saved).unwrap();
    harness.frames();
    let shown = headers(&harness);
    assert_eq!(shown[..2], ["Symbol", "Price trend"]);
    assert!(shown.contains(&"Price".to_owned()) && !shown.contains(&"Company".to_owned()));
    assert!((width(&harness, "Price trend") - 77.0).abs() < 0.5);
    assert_eq!(harness.app().grid.config.frozen, 2);
    let written = serde_json::to_value(&harness.app().grid.config).unwrap();
    assert_eq!(written, serde_json::from_str::<serde_json::Value>(saved).unwrap());
}

#[test]
fn a_sparkline_has_no_value_to_fill_and_text_pasted_over_it_is_skipped() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    run(&mut harness, ColumnCommand::ToggleSparkline);
    run(&mut harness, ColumnCommand::Move { right: true });
    assert_eq!(headers(&harness)[2..4], ["Price trend", "Price"]);
    let before = harness.cell("Price of AAA");
    harness.go(0, PRICE + 1);
    harness.app().grid.queue_command(GridCommand::FillRight);
    harness.frames();
    assert_eq!(harness.cell("Price of AAA"), before, "a sparkline fills nothing");
    harness.go(3, PRICE);
    harness.paste("1");
    let notice = "Price trend is computed from other columns and not pasted.";
    assert_eq!(harness.app().notices.last().map(String::as_str), Some(notice));
    assert!(harness.app().edits.is_empty());
}

#[test]
fn cells_that_cannot_be_converted_are_counted_in_the_notice() {
    let mut harness = three_rows();
    harness.go(0, 0);
    run(&mut harness, GridCommand::Extend(Step::Right));
    run(&mut harness, GridCommand::Extend(Step::Right));
    run(&mut harness, GridCommand::FillRight);
    let notice = "1 cell was not filled because the column types differ.";
    assert_eq!(harness.app().notices, [notice]);
}

#[test]
fn commands_move_and_resize_a_column() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    run(&mut harness, ColumnCommand::Move { right: false });
    assert_eq!(headers(&harness)[..3], ["Symbol", "Price", "Company"]);
    run(&mut harness, ColumnCommand::Move { right: true });
    run(&mut harness, ColumnCommand::Move { right: true });
    assert_eq!(headers(&harness)[..4], ["Symbol", "Company", "Change", "Price"]);
    let before = width(&harness, "Price");
    run(&mut harness, ColumnCommand::Width { wider: true });
    assert!(width(&harness, "Price") > before + 10.0);
    run(&mut harness, ColumnCommand::Width { wider: false });
    assert!((width(&harness, "Price") - before).abs() < 0.5);
    run(&mut harness, ColumnCommand::Fit);
    assert!(width(&harness, "Price") < before);
}

#[test]
fn decimals_are_per_window() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    run(&mut harness, ColumnCommand::Decimals { more: true });
    assert_eq!(harness.cell("Price of AAA"), "30.000");
    (0..4).for_each(|_| run(&mut harness, ColumnCommand::Decimals { more: false }));
    assert_eq!(harness.cell("Price of AAA"), "30");
    assert!(harness.app().edits.is_empty());
}

#[test]
fn a_column_is_removed_for_everyone_but_a_computed_one_is_not() {
    let mut harness = three_rows();
    harness.go(0, 3);
    run(&mut harness, ColumnCommand::Remove);
    assert_eq!(
        harness.app().notices,
        ["Change is a computed column and cannot be removed. Hide it instead."]
    );
    harness.go(0, 8);
    run(&mut harness, ColumnCommand::Remove);
    assert!(matches!(&harness.app().edits[0][..], [Change::RemoveColumn(_)]));
    assert!(!headers(&harness).contains(&"Note".to_owned()));
    assert_eq!(harness.focused().as_deref(), Some("Done of AAA"), "the cursor moved to the next column");
}

#[test]
fn frozen_columns_stay_while_the_others_scroll() {
    let mut harness = three_rows();
    harness.0.set_size(egui::vec2(700.0, 400.0));
    harness.go(0, 1);
    run(&mut harness, ColumnCommand::Freeze);
    let before = (
        header(&harness, "Symbol").left(),
        header(&harness, "Company").left(),
        header(&harness, "Price").left(),
    );
    harness.key(egui::Key::End);
    let after = (
        header(&harness, "Symbol").left(),
        header(&harness, "Company").left(),
        header(&harness, "Price").left(),
    );
    assert!((before.0 - after.0).abs() < 0.5 && (before.1 - after.1).abs() < 0.5, "{before:?} {after:?}");
    assert!(after.2 < before.2 - 50.0);
    run(&mut harness, GridCommand::FreezeFirst);
    assert!(header(&harness, "Company").left() < before.1 - 50.0);
}

#[test]
fn dragging_an_edge_resizes_double_clicking_fits_and_dragging_a_header_moves() {
    let mut harness = three_rows();
    let company = header(&harness, "Company");
    let edge = pos2(company.right(), company.center().y);
    harness.drag(edge, edge + egui::vec2(60.0, 0.0));
    assert!(
        (width(&harness, "Company") - company.width() - 60.0).abs() < 2.0,
        "{}",
        width(&harness, "Company")
    );
    let edge = pos2(header(&harness, "Company").right(), company.center().y);
    for _ in 0..2 {
        harness.0.drag_at(edge);
        harness.0.drop_at(edge);
        harness.0.step();
    }
    harness.frames();
    assert!(width(&harness, "Company") < 100.0, "fitted to its title: {}", width(&harness, "Company"));
    let (from, to) = (header(&harness, "Note").center(), header(&harness, "Price"));
    harness.drag(from, pos2(to.left() + 5.0, from.y));
    assert_eq!(headers(&harness)[..4], ["Symbol", "Company", "Note", "Price"]);
    assert!(harness.app().grid.config.sort.is_empty(), "a drag does not sort");
}

#[test]
fn a_hidden_column_that_filters_or_sorts_is_named() {
    let watchlist = three_rows().app().watchlist.clone();
    let mut config = GridConfig::default();
    config.hidden.insert("price".into());
    assert_eq!(config.hidden_effect(&watchlist), None);
    config.sort_by(&"price".into(), false);
    assert_eq!(config.hidden_effect(&watchlist).as_deref(), Some("Sorted by the hidden column Price."));
    config.has_filters = true;
    config.filters.insert("price".into(), ">1000".to_owned());
    let both = "Filtered and sorted by the hidden column Price.";
    assert_eq!(config.hidden_effect(&watchlist).as_deref(), Some(both));
    config.hidden.clear();
    assert_eq!(config.hidden_effect(&watchlist), None);
}

#[test]
fn a_column_grows_with_its_numbers_until_the_person_chooses_its_width() {
    let mut harness = three_rows();
    let before = width(&harness, "Price");
    let set = |price: &str| Change::set(row(1), &"price".into(), Literal::from(price));
    harness.others(&[set("12345678.90")]);
    harness.frames();
    let grown = width(&harness, "Price");
    assert!(grown > before, "{before} {grown}");
    let shown = || painted(&harness);
    assert!(
        shown().iter().any(|text| text == "12,345,678.90")
            && !shown().iter().any(|text| text.starts_with("##"))
    );
    harness.others(&[set("1")]);
    harness.frames();
    assert!((width(&harness, "Price") - grown).abs() < 0.1, "it does not jump");
    let config = &mut harness.app().grid.config;
    config.widths.insert("price".into(), 60.0);
    harness.others(&[set("12345678.90")]);
    harness.frames();
    assert!((width(&harness, "Price") - 60.0).abs() < 0.1);
}

#[test]
fn a_column_of_texts_becomes_one_of_numbers_as_they_are_typed_and_back() {
    let mut harness = harness(&[("A", "1", "1.2M"), ("B", "2", "99 1/4"), ("C", "3", "7"), ("D", "4", "")]);
    let change = |harness: &mut GridHarness, kind: ColumnKind| {
        let set = SetColumn { key: "note".into(), title: None, kind: Some(kind), after: None };
        run(harness, GridCommand::SetColumn(LIST, set));
    };
    change(&mut harness, ColumnKind::Number { decimals: 2 });
    assert_eq!(harness.app().edits.last().map(Vec::len), Some(3), "two texts, and the type");
    let notes =
        |harness: &GridHarness| ["A", "B", "C", "D"].map(|name| harness.cell(&format!("Note of {name}")));
    assert_eq!(notes(&harness), ["1,200,000.00", "99.25", "7.00", ""]);
    change(&mut harness, ColumnKind::Text);
    assert_eq!(notes(&harness), ["1200000", "99.25", "7", ""]);
    harness.others(&[Change::set(row(3), &"note".into(), Literal::from("halted"))]);
    let before = harness.app().edits.len();
    change(&mut harness, ColumnKind::Number { decimals: 2 });
    assert_eq!(harness.app().edits.len(), before);
    assert_eq!(notes(&harness)[2], "halted");
    let other = WatchlistId(Uuid::from_u128(99));
    let set = SetColumn { key: "price".into(), title: None, kind: Some(ColumnKind::Text), after: None };
    run(&mut harness, GridCommand::SetColumn(other, set));
    assert_eq!(harness.app().edits.len(), before, "the dialog was about another watchlist");
}

#[test]
fn a_choice_that_the_new_type_does_not_have_is_not_written_into_the_column_of_choices() {
    let mut harness = harness(&[("A", "1", "1.2M")]);
    let options = ColumnKind::Choice(["1.2M".into()].into());
    for kind in [options, ColumnKind::Number { decimals: 2 }] {
        let set = SetColumn { key: "note".into(), title: None, kind: Some(kind), after: None };
        run(&mut harness, GridCommand::SetColumn(LIST, set));
    }
    assert_eq!((harness.app().edits.len(), harness.cell("Note of A")), (1, "1.2M".to_owned()));
}
