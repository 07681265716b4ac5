//! Moving the cursor, selecting, copying and pasting.

use std::time::Duration;

use desktop::command::{ColumnCommand, GridCommand};
use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use shared::{
    column::ColumnKind,
    edit::{AddColumn, Change},
    value::Literal,
};

use super::desk::{GridHarness, harness, painted_texts, row, three_rows};

const PRICE: usize = 2;

#[test]
fn arrow_home_end_and_page_keys_move_the_cursor() {
    let mut harness = three_rows();
    assert_eq!(harness.focused().as_deref(), Some("Symbol of AAA"));
    harness.key(Key::ArrowDown);
    harness.key(Key::ArrowRight);
    assert_eq!(harness.focused().as_deref(), Some("Company of BBB"));
    harness.key(Key::End);
    assert_eq!(harness.focused().as_deref(), Some("Due of BBB"));
    harness.key(Key::Home);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of BBB"));
    harness.keys(Modifiers::COMMAND, Key::End);
    assert_eq!(harness.focused().as_deref(), Some("Due of CCC"));
    harness.keys(Modifiers::COMMAND, Key::Home);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of AAA"));
    harness.key(Key::PageDown);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of new row"));
    harness.key(Key::PageUp);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of AAA"));
    harness.keys(Modifiers::COMMAND, Key::ArrowDown);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of CCC"));
}

#[test]
fn shift_extends_the_selection_and_updates_the_totals() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    let sums = harness.app().grid.sums().get().cloned().unwrap();
    let figure = |figure: Option<rust_decimal::Decimal>| figure.unwrap().to_string();
    assert_eq!((sums.filled, sums.numbers, figure(sums.sum)), (3, 3, "60".to_owned()));
    assert_eq!([figure(sums.average()), figure(sums.min), figure(sums.max)], ["20", "10", "30"]);
    harness.key(Key::Escape);
    assert!(harness.app().grid.sums().get().is_none());
}

#[test]
fn shift_click_ctrl_click_and_drag_select() {
    let mut harness = three_rows();
    let click = |harness: &mut super::desk::GridHarness, name: &str, modifiers: Modifiers| {
        harness.node(name).click_modifiers(modifiers);
        harness.frames();
    };
    click(&mut harness, "Price of AAA", Modifiers::NONE);
    click(&mut harness, "Price of BBB", Modifiers::SHIFT);
    click(&mut harness, "Note of CCC", Modifiers::COMMAND);
    harness.event(Event::Copy);
    let selected = harness.app().grid.sums().get().cloned().unwrap();
    assert_eq!((selected.filled, selected.numbers), (2, 2));
    let (from, to) =
        (harness.node("Price of AAA").rect().center(), harness.node("Price of CCC").rect().center());
    harness.0.drag_at(from);
    harness.0.step();
    harness.0.hover_at(to);
    harness.0.step();
    harness.0.drop_at(to);
    harness.frames();
    assert_eq!(harness.app().grid.sums().get().map(|sums| sums.numbers), Some(3));
}

#[test]
fn ctrl_click_on_a_header_selects_the_column_and_ctrl_a_selects_all() {
    let mut harness = three_rows();
    harness.0.get_by_label("Price").click_modifiers(Modifiers::COMMAND);
    harness.frames();
    assert_eq!(harness.app().grid.sums().get().map(|sums| sums.numbers), Some(3));
    harness.keys(Modifiers::COMMAND, Key::A);
    assert_eq!(harness.app().grid.sums().get().map(|sums| sums.filled), Some(7));
    harness.key(Key::ArrowDown);
    harness.keys(Modifiers::SHIFT, Key::Space);
    assert_eq!(harness.app().grid.sums().get().map(|sums| sums.filled), Some(3));
}

#[test]
fn entire_rows_and_columns_stay_entire_as_shift_and_an_arrow_add_more() {
    let copied = |first: (Modifiers, Key), more: Key| {
        let mut harness = three_rows();
        harness.go(0, PRICE);
        harness.keys(first.0, first.1);
        harness.keys(Modifiers::SHIFT, more);
        harness.event(Event::Copy);
        let lines: Vec<usize> =
            harness.app().copied.lines().map(|line| line.matches('\t').count() + 1).collect();
        lines
    };
    let (columns, rows) = (copied((Modifiers::COMMAND, Key::A), Key::ArrowUp)[0], 3);
    assert_eq!(copied((Modifiers::SHIFT, Key::Space), Key::ArrowDown), [columns; 2]);
    assert_eq!(copied((Modifiers::COMMAND, Key::Space), Key::ArrowRight), vec![2; rows]);
}

