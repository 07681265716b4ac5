//! Editing keys and the cell editor.

use desktop::region::separators;
use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use shared::{edit::Change, number::Separators, value::Literal};

use super::desk::{GridHarness, painted_texts, row, three_rows};

const PRICE: usize = 2;

/// A key in each frame. `windows` has a test with all keys in one frame.
#[test]
fn values_that_are_typed_in_quick_succession_go_to_their_own_cells() {
    for key in [Key::Enter, Key::ArrowDown] {
        let mut harness = three_rows();
        harness.go(0, PRICE);
        for text in ["11", "12", "13"] {
            text.chars().for_each(|digit| harness.0.event(Event::Text(digit.to_string())));
            press(&mut harness, key);
        }
        (0..4).for_each(|_| harness.frames());
        let price = |symbol: &str| harness.cell(&format!("Price of {symbol}"));
        assert_eq!([price("AAA"), price("BBB"), price("CCC")], ["11.00", "12.00", "13.00"], "{key:?}");
    }
    let mut harness = three_rows();
    harness.go(0, PRICE);
    for (text, key) in [("8", Key::Escape), ("9", Key::Tab), ("7", Key::ArrowLeft), ("6", Key::Enter)] {
        harness.0.event(Event::Text(text.to_owned()));
        press(&mut harness, key);
    }
    (0..5).for_each(|_| harness.frames());
    let cells = ["Price of AAA", "Previous close of AAA"].map(|cell| harness.cell(cell));
    assert_eq!(cells, ["9.00", "7.00"], "Tab skips the computed columns");
}

/// Sends a key without waiting for what follows from it.
fn press(harness: &mut GridHarness, key: Key) {
    for pressed in [true, false] {
        let modifiers = Modifiers::NONE;
        harness.0.event(Event::Key { key, physical_key: None, pressed, repeat: false, modifiers });
    }
}

/// The letters are for the field that the shortcut opens.
#[test]
fn text_right_after_the_shortcut_for_find_goes_to_the_find_bar() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    let find = |pressed| Event::Key {
        key: Key::F,
        physical_key: None,
        pressed,
        repeat: false,
        modifiers: Modifiers::COMMAND,
    };
    harness.0.event(find(true));
    harness.0.event(find(false));
    "second".chars().for_each(|letter| harness.0.event(Event::Text(letter.to_string())));
    (0..3).for_each(|_| harness.frames());
    assert_eq!(harness.editor(), None);
    assert_eq!(harness.0.get_by_label("Find").value().as_deref(), Some("second"));
}

#[test]
fn enter_opens_the_editor_with_all_selected_and_commits_downwards() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.key(Key::Enter);
    assert_eq!(harness.editor().as_deref(), Some("30"));
    harness.text("31.5");
    assert_eq!(harness.editor().as_deref(), Some("31.5"), "the old text is replaced");
    harness.key(Key::Enter);
    assert_eq!((harness.editor(), harness.cell("Price of AAA")), (None, "31.50".to_owned()));
    assert_eq!(harness.focused().as_deref(), Some("Price of BBB"));
    harness.key(Key::Enter);
    harness.keys(Modifiers::SHIFT, Key::Enter);
    assert_eq!(harness.focused().as_deref(), Some("Price of AAA"));
}

#[test]
fn f2_opens_the_editor_with_the_caret_at_the_end() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.key(Key::F2);
    harness.text(".25");
    assert_eq!(harness.editor().as_deref(), Some("30.25"));
}

#[test]
fn a_double_click_opens_the_editor() {
    let mut harness = three_rows();
    let at = harness.node("Price of BBB").rect().center();
    for _ in 0..2 {
        for pressed in [true, false] {
            let button = egui::PointerButton::Primary;
            let press = Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE };
            harness.0.event(Event::PointerMoved(at));
            harness.0.event(press);
        }
    }
    harness.frames();
    assert_eq!(harness.editor().as_deref(), Some("20"));
}

