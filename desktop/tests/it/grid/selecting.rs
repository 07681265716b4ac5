//! Moving, selecting, copying.

use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;

use shared::{
    column::ColumnKind,
    edit::{AddColumn, Change},
    value::Literal,
};

use super::desk::{row, seat, three};

const PRICE: usize = 2;

#[test]
fn arrows_home_end_and_pages_move() {
    let mut seat = three();
    assert_eq!(seat.focused().as_deref(), Some("Symbol of AAA"));
    seat.key(Key::ArrowDown);
    seat.key(Key::ArrowRight);
    assert_eq!(seat.focused().as_deref(), Some("Company of BBB"));
    seat.key(Key::End);
    assert_eq!(seat.focused().as_deref(), Some("Due of BBB"));
    seat.key(Key::Home);
    assert_eq!(seat.focused().as_deref(), Some("Symbol of BBB"));
    seat.keys(Modifiers::COMMAND, Key::End);
    assert_eq!(seat.focused().as_deref(), Some("Due of CCC"));
    seat.keys(Modifiers::COMMAND, Key::Home);
    assert_eq!(seat.focused().as_deref(), Some("Symbol of AAA"));
    seat.key(Key::PageDown);
    assert_eq!(seat.focused().as_deref(), Some("Symbol of the new row"));
    seat.key(Key::PageUp);
    assert_eq!(seat.focused().as_deref(), Some("Symbol of AAA"));
    seat.keys(Modifiers::COMMAND, Key::ArrowDown);
    assert_eq!(seat.focused().as_deref(), Some("Symbol of CCC"));
}

#[test]
fn shift_grows_the_selection_and_sums_are_kept() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.keys(Modifiers::SHIFT, Key::ArrowDown);
    seat.keys(Modifiers::SHIFT, Key::ArrowDown);
    let sums = seat.desk().grid.sums().get().cloned().unwrap();
    let figure = |figure: Option<rust_decimal::Decimal>| figure.unwrap().to_string();
    assert_eq!((sums.filled, sums.numbers, figure(sums.sum)), (3, 3, "60".to_owned()));
    assert_eq!([figure(sums.average()), figure(sums.least), figure(sums.greatest)], ["20", "10", "30"]);
    seat.key(Key::Escape);
    assert!(seat.desk().grid.sums().get().is_none());
}

#[test]
fn clicks_with_shift_and_ctrl_and_drags_select() {
    let mut seat = three();
    let click = |seat: &mut super::desk::Seat, name: &str, modifiers: Modifiers| {
        seat.0.get_by_label(name).click_modifiers(modifiers);
        seat.frames();
    };
    click(&mut seat, "Price of AAA", Modifiers::NONE);
    click(&mut seat, "Price of BBB", Modifiers::SHIFT);
    click(&mut seat, "Note of CCC", Modifiers::COMMAND);
    seat.event(Event::Copy);
    let selected = seat.desk().grid.sums().get().cloned().unwrap();
    assert_eq!((selected.filled, selected.numbers), (2, 2));
    let (from, to) = (
        seat.0.get_by_label("Price of AAA").rect().center(),
        seat.0.get_by_label("Price of CCC").rect().center(),
    );
    seat.0.drag_at(from);
    seat.0.step();
    seat.0.hover_at(to);
    seat.0.step();
    seat.0.drop_at(to);
    seat.frames();
    assert_eq!(seat.desk().grid.sums().get().map(|sums| sums.numbers), Some(3));
}

#[test]
fn a_header_selects_its_column_and_ctrl_a_everything() {
    let mut seat = three();
    seat.0.get_by_label("Price").click_modifiers(Modifiers::COMMAND);
    seat.frames();
    assert_eq!(seat.desk().grid.sums().get().map(|sums| sums.numbers), Some(3));
    seat.keys(Modifiers::COMMAND, Key::A);
    assert_eq!(seat.desk().grid.sums().get().map(|sums| sums.filled), Some(7));
    seat.key(Key::ArrowDown);
    seat.keys(Modifiers::SHIFT, Key::Space);
    assert_eq!(seat.desk().grid.sums().get().map(|sums| sums.filled), Some(3));
}