#[test]
fn pasting_copied_cells_back_changes_nothing() {
    let rows: Vec<(String, String, String)> = (0..1_000)
        .map(|number| {
            (format!("S{number}"), format!("{number}.125"), format!("a \"note\"\twith\nall {number}"))
        })
        .collect();
    let rows: Vec<(&str, &str, &str)> =
        rows.iter().map(|(symbol, price, note)| (&**symbol, &**price, &**note)).collect();
    let mut harness = harness(&rows);
    let more = (0..8).map(|index| {
        let (key, title) = (format!("extra{index}"), format!("Extra {index}").into());
        let kind = ColumnKind::Percent { decimals: 1 };
        Change::AddColumn(AddColumn { key: key.as_str().into(), title, kind, after: None })
    });
    let filled = (1..=1_000_u128).flat_map(|number| {
        (0..8).map(move |index| {
            let value = format!("{}.0625", number + index);
            Change::set(row(number), &format!("extra{index}").as_str().into(), Literal::from(value.as_str()))
        })
    });
    let changes: Vec<Change> = more.chain(filled).collect();
    harness.others(&changes);
    harness.keys(Modifiers::COMMAND, Key::A);
    harness.event(Event::Copy);
    let copied = harness.app().copied.clone();
    assert_eq!(copied.split_once("\nS1\t").map(|(first, _)| first.matches('\t').count()), Some(19 + 1));
    assert!(copied.starts_with("S0\t\t0.125\t"), "{}", &copied[..60]);
    harness.keys(Modifiers::COMMAND, Key::Home);
    harness.paste(&copied);
    assert!(harness.app().edits.is_empty(), "{:?}", harness.app().edits[0].first());
    assert!(harness.0.query_by_label("Cancel").is_none(), "no confirmation is shown");
    harness.paste(&copied.replacen("\t999.125\t", "\t1000.125\t", 1));
    assert_eq!(harness.app().edits.iter().map(Vec::len).collect::<Vec<_>>(), [1], "only the different cell");
    assert_eq!(
        harness.app().watchlist.cell(row(1_000), &"price".into()).to_literal(),
        Literal::from("1000.125")
    );
}

#[test]
fn a_block_is_pasted_as_one_edit_and_a_single_value_fills_the_selection() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.paste("1\n2\n3\n");
    assert_eq!(harness.app().edits.len(), 1);
    assert_eq!(
        ["AAA", "BBB", "CCC"].map(|name| harness.cell(&format!("Price of {name}"))),
        ["1.00", "2.00", "3.00"]
    );
    harness.go(0, PRICE);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.paste("9.5");
    assert_eq!(
        ["AAA", "BBB", "CCC"].map(|name| harness.cell(&format!("Price of {name}"))),
        ["9.50", "9.50", "3.00"]
    );
}

#[test]
fn pasting_new_rows_needs_confirmation() {
    let mut harness = three_rows();
    harness.go(2, 0);
    harness.paste("CCC\nDDD\nEEE\n");
    assert!(harness.app().edits.is_empty(), "confirmation comes first");
    harness.0.get_by_label("This adds 2 rows at the end.");
    harness.0.get_by_role_and_label(egui::accesskit::Role::Button, "Paste");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC", "DDD", "EEE"]);
    assert_eq!(
        (harness.app().edits.len(), harness.editor()),
        (1, None),
        "Enter does not open an editor behind the dialog"
    );
}

#[test]
fn invalid_cells_are_listed_and_nothing_is_sent_without_confirmation() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.paste("1\nabc\n1.2.3\n");
    assert!(harness.app().edits.is_empty());
    harness.0.get_by_label("2 cells are not valid and will be skipped:");
    harness.0.get_by_label("Cancel").click();
    harness.frames();
    assert!(harness.app().edits.is_empty() && harness.cell("Price of AAA") == "30.00");
    harness.paste("1\nabc\n3\n");
    harness.0.get_by_role_and_label(egui::accesskit::Role::Button, "Paste").click();
    harness.frames();
    assert_eq!(
        ["AAA", "BBB", "CCC"].map(|name| harness.cell(&format!("Price of {name}"))),
        ["1.00", "20.00", "3.00"]
    );
}