#[test]
fn a_printable_key_replaces_the_value_and_arrows_commit() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.text("7");
    assert_eq!(harness.editor().as_deref(), Some("7"));
    harness.key(Key::ArrowRight);
    assert_eq!(
        (harness.cell("Price of AAA"), harness.focused()),
        ("7.00".to_owned(), Some("Change of AAA".to_owned()))
    );
}

#[test]
fn tab_commits_and_moves_to_the_next_editable_cell_and_wraps() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.text("7");
    harness.key(Key::Tab);
    assert_eq!(harness.focused().as_deref(), Some("Previous close of AAA"), "computed columns are skipped");
    harness.text("6");
    assert_eq!(harness.editor().as_deref(), Some("6"), "the grid has kept focus");
    harness.keys(Modifiers::SHIFT, Key::Tab);
    assert_eq!(harness.focused().as_deref(), Some("Price of AAA"));
    assert_eq!(harness.cell("Previous close of AAA"), "6.00");
    harness.key(Key::End);
    harness.key(Key::Tab);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of BBB"));
}

#[test]
fn esc_discards_and_never_commits() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.text("99");
    harness.key(Key::Escape);
    assert_eq!((harness.editor(), harness.cell("Price of AAA")), (None, "30.00".to_owned()));
    assert!(harness.app().edits.is_empty());
}

#[test]
fn a_click_elsewhere_commits_valid_text_and_keeps_invalid_text_open() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.text("31");
    harness.node("Note of CCC").click();
    harness.frames();
    assert_eq!(
        (harness.cell("Price of AAA"), harness.focused()),
        ("31.00".to_owned(), Some("Note of CCC".to_owned()))
    );
    harness.go(1, PRICE);
    harness.text("1.2.3");
    harness.node("Note of CCC").click();
    harness.frames();
    assert_eq!(harness.editor().as_deref(), Some("1.2.3"), "invalid text is neither sent nor lost");
    assert_eq!(harness.cell("Price of BBB"), "20.00");
}

#[test]
fn delete_and_backspace_clear_the_selected_cells() {
    for key in [Key::Delete, Key::Backspace] {
        let mut harness = three_rows();
        harness.go(0, PRICE);
        harness.keys(Modifiers::SHIFT, Key::ArrowDown);
        harness.key(key);
        assert_eq!(
            (harness.cell("Price of AAA"), harness.cell("Price of BBB")),
            (String::new(), String::new())
        );
        assert_eq!(harness.cell("Price of CCC"), "10.00");
        assert_eq!(harness.app().edits.len(), 1, "one edit, one undo step");
        harness.key(key);
        assert_eq!(harness.app().edits.len(), 1, "empty cells are not cleared again");
    }
}

#[test]
fn space_toggles_a_flag() {
    let mut harness = three_rows();
    harness.go(0, 9);
    assert_eq!(harness.focused().as_deref(), Some("Done of AAA"));
    harness.key(Key::Space);
    assert_eq!(harness.cell("Done of AAA"), "yes");
    harness.key(Key::Space);
    assert_eq!(harness.cell("Done of AAA"), "no");
}

#[test]
fn ctrl_d_fills_down_and_ctrl_r_fills_right() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.keys(Modifiers::COMMAND, Key::D);
    assert_eq!(
        (harness.cell("Price of BBB"), harness.cell("Price of CCC")),
        ("30.00".to_owned(), "30.00".to_owned())
    );
    assert_eq!(harness.app().edits.len(), 1);
    harness.go(0, 6);
    harness.keys(Modifiers::COMMAND, Key::R);
    assert_eq!(
        harness.cell("Previous close of AAA"),
        "",
        "the column to the left is computed and has no stored value"
    );
    harness.text("5");
    harness.key(Key::ArrowRight);
    harness.keys(Modifiers::COMMAND, Key::R);
    assert_eq!(harness.cell("Target of AAA"), "5.00");
}

