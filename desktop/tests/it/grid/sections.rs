//! Section rows.

use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use shared::{edit::Change, value::Literal};

use super::desk::{GridHarness, harness, row};

const PRICE: usize = 2;
const TARGET: usize = 7;

/// Returns a grid of D, C and a section with B, A.
fn in_sections() -> GridHarness {
    let mut harness = harness(&[("D", "4", ""), ("C", "3", ""), ("B", "2", ""), ("A", "1", "")]);
    harness.go(2, PRICE);
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    assert_eq!(harness.editor().as_deref(), Some("Section"), "the editor is open with the default title");
    harness.text("Banks");
    harness.key(Key::Enter);
    harness
}

#[test]
fn inserting_a_section_is_one_edit_and_its_title_is_edited_like_a_cell() {
    let mut harness = in_sections();
    assert_eq!(harness.symbols(), ["D", "C", "Banks", "B", "A"]);
    assert_eq!(harness.app().edits[0].len(), 2, "the first section adds the title column");
    assert!(harness.0.query_by_label("Section").is_none(), "the title column is not shown");
    harness.go(2, PRICE);
    harness.key(Key::F2);
    assert_eq!(harness.editor().as_deref(), Some("Banks"), "from any column of the section row");
    harness.text("!");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols()[2], "Banks!");
    harness.go(0, 0);
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    harness.key(Key::Escape);
    assert_eq!(harness.symbols(), ["Section", "D", "C", "Banks!", "B", "A"]);
    assert_eq!(harness.app().edits.last().map(Vec::len), Some(1));
}

#[test]
fn sections_are_not_counted_as_rows() {
    let mut harness = in_sections();
    assert_eq!(harness.app().grid.row_counts(), (4, 4));
    harness.app().grid.config.has_filters = true;
    harness.app().grid.config.filters.insert("price".into(), "<2".to_owned());
    harness.frames();
    assert_eq!(
        (harness.symbols(), harness.app().grid.row_counts()),
        (vec!["Banks".to_owned(), "A".to_owned()], (4, 1))
    );
}

#[test]
fn rows_are_sorted_within_their_sections() {
    let mut harness = in_sections();
    harness.0.get_by_label("Symbol").click();
    harness.frames();
    assert_eq!(harness.symbols(), ["C", "D", "Banks", "A", "B"]);
    harness.0.get_by_label("Symbol").click();
    harness.frames();
    assert_eq!(harness.symbols(), ["D", "C", "Banks", "B", "A"]);
}

#[test]
fn a_section_is_shown_if_any_of_its_rows_is() {
    let mut harness = in_sections();
    harness.app().grid.config.has_filters = true;
    for (filter, shown) in [
        ("<2", vec!["Banks", "A"]),
        (">2", vec!["D", "C"]),
        (">9", vec![]),
        ("", vec!["D", "C", "Banks", "B", "A"]),
    ] {
        harness.app().grid.config.filters.insert("price".into(), filter.to_owned());
        harness.frames();
        assert_eq!(harness.symbols(), shown, "{filter}");
    }
}

#[test]
fn pasting_and_filling_across_a_section_keeps_its_title() {
    let mut harness = in_sections();
    harness.keys(Modifiers::COMMAND, Key::A);
    harness.event(Event::Copy);
    let (copied, before) = (harness.app().copied.clone(), harness.app().edits.len());
    assert_eq!(copied.lines().nth(2).map(|line| line.trim_end()), Some("Banks"));
    harness.keys(Modifiers::COMMAND, Key::Home);
    harness.paste(&copied);
    assert_eq!(harness.app().edits.len(), before, "pasting the copied cells back changes nothing");
    harness.go(1, PRICE);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.keys(Modifiers::COMMAND, Key::D);
    assert_eq!((harness.cell("Price of B"), harness.symbols()[2].as_str()), ("3.00".to_owned(), "Banks"));
    harness.go(1, PRICE);
    harness.paste("7\n8\n9\n");
    let prices = ["Price of C", "Price of B", "Price of A"].map(|cell| harness.cell(cell));
    assert_eq!(prices, ["7.00", "8.00", "9.00"], "as if they were typed one below the other");
    harness.go(1, PRICE);
    harness.paste("70\n\n80\n");
    assert_eq!((&*harness.cell("Price of C"), &*harness.cell("Price of B")), ("70.00", "80.00"));
}

#[test]
fn a_section_made_by_another_client_is_shown_as_a_section() {
    let mut harness = harness(&[("D", "4", ""), ("C", "3", "")]);
    let column = shared::edit::AddColumn {
        key: "_section".into(),
        title: "Section".into(),
        kind: shared::column::ColumnKind::Text,
        after: None,
    };
    let title = Change::set(row(1), &"_section".into(), Literal::from("Metals"));
    harness.others(&[Change::AddColumn(column), title]);
    assert_eq!(harness.symbols(), ["Metals", "C"]);
    harness.go(0, 0);
    harness.key(Key::Delete);
    assert_eq!(harness.symbols(), ["D", "C"], "a section without a title is an ordinary row");
}