/// A block with decimal commas: those that can be read have lost them.
#[test]
fn numbers_that_others_of_a_paste_make_doubtful_are_named() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.paste("71,5\n1,234\n2.5\n");
    harness.0.get_by_label_contains(
        "Read as thousands, although others have decimals there: \u{201c}1,234\u{201d}.",
    );
    harness.key(Key::Escape);
    harness.paste("abc\n1,234\n2.5\n");
    assert!(harness.0.query_by_label_contains("Read as thousands").is_none());
}

#[test]
fn a_large_ragged_paste_with_an_unclosed_quote_is_handled() {
    let mut harness = three_rows();
    harness.go(0, 0);
    harness.paste(&format!("\"AAA\n{}", "x\ty\tz\tw\nv\n".repeat(50_000)));
    assert!(harness.app().edits.is_empty(), "confirmation comes first");
    harness.0.get_by_label("Cancel").click();
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"]);
}

#[test]
fn ctrl_x_copies_and_clears_and_ctrl_space_selects_the_column() {
    let mut harness = three_rows();
    harness.go(1, PRICE);
    harness.keys(Modifiers::COMMAND, Key::Space);
    assert_eq!(harness.app().grid.sums().get().map(|sums| sums.numbers), Some(3));
    harness.event(Event::Cut);
    assert_eq!(harness.app().copied, "30\n20\n10\n");
    // It is every row, so it asks.
    harness.key(Key::Enter);
    assert_eq!(["AAA", "BBB", "CCC"].map(|name| harness.cell(&format!("Price of {name}"))), ["", "", ""]);
    assert_eq!(harness.app().edits.len(), 1);
}

#[test]
fn a_paste_over_the_limits_needs_confirmation_and_is_sent_in_order() {
    let mut harness = three_rows();
    harness.go(3, 0);
    let lines: String = (0..12_000).map(|number| format!("N{number}\n")).collect();
    harness.paste(&lines);
    harness.0.get_by_label("This adds 12,000 rows at the end.");
    harness.0.get_by_label(
        "12,000 changes are too many for one step: they are sent as 2 edits, and undo takes as many steps.",
    );
    harness.key(Key::Enter);
    let edits: Vec<usize> = harness.app().edits.iter().map(Vec::len).collect();
    assert_eq!((edits.len(), edits.iter().sum::<usize>()), (2, 12_000));
    let last = harness.app().watchlist.rows().iter().last().unwrap().stored(0).to_literal();
    assert_eq!(last, Literal::from("N11999"));
}

#[test]
fn totals_of_very_many_cells_are_computed_on_another_thread() {
    let rows: Vec<String> = (1..=5_000).map(|number| number.to_string()).collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|price| ("X", &**price, "")).collect();
    let mut harness = harness(&rows);
    harness.keys(Modifiers::COMMAND, Key::A);
    crate::screen::wait_for("the sums", || {
        harness.frames();
        harness.app().grid.sums().get().filter(|sums| sums.numbers == 5_000).map(drop)
    });
    let sum =
        |harness: &mut super::desk::GridHarness| harness.app().grid.sums().get().and_then(|sums| sums.sum);
    assert_eq!(sum(&mut harness), Some(12_502_500.into()));
    harness.others(&[Change::set(row(1), &"price".into(), Literal::from("2"))]);
    crate::screen::wait_for("the sums after the change", || {
        harness.frames();
        (sum(&mut harness) == Some(12_502_501.into())).then_some(())
    });
}

#[test]
fn the_text_of_a_filter_is_in_the_middle_of_its_field() {
    let mut harness = three_rows();
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    harness.text("xx");
    let field = harness.0.get_by_label("Filter Symbol").rect();
    let painted = painted_texts(&harness);
    let text = painted.iter().find(|painted| painted.text == "xx").unwrap().extent;
    // The letters have no ascenders, so their middle is a little lower.
    assert!((text.center().y - field.center().y).abs() < 3.0, "{text} in {field}");
}