#[test]
fn ctrl_arrow_steps_an_open_number_by_its_last_decimal() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.key(Key::F2);
    harness.keys(Modifiers::COMMAND, Key::ArrowUp);
    assert_eq!(harness.editor().as_deref(), Some("30.01"));
    harness.keys(Modifiers::COMMAND, Key::ArrowDown);
    harness.keys(Modifiers::COMMAND, Key::ArrowDown);
    assert_eq!(harness.editor().as_deref(), Some("29.99"));
}

#[test]
fn numbers_accept_shorthands_and_the_users_separators() {
    for (separators, typed, shown) in [
        (Separators::ENGLISH, "1,234.50", "1,234.50"),
        (separators("de-DE"), "1.234,50", "1.234,50"),
        (separators("de-DE"), "1 234,50", "1.234,50"),
        (separators("fr-FR"), "1 234,50", "1\u{202f}234,50"),
        (separators("de-CH"), "1\u{2019}234.50", "1'234.50"),
        (separators("en-IN"), "12,34,567.50", "12,34,567.50"),
        (Separators::ENGLISH, "1.2k", "1,200.00"),
        (Separators::ENGLISH, "3m", "3,000,000.00"),
        (Separators::ENGLISH, "+0.5", "30.50"),
        (Separators::ENGLISH, "-2%", "29.40"),
    ] {
        let mut harness = three_rows();
        harness.app().separators = separators;
        harness.go(0, PRICE);
        harness.text(typed);
        harness.key(Key::Enter);
        assert_eq!(harness.cell("Price of AAA"), shown, "{typed}");
    }
}

#[test]
fn typing_in_the_empty_last_row_starts_a_new_row() {
    let mut harness = three_rows();
    harness.go(3, 0);
    harness.text("DDD");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC", "DDD"]);
    harness.text("EEE");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC", "DDD", "EEE"]);
}

#[test]
fn tab_continues_in_the_row_that_was_just_typed() {
    let mut harness = three_rows();
    harness.go(3, 0);
    harness.text("DDD");
    harness.key(Key::Tab);
    assert_eq!(harness.focused().as_deref(), Some("Company of DDD"));
    harness.text("Delta");
    harness.key(Key::ArrowRight);
    harness.text("171");
    harness.keys(Modifiers::SHIFT, Key::Enter);
    assert_eq!(harness.focused().as_deref(), Some("Price of CCC"));
    assert_eq!(
        (harness.cell("Symbol of DDD"), harness.cell("Company of DDD"), harness.cell("Price of DDD")),
        ("DDD".to_owned(), "Delta".to_owned(), "171.00".to_owned())
    );
}

#[test]
fn typed_text_is_kept_if_its_column_is_removed() {
    let mut harness = three_rows();
    harness.go(1, PRICE);
    harness.text("21");
    let place = harness.0.get_by_label("Edit Price").rect();
    harness.others(&[Change::RemoveColumn(shared::edit::ColumnRef { key: "price".into() })]);
    harness.0.get_by_label("This column was removed");
    let now = harness.0.get_by_role(egui::accesskit::Role::TextInput).rect();
    assert!(
        (now.left() - place.left()).abs() < 1.0 && (now.top() - place.top()).abs() < 1.0,
        "{now:?} {place:?}"
    );
    harness.key(Key::Enter);
    assert_eq!(harness.editor().as_deref(), Some("21"));
    harness.0.get_by_label_contains("Copy text").click();
    harness.frames();
    assert_eq!((harness.app_ref().copied.as_str(), harness.editor().as_deref()), ("21", Some("21")));
    harness.key(Key::Escape);
    assert!(harness.editor().is_none() && harness.app().edits.is_empty());
}