#[test]
fn an_edited_section_is_shown_until_the_editor_closes() {
    let mut harness = in_sections();
    harness.app().grid.config.has_filters = true;
    harness.app().grid.config.filters.insert("price".into(), "<2".to_owned());
    harness.0.run_steps(20);
    harness.go(0, 0);
    harness.0.run_steps(10);
    harness.text("Banks and others");
    harness.others(&[Change::set(row(4), &"price".into(), Literal::from("9"))]);
    harness.0.run_steps(10);
    assert_eq!(harness.symbols(), ["Banks", "A"], "its last row no longer matches, but nothing moves yet");
    harness.key(Key::Enter);
    harness.key(Key::ArrowDown);
    (0..3).for_each(|_| harness.frames());
    harness.0.run_steps(20);
    assert_eq!(harness.symbols(), Vec::<String>::new());
}

/// A trader types prices down or up a column, or along the rows: the titles stay, and so does the column.
#[test]
fn figures_typed_across_a_section_leave_its_title_alone() {
    for (key, modifiers, from) in [(Key::Enter, Modifiers::NONE, 0), (Key::Enter, Modifiers::SHIFT, 4)] {
        let mut harness = in_sections();
        harness.go(from, PRICE);
        for price in ["11", "12", "13", "14"] {
            harness.text(price);
            harness.keys(modifiers, key);
        }
        assert_eq!(harness.symbols(), ["D", "C", "Banks", "B", "A"]);
        let mut prices = ["D", "C", "B", "A"].map(|symbol| harness.cell(&format!("Price of {symbol}")));
        if from > 0 {
            prices.reverse();
        }
        assert_eq!(prices, ["11.00", "12.00", "13.00", "14.00"]);
    }
    let mut harness = in_sections();
    harness.go(1, PRICE);
    harness.key(Key::End);
    harness.key(Key::Tab);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of B"));
    harness.keys(Modifiers::SHIFT, Key::Tab);
    assert_eq!(harness.focused().as_deref(), Some("Due of C"));
}

#[test]
fn a_figure_typed_on_a_section_is_not_its_title() {
    let mut harness = in_sections();
    harness.go(2, PRICE);
    harness.text("13.3");
    assert_eq!(harness.editor(), None);
    assert_eq!(harness.app().notices, ["This row is the title of a section. Press F2 to edit it."]);
    harness.key(Key::F2);
    harness.text("!");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols()[2], "Banks!");
    assert_eq!(harness.focused().as_deref(), Some("Price of B"), "the column in which the cursor was");
    harness.go(2, 0);
    harness.text("Metals");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols()[2], "Metals", "typed on the title itself");
}

#[test]
fn after_a_figure_typed_on_a_section_enter_moves_down() {
    let mut harness = in_sections();
    harness.go(2, PRICE);
    harness.text("13.3");
    harness.key(Key::Enter);
    assert_eq!((harness.editor(), harness.focused().as_deref()), (None, Some("Price of B")));
    harness.text("14");
    harness.key(Key::Enter);
    assert_eq!((&*harness.symbols()[2], &*harness.cell("Price of B")), ("Banks", "14.00"));
}

#[test]
fn figures_copied_across_a_section_are_pasted_anywhere_without_a_gap() {
    let mut harness = in_sections();
    harness.go(3, PRICE);
    harness.key(Key::Delete);
    harness.go(0, PRICE);
    (0..4).for_each(|_| harness.keys(Modifiers::SHIFT, Key::ArrowDown));
    harness.event(Event::Copy);
    let copied = harness.app().copied.clone();
    assert_eq!(copied.lines().collect::<Vec<_>>(), ["4", "3", "", "1"]);
    let before = harness.app().edits.len();
    harness.paste(&copied);
    assert_eq!(harness.app().edits.len(), before, "pasting the copied cells back changes nothing");
    harness.go(0, TARGET);
    harness.paste(&copied);
    let targets = ["Target of D", "Target of C", "Target of B", "Target of A"].map(|cell| harness.cell(cell));
    assert_eq!(targets, ["4.00", "3.00", "", "1.00"]);
}

#[test]
fn clearing_across_a_section_keeps_its_title() {
    let mut harness = in_sections();
    harness.go(1, 0);
    (0..2).for_each(|_| harness.keys(Modifiers::SHIFT, Key::ArrowDown));
    harness.key(Key::Delete);
    assert_eq!(harness.symbols(), ["D", "Banks", "A"]);
    harness.go(2, 0);
    harness.key(Key::Delete);
    assert_eq!(harness.symbols(), ["D", "A"], "a title alone is meant");
}

#[test]
fn a_paste_that_renames_a_section_asks_first() {
    let mut harness = in_sections();
    harness.go(1, 0);
    harness.paste("MSFT\nAAPL\nTSLA\n");
    harness.0.get_by_label("The section \u{201c}Banks\u{201d} will be renamed \u{201c}AAPL\u{201d}.");
    harness.key(Key::Escape);
    assert_eq!(harness.symbols(), ["D", "C", "Banks", "B", "A"]);
    harness.go(2, 0);
    harness.paste("Metals");
    assert_eq!(harness.symbols()[2], "Metals", "a single text is meant");
}

#[test]
fn a_paste_of_which_nothing_is_valid_can_only_be_closed() {
    let mut harness = in_sections();
    harness.go(0, PRICE);
    harness.paste("abc\nxyz\n");
    assert!(harness.0.query_by_label("Cancel").is_none());
    harness.0.get_by_role_and_label(egui::accesskit::Role::Button, "Close").click();
    harness.frames();
    assert_eq!(harness.cell("Price of D"), "4.00");
}