#[test]
fn what_is_copied_is_pasted_back_without_a_change() {
    let rows: Vec<(String, String, String)> = (0..1_000)
        .map(|number| {
            (format!("S{number}"), format!("{number}.125"), format!("a \"note\"\twith\nall {number}"))
        })
        .collect();
    let rows: Vec<(&str, &str, &str)> =
        rows.iter().map(|(symbol, price, note)| (&**symbol, &**price, &**note)).collect();
    let mut seat = seat(&rows);
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
    seat.others(&changes);
    seat.keys(Modifiers::COMMAND, Key::A);
    seat.event(Event::Copy);
    let copied = seat.desk().copied.clone();
    assert_eq!(copied.split_once("\nS1\t").map(|(first, _)| first.matches('\t').count()), Some(19 + 1));
    assert!(copied.starts_with("S0\t\t0.125\t"), "{}", &copied[..60]);
    seat.keys(Modifiers::COMMAND, Key::Home);
    seat.paste(&copied);
    assert!(seat.desk().edits.is_empty(), "{:?}", seat.desk().edits[0].first());
    assert!(seat.0.query_by_label("Cancel").is_none(), "nothing is asked");
    seat.paste(&copied.replacen("\t999.125\t", "\t1000.125\t", 1));
    assert_eq!(seat.desk().edits.iter().map(Vec::len).collect::<Vec<_>>(), [1], "but what is other");
    assert_eq!(
        seat.desk().watchlist.cell(row(1_000), &"price".into()).to_literal(),
        Literal::from("1000.125")
    );
}

#[test]
fn a_block_is_pasted_as_one_edit_and_one_value_into_a_whole_selection() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.paste("1\n2\n3\n");
    assert_eq!(seat.desk().edits.len(), 1);
    assert_eq!(
        ["AAA", "BBB", "CCC"].map(|name| seat.cell(&format!("Price of {name}"))),
        ["1.00", "2.00", "3.00"]
    );
    seat.keys(Modifiers::SHIFT, Key::ArrowDown);
    seat.paste("9.5");
    assert_eq!(
        ["AAA", "BBB", "CCC"].map(|name| seat.cell(&format!("Price of {name}"))),
        ["9.50", "9.50", "3.00"]
    );
}

#[test]
fn more_rows_than_there_are_are_asked_about() {
    let mut seat = three();
    seat.go(2, 0);
    seat.paste("CCC\nDDD\nEEE\n");
    assert!(seat.desk().edits.is_empty(), "asked first");
    seat.0.get_by_label("2 rows are added at the end of the list.");
    seat.0.get_by_role_and_label(egui::accesskit::Role::Button, "Paste");
    seat.key(Key::Enter);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC", "DDD", "EEE"]);
    assert_eq!((seat.desk().edits.len(), seat.editor()), (1, None), "and Enter opens no editor behind it");
}

#[test]
fn cells_that_cannot_be_read_are_listed_and_nothing_is_sent_unasked() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.paste("1\nabc\n1.2.3\n");
    assert!(seat.desk().edits.is_empty());
    seat.0.get_by_label("2 cells cannot be read and would be left as they are:");
    seat.0.get_by_label("Cancel").click();
    seat.frames();
    assert!(seat.desk().edits.is_empty() && seat.cell("Price of AAA") == "30.00");
    seat.paste("1\nabc\n3\n");
    seat.0.get_by_role_and_label(egui::accesskit::Role::Button, "Paste").click();
    seat.frames();
    assert_eq!(
        ["AAA", "BBB", "CCC"].map(|name| seat.cell(&format!("Price of {name}"))),
        ["1.00", "20.00", "3.00"]
    );
}

#[test]
fn a_hundred_thousand_ragged_lines_and_a_quote_never_closed_are_taken_calmly() {
    let mut seat = three();
    seat.go(0, 0);
    seat.paste(&format!("\"AAA\n{}", "x\ty\tz\tw\nv\n".repeat(50_000)));
    assert!(seat.desk().edits.is_empty(), "asked first");
    seat.0.get_by_label("Cancel").click();
    seat.frames();
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC"]);
}

#[test]
fn ctrl_x_copies_and_empties_and_ctrl_space_selects_the_column() {
    let mut seat = three();
    seat.go(1, PRICE);
    seat.keys(Modifiers::COMMAND, Key::Space);
    assert_eq!(seat.desk().grid.sums().get().map(|sums| sums.numbers), Some(3));
    seat.event(Event::Cut);
    assert_eq!(seat.desk().copied, "30\n20\n10\n");
    assert_eq!(["AAA", "BBB", "CCC"].map(|name| seat.cell(&format!("Price of {name}"))), ["", "", ""]);
    assert_eq!(seat.desk().edits.len(), 1);
}

#[test]
fn a_paste_over_the_limits_is_told_of_and_sent_in_order() {
    let mut seat = three();
    seat.go(3, 0);
    let lines: String = (0..12_000).map(|number| format!("N{number}\n")).collect();
    seat.paste(&lines);
    seat.0.get_by_label("12,000 rows are added at the end of the list.");
    seat.0.get_by_label(
        "12,000 changes are more than one edit takes: they are sent as 2, and undone one by one.",
    );
    seat.key(Key::Enter);
    let edits: Vec<usize> = seat.desk().edits.iter().map(Vec::len).collect();
    assert_eq!((edits.len(), edits.iter().sum::<usize>()), (2, 12_000));
    let last = seat.desk().watchlist.rows().iter().last().unwrap().stored(0).to_literal();
    assert_eq!(last, Literal::from("N11999"));
}