#[test]
fn an_editor_whose_cell_is_scrolled_away_stays_at_the_edge() {
    let rows: Vec<String> = (0..200).map(|number| format!("S{number:03}")).collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|symbol| (&**symbol, "1", "")).collect();
    let mut harness = super::desk::harness(&rows);
    harness.go(0, PRICE);
    harness.text("5");
    assert!(harness.0.query_by_label("S000 Price").is_none(), "the cell is in view");
    harness.app().grid.scroll.row = 100.0;
    let at = egui::pos2(400.0, 300.0);
    harness.0.hover_at(at);
    harness.event(Event::MouseWheel {
        unit: egui::MouseWheelUnit::Line,
        delta: egui::vec2(0.0, -30.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    (0..20).for_each(|_| harness.frames());
    let (grid, editor) = (
        harness.0.get_by_role(egui::accesskit::Role::Grid).rect(),
        harness.0.get_by_label("Edit Price").rect(),
    );
    assert!(grid.contains_rect(editor), "{grid:?} {editor:?}");
    assert!(editor.top() > grid.top() + 20.0, "not over the header");
    assert_eq!(harness.editor().as_deref(), Some("5"));
    harness.0.get_by_label("S000 Price");
    harness.text("x");
    harness.key(Key::Enter);
    harness.0.get_by_label_contains("S000 Price: \"5x\" is not a number");
}

/// A person looks at a value, which somebody else changes.
#[test]
fn a_text_that_was_opened_and_not_changed_replaces_nothing() {
    for key in [Key::F2, Key::Enter] {
        let mut harness = three_rows();
        harness.go(1, PRICE);
        harness.key(key);
        harness.others(&[Change::set(row(2), &"price".into(), Literal::from("62.22"))]);
        let before = harness.app().edits.len();
        harness.key(Key::Enter);
        assert_eq!((harness.editor(), harness.app().edits.len()), (None, before));
        assert_eq!(harness.cell("Price of BBB"), "62.22");
    }
}

#[test]
fn editing_a_computed_column_shows_a_notice() {
    let mut harness = three_rows();
    harness.go(0, 3);
    harness.text("5");
    assert_eq!(
        (harness.editor(), harness.app().notices.clone()),
        (None, vec!["Change is computed from other columns.".to_owned()])
    );
}

#[test]
fn committing_the_same_value_sends_no_edit() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.key(Key::Enter);
    harness.key(Key::Enter);
    harness.go(0, PRICE);
    harness.text("30.00");
    harness.key(Key::Enter);
    assert!(harness.app().edits.is_empty());
}

#[test]
fn typed_text_is_kept_while_its_cell_changes() {
    let mut harness = three_rows();
    harness.go(1, PRICE);
    harness.text("21");
    harness.others(&[Change::set(row(2), &"price".into(), Literal::from("25"))]);
    assert_eq!(harness.editor().as_deref(), Some("21"));
    harness.key(Key::Enter);
    assert_eq!(
        (harness.editor().as_deref(), harness.cell("Price of BBB")),
        (Some("21"), "25.00".to_owned()),
        "the user is asked once"
    );
    harness.key(Key::Enter);
    assert_eq!((harness.editor(), harness.cell("Price of BBB")), (None, "21.00".to_owned()));
    let Some(Change::Set(set)) = harness.app().edits[0].first().cloned() else { panic!("a cell was set") };
    assert_eq!(set.was, Some(Literal::from("25")), "guarded by the value in the warning");
}

#[test]
fn the_text_of_a_cell_does_not_move_when_its_editor_opens() {
    let mut harness = three_rows();
    for (column, text) in [(0, "BBB"), (8, "second")] {
        harness.go(1, column);
        let place = |harness: &super::desk::GridHarness| {
            let painted = painted_texts(harness);
            painted.into_iter().find(|painted| painted.text == text).map(|painted| painted.extent).unwrap()
        };
        let before = place(&harness);
        harness.key(Key::F2);
        assert_eq!(harness.editor().as_deref(), Some(text));
        let after = place(&harness);
        assert!(
            (before.min - after.min).length() < 0.6 && (before.max - after.max).length() < 0.6,
            "{before} {after}"
        );
        harness.key(Key::Escape);
    }
}

#[test]
fn a_new_row_starts_with_its_first_column() {
    let mut harness = three_rows();
    harness.keys(Modifiers::COMMAND, Key::End);
    harness.key(Key::ArrowDown);
    harness.key(Key::ArrowLeft);
    let before = harness.focused();
    for text in ["7", "1", ".", "5"] {
        harness.text(text);
    }
    harness.key(Key::F2);
    assert_eq!((harness.editor(), harness.app().edits.len()), (None, 0), "a row without a name");
    assert_eq!(harness.app().notices[0], "A new row starts with its Symbol.");
    assert_eq!(harness.focused(), before);
    harness.key(Key::Home);
    harness.text("D");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC", "D"]);
}

#[test]
fn typed_text_is_kept_if_its_row_is_removed_or_a_column_is_added() {
    let mut harness = three_rows();
    harness.go(1, PRICE);
    harness.text("21");
    let add = shared::edit::AddColumn {
        key: "extra".into(),
        title: "Extra".into(),
        kind: shared::column::ColumnKind::Text,
        after: Some(None),
    };
    harness.others(&[Change::AddColumn(add)]);
    assert_eq!(harness.editor().as_deref(), Some("21"));
    // The new column is the first and is empty, so rows are named by number.
    let place = |harness: &super::desk::GridHarness, name: &str| harness.node(name).rect();
    let below = place(&harness, "Price of row 3");
    harness.others(&[Change::remove(row(2), None)]);
    assert_eq!(place(&harness, "Price of row 2"), below, "its slot stays free and covers no other row");
    harness.key(Key::Enter);
    assert_eq!(harness.editor().as_deref(), Some("21"), "the text is not lost");
    assert!(harness.app().edits.is_empty());
    harness.key(Key::Enter);
    assert_eq!(
        (harness.editor(), harness.cell("Price of row 2")),
        (None, "21.00".to_owned()),
        "a new row takes its place"
    );
    assert_eq!(harness.focused().as_deref(), Some("Price of 3"), "the cursor goes on to the next row");
    assert_eq!(place(&harness, "Price of row 3"), below);
}

#[test]
fn undo_in_the_editor_does_not_restore_text_of_another_cell() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    for digit in ["1", "11", "111"] {
        harness.text(digit);
    }
    harness.key(Key::Escape);
    harness.go(1, PRICE);
    harness.text("2");
    harness.keys(Modifiers::COMMAND, Key::Z);
    assert!(["", "2"].contains(&harness.editor().as_deref().unwrap()), "{:?}", harness.editor());
}