#[test]
fn the_find_bar_shows_only_matching_rows_if_asked_to() {
    let mut harness = three_rows();
    harness.keys(Modifiers::COMMAND, Key::F);
    harness.text("sec");
    assert_eq!(harness.symbols().len(), 3, "finding hides nothing");
    harness.keys(Modifiers::ALT, Key::F);
    assert_eq!(harness.symbols(), ["BBB"], "whatever the column");
    harness.others(&[Change::set(row(1), &"note".into(), "a second one".into())]);
    assert_eq!(harness.symbols(), ["AAA", "BBB"]);
    assert_eq!(harness.app().grid.row_counts(), (3, 2));
    harness.text("x");
    assert_eq!(harness.symbols().len(), 0);
    harness.0.get_by_label("Clear filters").click();
    harness.frames();
    assert_eq!(harness.symbols().len(), 3);
    harness.keys(Modifiers::COMMAND, Key::F);
    harness.text("sec");
    harness.keys(Modifiers::ALT, Key::F);
    assert_eq!(harness.symbols(), ["AAA", "BBB"]);
    harness.key(Key::Escape);
    assert_eq!(harness.symbols().len(), 3, "closing the bar shows all rows");
}

#[test]
fn a_click_within_one_frame_counts() {
    let mut harness = three_rows();
    let center = |harness: &super::desk::GridHarness, name: &str| harness.node(name).rect().center();
    let price = center(&harness, "Price of BBB");
    harness.quick_click(price);
    assert_eq!(harness.focused().as_deref(), Some("Price of BBB"));
    harness.text("21");
    let note = center(&harness, "Note of CCC");
    harness.quick_click(note);
    assert_eq!(
        (harness.editor(), harness.cell("Price of BBB")),
        (None, "21.00".to_owned()),
        "the click commits"
    );
    assert_eq!(harness.focused().as_deref(), Some("Note of CCC"));
    let symbol = harness.node("Symbol of AAA").rect();
    let number = egui::pos2(symbol.left() - 8.0, symbol.center().y);
    harness.quick_click(number);
    let app = harness.app_ref();
    assert_eq!(app.grid.selection.rows(&app.grid.table(&app.watchlist)), [row(1)]);
    assert!(app.grid.selection.contains(row(1), &"note".into()), "the whole row");
    // The press of the row number is over, so a drag elsewhere selects cells.
    let (from, to) = (center(&harness, "Price of BBB"), center(&harness, "Price of CCC"));
    harness.drag(from, to);
    let app = harness.app_ref();
    assert!(
        app.grid.selection.contains(row(3), &"price".into())
            && !app.grid.selection.contains(row(3), &"note".into())
    );
}

#[test]
fn f3_and_enter_find_while_the_find_bar_has_focus() {
    for key in [Key::F3, Key::Enter] {
        let mut harness = harness(&[("AAA", "1", "x"), ("BBB", "2", "x"), ("CCC", "3", "x")]);
        harness.keys(Modifiers::COMMAND, Key::F);
        harness.text("x");
        assert_eq!(harness.focused().as_deref(), Some("Note of AAA"), "it jumps while typing");
        harness.key(key);
        assert_eq!(harness.focused().as_deref(), Some("Note of BBB"));
        harness.keys(Modifiers::SHIFT, key);
        assert_eq!(harness.focused().as_deref(), Some("Note of AAA"));
        harness.key(Key::Escape);
        assert!(harness.0.query_by_label("Close").is_none(), "the find bar is closed");
        harness.key(key);
        let found = harness.focused();
        let expected = if key == Key::F3 { "Note of BBB" } else { "Note of AAA" };
        assert_eq!(found.as_deref(), Some(expected), "F3 works in the grid, Enter edits the cell");
        assert_eq!(harness.editor().is_some(), key == Key::Enter);
    }
}