#[test]
fn sums_of_very_many_cells_are_made_beside_the_window() {
    let rows: Vec<String> = (1..=5_000).map(|number| number.to_string()).collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|price| ("X", &**price, "")).collect();
    let mut seat = seat(&rows);
    seat.keys(Modifiers::COMMAND, Key::A);
    crate::screen::wait_for("the sums", || {
        seat.frames();
        seat.desk().grid.sums().get().filter(|sums| sums.numbers == 5_000).map(drop)
    });
    let sum = |seat: &mut super::desk::Seat| seat.desk().grid.sums().get().and_then(|sums| sums.sum);
    assert_eq!(sum(&mut seat), Some(12_502_500.into()));
    seat.others(&[Change::set(row(1), &"price".into(), Literal::from("2"))]);
    crate::screen::wait_for("the sums of what has changed", || {
        seat.frames();
        (sum(&mut seat) == Some(12_502_501.into())).then_some(())
    });
}

#[test]
fn a_click_that_is_over_within_one_frame_counts() {
    let mut seat = three();
    let center = |seat: &super::desk::Seat, name: &str| seat.0.get_by_label(name).rect().center();
    let price = center(&seat, "Price of BBB");
    seat.quick_click(price);
    assert_eq!(seat.focused().as_deref(), Some("Price of BBB"));
    seat.text("21");
    let note = center(&seat, "Note of CCC");
    seat.quick_click(note);
    assert_eq!((seat.editor(), seat.cell("Price of BBB")), (None, "21.00".to_owned()), "it commits");
    assert_eq!(seat.focused().as_deref(), Some("Note of CCC"));
    let symbol = seat.0.get_by_label("Symbol of AAA").rect();
    let number = egui::pos2(symbol.left() - 8.0, symbol.center().y);
    seat.quick_click(number);
    let desk = seat.desk_ref();
    assert_eq!(desk.grid.selected_rows(&desk.grid.table(&desk.watchlist)), [row(1)]);
    assert!(desk.grid.is_selected(row(1), &"note".into()), "whole");
    // What was pressed is over: a drag elsewhere selects cells.
    let (from, to) = (center(&seat, "Price of BBB"), center(&seat, "Price of CCC"));
    seat.drag(from, to);
    let desk = seat.desk_ref();
    assert!(desk.grid.is_selected(row(3), &"price".into()) && !desk.grid.is_selected(row(3), &"note".into()));
}

#[test]
fn f3_goes_on_while_the_text_to_find_is_typed() {
    let mut seat = seat(&[("AAA", "1", "x"), ("BBB", "2", "x"), ("CCC", "3", "")]);
    seat.keys(Modifiers::COMMAND, Key::F);
    seat.text("x");
    seat.key(Key::F3);
    assert_eq!(seat.focused().as_deref(), Some("Note of AAA"));
    seat.key(Key::F3);
    assert_eq!(seat.focused().as_deref(), Some("Note of BBB"));
    seat.keys(Modifiers::SHIFT, Key::F3);
    assert_eq!(seat.focused().as_deref(), Some("Note of AAA"));
}

#[test]
fn a_number_that_has_no_room_is_not_shown_in_part() {
    let mut seat = seat(&[("AAA", "123456.78", "")]);
    let narrow = |seat: &mut super::desk::Seat, width: f32| {
        seat.desk().grid.config.widths.insert("price".into(), width);
        seat.frames();
        super::desk::painted(seat)
    };
    assert!(narrow(&mut seat, 120.0).contains(&"123,456.78".to_owned()));
    let shown = narrow(&mut seat, 60.0);
    let price: Vec<_> = shown.iter().filter(|text| text.contains('1') || text.contains('#')).collect();
    assert!(price.iter().any(|text| text.chars().all(|c| c == '#')), "{shown:?}");
    assert!(!shown.iter().any(|text| text.starts_with("123")), "{shown:?}");
}

#[test]
fn of_several_blocks_only_what_is_selected_is_copied() {
    let mut seat = seat(&[("AAA", "30", "x"), ("BBB", "20", "y")]);
    seat.0.get_by_label("Price of AAA").click();
    seat.frames();
    seat.0.get_by_label("Note of BBB").click_modifiers(Modifiers::COMMAND);
    seat.frames();
    let desk = seat.desk_ref();
    assert_eq!(desk.grid.selected_rows(&desk.grid.table(&desk.watchlist)), [row(1), row(2)]);
    seat.event(Event::Copy);
    assert_eq!(seat.desk().copied, "30\t\n\ty\n");
}