#[test]
fn shown_and_edited_numbers_are_parsed_back_in_every_locale() {
    for (locale, shown, opened) in [
        ("en-US", "1,234,567.68", "1234567.678"),
        ("de-DE", "1.234.567,68", "1234567,678"),
        ("fr-FR", "1\u{202f}234\u{202f}567,68", "1234567,678"),
        ("de-CH", "1'234'567.68", "1234567.678"),
        ("en-IN", "12,34,567.68", "1234567.678"),
    ] {
        let mut harness = three_rows();
        harness.app().separators = separators(locale);
        harness.others(&[Change::set(row(1), &"price".into(), Literal::from("1234567.678"))]);
        assert_eq!(harness.cell("Price of AAA"), shown);
        harness.go(0, PRICE);
        harness.key(Key::F2);
        assert_eq!(harness.editor().as_deref(), Some(opened));
        harness.key(Key::Enter);
        assert!(harness.app().edits.is_empty(), "opening and committing keeps the number");
        harness.go(0, PRICE);
        harness.text(shown);
        harness.key(Key::Enter);
        let Some(Change::Set(set)) = harness.app().edits[0].first().cloned() else {
            panic!("a cell was set")
        };
        assert_eq!(set.value, Literal::from("1234567.68"), "{locale}");
    }
}