#[test]
fn a_number_that_does_not_fit_is_not_truncated() {
    let mut harness = harness(&[("AAA", "123456.78", "")]);
    let narrow = |harness: &mut super::desk::GridHarness, width: f32| {
        harness.app().grid.config.widths.insert("price".into(), width);
        harness.frames();
        super::desk::painted(harness)
    };
    assert!(narrow(&mut harness, 120.0).contains(&"123,456.78".to_owned()));
    let shown = narrow(&mut harness, 60.0);
    let price: Vec<_> = shown.iter().filter(|text| text.contains('1') || text.contains('#')).collect();
    assert!(price.iter().any(|text| text.chars().all(|c| c == '#')), "{shown:?}");
    assert!(!shown.iter().any(|text| text.starts_with("123")), "{shown:?}");
}

#[test]
fn copying_several_blocks_leaves_unselected_cells_empty() {
    let mut harness = harness(&[("AAA", "30", "x"), ("BBB", "20", "y")]);
    harness.node("Price of AAA").click();
    harness.frames();
    harness.node("Note of BBB").click_modifiers(Modifiers::COMMAND);
    harness.frames();
    let app = harness.app_ref();
    assert_eq!(app.grid.selection.rows(&app.grid.table(&app.watchlist)), [row(1), row(2)]);
    harness.event(Event::Copy);
    assert_eq!(harness.app().copied, "30\t\n\ty\n");
}

/// Pastes five columns of text into two new rows; two of the columns are computed.
#[test]
fn a_paste_says_what_it_leaves_out_and_selects_what_it_pasted() {
    let mut harness = three_rows();
    harness.go(3, 0);
    harness.paste("NEW\tNew Corp\t70\t1\t2\nNXT\tNext Corp\t80\t1\t2\n");
    harness.0.get_by_label("This adds 2 rows at the end.");
    harness.0.get_by_label("Change, Change % are computed from other columns and not pasted.");
    harness.key(Key::Enter);
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC", "NEW", "NXT"]);
    let app = harness.app_ref();
    let table = app.grid.table(&app.watchlist);
    let rows = app.grid.selection.rows(&table);
    let columns = app.grid.selection.columns(&table);
    assert_eq!(rows, [table.id_at(3).unwrap(), table.id_at(4).unwrap()]);
    assert_eq!(columns.len(), 5);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of NEW"));
    harness.go(0, 2);
    harness.paste("7\t8\n");
    assert_eq!(harness.app().notices, ["Change is computed from other columns and not pasted."]);
    assert_eq!(harness.cell("Price of AAA"), "7.00");
}

#[test]
fn clearing_or_removing_every_row_asks_first() {
    let mut harness = three_rows();
    harness.keys(Modifiers::COMMAND, Key::A);
    harness.keys(Modifiers::COMMAND, Key::Delete);
    harness.0.get_by_label("This removes all 3 rows for everyone.");
    harness.key(Key::Escape);
    harness.go(0, 2);
    harness.keys(Modifiers::COMMAND, Key::Space);
    harness.key(Key::Delete);
    harness.0.get_by_label("This clears 3 cells in all 3 rows for everyone.");
    harness.key(Key::Escape);
    assert!(harness.app().edits.is_empty());
    harness.go(1, 0);
    harness.keys(Modifiers::COMMAND, Key::Delete);
    assert_eq!(harness.symbols(), ["AAA", "CCC"], "a single row is removed at once");
}

#[test]
fn tab_and_enter_go_round_a_selection() {
    let mut harness = three_rows();
    harness.go(0, 2);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.text("1");
    harness.key(Key::Enter);
    assert_eq!(harness.focused().as_deref(), Some("Price of BBB"));
    harness.text("2");
    harness.key(Key::Enter);
    assert_eq!(harness.focused().as_deref(), Some("Price of AAA"), "from the last cell to the first");
    harness.key(Key::Tab);
    assert_eq!(harness.focused().as_deref(), Some("Price of BBB"));
    harness.keys(Modifiers::SHIFT, Key::Tab);
    assert_eq!(harness.focused().as_deref(), Some("Price of AAA"));
    assert_eq!((harness.cell("Price of AAA"), harness.cell("Price of BBB")), ("1.00".into(), "2.00".into()));
    harness.text("+1");
    harness.keys(Modifiers::COMMAND, Key::Enter);
    let prices = ["AAA", "BBB", "CCC"].map(|symbol| harness.cell(&format!("Price of {symbol}")));
    assert_eq!(prices, ["2.00", "3.00", "10.00"], "Ctrl+Enter changes every selected cell by one");
    assert_eq!(harness.app().edits.len(), 3);
}

/// Whichever way another cell is chosen, the values of a list stay in its column: the run of Tabs before it is over.
#[test]
fn a_list_after_tabs_stays_in_the_column_of_the_cell_that_was_chosen() {
    type Choose = fn(&mut GridHarness);
    let ways: [(&str, Choose); 5] = [
        ("right click", |harness| {
            harness.node("Target of AAA").click_secondary();
            harness.frames();
            harness.key(Key::Escape);
        }),
        ("click", |harness| {
            let at = harness.node("Target of AAA").rect().center();
            harness.quick_click(at);
        }),
        ("find", |harness| {
            harness.keys(Modifiers::COMMAND, Key::F);
            harness.text("=5.00");
            harness.key(Key::Enter);
            harness.key(Key::Escape);
        }),
        ("jump", |harness| {
            harness.app().grid.selection.move_to_row(row(1), Some("target".into()));
            harness.frames();
        }),
        ("screen reader", |harness| {
            harness.node("Target of AAA").click_accesskit();
            harness.frames();
        }),
    ];
    for (way, choose) in ways {
        let mut harness = three_rows();
        harness.others_read(&[Change::set(row(1), &"target".into(), Literal::from("5"))]);
        harness.go(1, PRICE);
        harness.text("21");
        harness.key(Key::Tab);
        choose(&mut harness);
        assert_eq!(harness.focused().as_deref(), Some("Target of AAA"), "{way}");
        for value in ["201", "202", "203"] {
            harness.text(value);
            harness.key(Key::Enter);
        }
        let targets = ["AAA", "BBB", "CCC"].map(|symbol| harness.cell(&format!("Target of {symbol}")));
        assert_eq!(targets, ["201.00", "202.00", "203.00"], "{way}");
    }
}

#[test]
fn enter_after_tabs_returns_to_the_column_in_which_they_began() {
    let mut harness = three_rows();
    harness.go(0, 0);
    for text in ["A", "Alpha"] {
        harness.text(text);
        harness.key(Key::Tab);
    }
    harness.text("31");
    harness.key(Key::Enter);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of BBB"));
    harness.go(0, 2);
    harness.text("32");
    harness.key(Key::Enter);
    assert_eq!(harness.focused().as_deref(), Some("Price of BBB"), "without a Tab it stays in its column");
}

#[test]
fn the_find_bar_counts_and_jumps_while_typing() {
    let mut harness = three_rows();
    harness.keys(Modifiers::COMMAND, Key::F);
    harness.text("BB");
    assert_eq!(harness.focused().as_deref(), Some("Symbol of BBB"));
    harness.0.get_by_label("1 match");
    harness.key(Key::Escape);
    harness.keys(Modifiers::COMMAND, Key::F);
    harness.text("0.0");
    harness.0.get_by_label("3 matches");
    harness.text("x");
    harness.0.get_by_label("No matches");
}

/// Whatever removes the selected cells from view, what is typed next is for the cursor's cell, and nothing is
/// changed elsewhere.
#[test]
fn a_selection_whose_cells_are_gone_is_cleared() {
    for case in ["hidden column", "removed rows", "filtered rows"] {
        let mut harness = three_rows();
        harness.go(0, PRICE);
        harness.keys(Modifiers::SHIFT, Key::ArrowDown);
        match case {
            "hidden column" => harness.app().grid.queue_command(ColumnCommand::Hide),
            "removed rows" => {
                harness.others(&[Change::remove(row(1), None), Change::remove(row(2), None)]);
            }
            _ => {
                harness.app().grid.config.has_filters = true;
                harness.app().grid.config.filters.insert("symbol".into(), "CCC".to_owned());
            }
        }
        (0..3).for_each(|_| harness.frames());
        assert!(harness.app().grid.selection.blocks.is_single(), "{case}");
        harness.event(Event::Copy);
        let copied = harness.app().copied.clone();
        assert!(copied.lines().count() <= 1, "{case}: {copied:?}");
        let edits = harness.app().edits.len();
        harness.key(Key::End);
        harness.key(Key::Delete);
        harness.app().grid.config.hidden.clear();
        harness.app().grid.config.filters.clear();
        (0..3).for_each(|_| harness.frames());
        assert!(harness.app().grid.selection.blocks.is_single(), "{case}: it does not come back");
        assert_eq!(harness.app().edits.len(), edits, "{case}: an empty cell is cleared");
    }
}