/// Keys in quick succession: the next one comes in the frame after the commit, before egui knows who has the
/// keys.
#[test]
fn a_key_right_after_enter_moves_the_cursor_and_not_the_focus() {
    for (key, modifiers, next) in [
        (Key::ArrowUp, Modifiers::NONE, "Price of AAA"),
        (Key::ArrowLeft, Modifiers::NONE, "Company of BBB"),
        (Key::Tab, Modifiers::NONE, "Previous close of BBB"),
        (Key::Tab, Modifiers::SHIFT, "Company of BBB"),
    ] {
        for frames in 1..4 {
            let mut harness = three_rows();
            harness.go(0, 2);
            harness.text("31");
            let press = |key, modifiers| Event::Key {
                key,
                physical_key: None,
                pressed: true,
                repeat: false,
                modifiers,
            };
            harness.0.event(press(Key::Enter, Modifiers::NONE));
            (0..frames).for_each(|_| harness.0.step());
            harness.0.event(press(key, modifiers));
            harness.0.step();
            harness.0.step();
            let place = (harness.focused(), harness.cell("Price of AAA"));
            assert_eq!(place.0.as_deref(), Some(next), "{key:?} after {frames}");
            assert_eq!(place.1, "31.00");
            harness.text("7");
            assert_eq!(
                harness.editor().as_deref(),
                Some("7"),
                "{key:?} after {frames}: the rows have the keys"
            );
        }
    }
}

#[test]
fn the_editor_is_as_wide_as_a_long_number() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.text("1");
    let before = harness.0.get_by_label("Edit Price").rect();
    harness.text("23456789012345.6789");
    let after = harness.0.get_by_label("Edit Price").rect();
    assert!(after.width() > before.width() && after.width() > 130.0, "{before} {after}");
    assert!((after.right() - before.right()).abs() < 0.5, "the digits keep their place");
}

#[test]
fn several_numbers_pasted_into_the_editor_do_not_become_one() {
    for pasted in ["99\n100\n", "99\t100"] {
        let mut harness = three_rows();
        harness.go(0, PRICE);
        harness.key(Key::F2);
        harness.keys(Modifiers::COMMAND, Key::A);
        harness.paste(pasted);
        harness.key(Key::Enter);
        assert_eq!(harness.editor().as_deref(), Some("99; 100"));
        assert!(harness.app().edits.is_empty());
    }
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.key(Key::F2);
    harness.keys(Modifiers::COMMAND, Key::A);
    harness.paste("99\r\n");
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Price of AAA"), "99.00", "one copied cell");
}

#[test]
fn a_question_beside_the_editor_fits_into_a_small_window() {
    let mut harness = three_rows();
    harness.0.set_size(egui::vec2(320.0, 200.0));
    harness.go(1, PRICE);
    harness.text("21");
    harness.others(&[Change::remove(row(2), None)]);
    harness.key(Key::Enter);
    for button in ["Bring it back Enter", "Copy text Ctrl+C", "Discard Esc"] {
        let rect = harness.0.get_by_label(button).rect();
        assert!(rect.left() >= 0.0 && rect.right() <= 320.0 && rect.bottom() <= 200.0, "{button} {rect}");
    }
}

#[test]
fn the_keys_that_search_commit_the_open_editor() {
    for (modifiers, key, field) in [
        (Modifiers::COMMAND, Key::F, "Find"),
        (Modifiers::COMMAND | Modifiers::SHIFT, Key::L, "Filter Price"),
    ] {
        let mut harness = three_rows();
        harness.go(0, PRICE);
        harness.text("31.5");
        harness.keys(modifiers, key);
        harness.frames();
        assert_eq!((harness.editor(), &*harness.cell("Price of AAA")), (None, "31.50"));
        assert!(harness.0.get_by_label(field).is_focused(), "{field}");
        harness.key(Key::Escape);
        harness.go(1, PRICE);
        harness.text("x");
        harness.keys(modifiers, key);
        harness.frames();
        assert_eq!(harness.editor().as_deref(), Some("x"), "an invalid text stays");
    }
}