#[test]
fn a_selection_that_loses_some_of_its_rows_keeps_the_others() {
    let mut harness = harness(&[("AAA", "4", ""), ("BBB", "3", ""), ("CCC", "2", ""), ("DDD", "1", "")]);
    harness.go(0, PRICE);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.others(&[Change::remove(row(1), None)]);
    harness.key(Key::Delete);
    let prices = ["BBB", "CCC", "DDD"].map(|name| harness.cell(&format!("Price of {name}")));
    assert_eq!(prices, ["", "", "1.00"]);
}

#[test]
fn a_pasted_percentage_is_not_a_plain_number() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.paste("4%\n-2%\n+10 %\n");
    harness.0.get_by_label("3 cells are not valid and will be skipped:");
    harness.0.get_by_label_contains("Line 1, Price: \"4%\" is a percentage");
    assert!(harness.app().edits.is_empty());
    harness.key(Key::Escape);
    harness.paste("(5)\n");
    assert_eq!(harness.cell("Price of AAA"), "\u{2212}5.00");
}

#[test]
fn find_looks_for_whole_cells_after_an_equals_sign() {
    let mut harness = harness(&[("AT", "1", ""), ("T", "2", ""), ("TT", "3", "")]);
    harness.keys(Modifiers::COMMAND, Key::F);
    harness.text("=t");
    assert_eq!(harness.focused().as_deref(), Some("Symbol of T"));
    harness.0.get_by_label("1 match");
    harness.keys(Modifiers::ALT, Key::F);
    assert_eq!(harness.symbols(), ["T"]);
}

/// Selects three prices in a list that is sorted by them, and lets others change the first.
fn sorted_apart() -> GridHarness {
    let mut harness =
        harness(&[("A", "1", "a"), ("B", "2", ""), ("C", "3", ""), ("D", "4", ""), ("E", "5", "")]);
    harness.app().grid.config.sort_by(&"price".into(), false);
    harness.frames();
    harness.node("Note of A").click();
    harness.frames();
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.0.run_steps(600);
    harness.others(&[Change::set(row(1), &"price".into(), Literal::from("4.5"))]);
    harness.0.run_steps(200);
    assert_eq!(harness.symbols(), ["B", "C", "D", "A", "E"]);
    harness
}

#[test]
fn a_paste_goes_to_the_selected_rows_after_others_have_sorted_them_apart() {
    let notes = |harness: &GridHarness| {
        ["A", "B", "C", "D", "E"].map(|name| harness.cell(&format!("Note of {name}")))
    };
    let mut harness = sorted_apart();
    harness.paste("1\n2\n3\n");
    assert_eq!(notes(&harness), ["1", "2", "3", "", ""]);
    let mut harness = sorted_apart();
    harness.paste("1\n2\n");
    assert_eq!(notes(&harness), ["1", "2", "", "", ""]);
    let mut harness = sorted_apart();
    harness.paste("1\n2\n3\n4\n");
    assert_eq!(notes(&harness), ["a", "", "", "", ""], "more than is selected");
    harness.keys(Modifiers::COMMAND, Key::D);
    assert_eq!(notes(&harness), ["a", "a", "a", "", ""], "the first selected value fills the others");
    // What is copied from the rows is pasted into the same ones.
    let mut harness = sorted_apart();
    harness.others(&[Change::set(row(2), &"note".into(), Literal::from("b"))]);
    harness.event(Event::Copy);
    let copied = harness.app().copied.clone();
    assert_eq!(copied, "a\nb\n\n");
    harness.paste(&copied);
    assert_eq!(notes(&harness), ["a", "b", "", "", ""]);
    // The person sorts again, and goes on with the order that they see.
    let mut harness = sorted_apart();
    harness.app().grid.queue_command(GridCommand::SortAgain);
    harness.0.run_steps(5);
    harness.paste("1\n2\n3\n4\n");
    assert_eq!(notes(&harness), ["4", "1", "2", "3", ""]);
    // A row that is gone would shift the rest.
    for change in [Change::remove(row(3), None), Change::set(row(3), &"price".into(), Literal::from("99"))] {
        let mut harness = sorted_apart();
        harness.app().grid.config.has_filters = true;
        harness.app().grid.config.filters.insert("price".into(), "<9".to_owned());
        harness.0.run_steps(5);
        harness.node("Note of B").click();
        harness.frames();
        harness.keys(Modifiers::SHIFT, Key::ArrowDown);
        harness.keys(Modifiers::SHIFT, Key::ArrowDown);
        harness.0.run_steps(50);
        harness.others(&[change]);
        harness.0.run_steps(50);
        assert_eq!(harness.symbols(), ["B", "D", "A", "E"]);
        harness.paste("1\n2\n3\n");
        assert_eq!(harness.cell("Note of B"), "");
        harness.paste("1\n2\n3\n");
        assert_eq!(harness.cell("Note of B"), "1", "the next one is for what is shown");
    }
    // The person sorts, and goes on with the order that they see.
    let mut harness = sorted_apart();
    harness.app().grid.config.sort_by(&"symbol".into(), false);
    harness.frames();
    harness.app().grid.config.sort_by(&"symbol".into(), true);
    harness.0.run_steps(200);
    assert_eq!(harness.symbols(), ["E", "D", "C", "B", "A"]);
    harness.paste("1\n2\n3\n");
    assert_eq!(notes(&harness), ["3", "2", "1", "", ""]);
}

#[test]
fn a_paste_goes_to_the_selected_rows_and_not_to_one_that_others_have_inserted_between_them() {
    let mut harness = harness(&[("A", "1", ""), ("B", "2", ""), ("C", "3", "")]);
    harness.node("Note of A").click();
    harness.frames();
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    let insertion = harness.insertion_at(1, "X");
    harness.others(&[insertion]);
    harness.0.run_steps(600);
    harness.paste("1\n2\n");
    assert_eq!(["A", "X", "B", "C"].map(|name| harness.cell(&format!("Note of {name}"))), ["1", "", "2", ""]);
}

#[test]
fn times_are_pasted_as_they_are_typed() {
    let mut harness = harness(&[("A", "1", ""), ("B", "2", ""), ("C", "3", ""), ("D", "4", "")]);
    harness.node("Due of A").click();
    harness.frames();
    harness.paste("14:30\n9:05\n18-Dec-2026\n12/18/2026 3:30 PM\n");
    harness.frames();
    let shown = ["A", "B", "C", "D"].map(|name| harness.cell(&format!("Due of {name}")));
    assert_eq!(shown, ["14:30:00", "09:05:00", "2026-12-18", "2026-12-18"]);
    let stored =
        [1, 2, 3, 4].map(|number| harness.app().watchlist.cell(row(number), &"due".into()).to_literal());
    let times = [
        "2026-11-22T14:30:00.000Z",
        "2026-11-22T09:05:00.000Z",
        "2026-12-18T00:00:00.000Z",
        "2026-12-18T15:30:00.000Z",
    ];
    assert_eq!(stored, times.map(Literal::from));
    harness.node("Due of A").click();
    harness.frames();
    harness.paste("5/6/2026\n");
    harness.0.get_by_label("Line 1, Due: \"5/6/2026\" is ambiguous. Type 2026-05-06 or 2026-06-05");
}

/// The totals are those of the cells that are shown.
#[test]
fn the_totals_follow_a_filter_that_hides_what_was_pasted() {
    let mut harness = harness(&[("A", "150", ""), ("B", "200", ""), ("C", "300", "")]);
    harness.app().grid.config.has_filters = true;
    harness.app().grid.config.filters.insert("price".into(), ">=100".to_owned());
    harness.frames();
    harness.go(0, PRICE);
    harness.paste("1\n2\n300\n");
    harness.app().pace = Duration::from_millis(20);
    harness.0.run_steps(100);
    assert_eq!(harness.symbols(), ["A", "B", "C"], "the rows stay for a while, as after typing");
    harness.0.run_steps(300);
    assert_eq!(harness.symbols(), ["A", "C"], "the cursor's row stays");
    let cells = harness.app().grid.sums().get().map(|summary| summary.cells);
    assert_eq!(cells, Some(2));
}
