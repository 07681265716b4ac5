//! How figures are typed, and that each is painted as a whole or not at all.

use desktop::region::separators;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::{Harness, kittest::Queryable};
use shared::{
    column::{Column, ColumnKey, ColumnKind},
    edit::Change,
    limits::Limits,
    position::Position,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
};

use super::desk::{GridHarness, Look, PaintedText, TestApp, harness, painted_texts, row, three_rows};

const PRICE: usize = 2;
const PREVIOUS_CLOSE: usize = 6;

/// Types a list of prices without looking; the first one has a slip.
#[test]
fn a_list_typed_on_after_a_refused_figure_sends_nothing() {
    for pace in [None, Some(Key::Tab)] {
        let mut harness = three_rows();
        harness.go(0, PRICE);
        for text in ["12,5", "60.10", "61.20", "7"] {
            harness.text(text);
            harness.key(pace.unwrap_or(Key::Enter));
        }
        assert!(harness.app().edits.is_empty(), "{:?}", harness.app().edits);
        assert_eq!(harness.editor().as_deref(), Some("7"), "the last figure takes the place of the others");
        harness.0.get_by_label("7 in place of \u{201c}12,5\u{201d}? You have typed 4 values here.");
        harness.key(Key::Enter);
        assert_eq!((harness.cell("Price of AAA"), harness.editor()), ("7.00".to_owned(), None));
    }
}

#[test]
fn a_refused_figure_that_is_corrected_is_committed_at_once() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.text("12,5");
    harness.key(Key::Enter);
    harness.key(Key::End);
    harness.key(Key::Backspace);
    harness.key(Key::Backspace);
    harness.text(".75");
    harness.key(Key::Enter);
    assert_eq!((harness.cell("Price of AAA"), harness.editor()), ("12.75".to_owned(), None));
    assert_eq!(harness.focused().as_deref(), Some("Price of BBB"));
}

#[test]
fn a_minus_in_a_column_with_negative_numbers_is_the_sign_of_the_number() {
    let mut harness = harness(&[("AAA", "-120.5", ""), ("BBB", "7", "")]);
    harness.go(0, PRICE);
    harness.text("-130.5");
    harness.0.get_by_label("= \u{2212}130.50");
    harness.key(Key::Enter);
    harness.text("-8");
    harness.key(Key::Enter);
    harness.0.get_by_label("Change 7.00 to \u{2212}8.00?");
    assert_eq!(harness.cell("Price of BBB"), "7.00", "it asks, because elsewhere a minus subtracts");
    harness.key(Key::Enter);
    let cells = ["Price of AAA", "Price of BBB"].map(|cell| harness.cell(cell));
    assert_eq!(cells, ["\u{2212}130.50", "\u{2212}8.00"]);
    harness.go(0, PRICE);
    harness.text("+0.5");
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Price of AAA"), "\u{2212}130.00", "a plus is a change");
}

/// The question waits for its answer: the next figure of a list is not taken for another try.
#[test]
fn a_figure_that_follows_a_question_about_a_minus_does_not_replace_it_unasked() {
    let mut harness = harness(&[("AAA", "-1", ""), ("BBB", "7", ""), ("CCC", "8", "")]);
    harness.go(0, PRICE);
    for text in ["-2", "-8", "4", "2.2"] {
        harness.text(text);
        harness.key(Key::Enter);
    }
    let cells = ["Price of BBB", "Price of CCC"].map(|cell| harness.cell(cell));
    assert_eq!(cells, ["7.00", "8.00"], "it asks whether 4 is meant in place of -8");
    assert!(harness.editor().is_some());
}

#[test]
fn a_sign_typed_over_a_number_is_relative_and_the_result_is_shown_before_it_is_committed() {
    for (typed, shown, value) in [
        ("-0.5", "30.00 \u{2212} 0.50 = 29.50", "29.50"),
        ("+0.5", "30.00 + 0.50 = 30.50", "30.50"),
        ("-2%", "30.00 \u{2212} 0.60 = 29.40", "29.40"),
        ("=-0.5", "= \u{2212}0.50", "\u{2212}0.50"),
        ("1.2k", "= 1,200.00", "1,200.00"),
        ("99 1/4", "= 99.25", "99.25"),
        ("30.126", "= 30.126, shown as 30.13", "30.13"),
    ] {
        let mut harness = three_rows();
        harness.go(0, PRICE);
        harness.text(typed);
        harness.0.get_by_label(shown);
        harness.key(Key::Enter);
        assert_eq!(harness.cell("Price of AAA"), value, "{typed}");
    }
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.text("-0.5");
    harness.0.get_by_label("Type =-0.5 for \u{2212}0.50");
    harness.others(&[Change::set(row(1), &"price".into(), Literal::from("40"))]);
    harness.key(Key::Enter);
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Price of AAA"), "39.50", "relative to the value in the question");
}

#[test]
fn a_sign_is_part_of_the_number_in_an_empty_cell_and_in_a_text_that_is_edited() {
    let mut harness = three_rows();
    harness.go(0, PREVIOUS_CLOSE);
    harness.text("-5");
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Previous close of AAA"), "\u{2212}5.00");
    harness.go(0, PREVIOUS_CLOSE);
    harness.key(Key::F2);
    harness.text("0");
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Previous close of AAA"), "\u{2212}50.00");
    harness.go(0, PREVIOUS_CLOSE);
    harness.text("+1");
    harness.keys(Modifiers::COMMAND, Key::ArrowDown);
    assert_eq!(harness.editor().as_deref(), Some("-49.01"), "the result, one step down");
    harness.key(Key::Enter);
    assert_eq!(
        harness.cell("Previous close of AAA"),
        "\u{2212}49.01",
        "the text is the number itself by now"
    );
}

#[test]
fn a_separator_where_the_locale_has_none_is_refused_with_the_reason() {
    for (locale, typed, reason) in [
        ("en-GB", "1,23", "\"1,23\": ',' separates groups of digits here; the decimal separator is '.'"),
        ("de-DE", "71.80", "\"71.80\": '.' separates groups of digits here; the decimal separator is ','"),
    ] {
        let mut harness = three_rows();
        harness.app().separators = separators(locale);
        harness.go(0, PRICE);
        harness.text(typed);
        harness.key(Key::Enter);
        harness.0.get_by_label(reason);
        assert_eq!(harness.editor().as_deref(), Some(typed), "nothing is sent and the text is kept");
        assert!(harness.app().edits.is_empty());
    }
}

/// A grid of many columns with numbers of different lengths and signs, some of them times and derived.
fn many_columns() -> GridHarness {
    let limits = Limits::default();
    let mut columns = shared::column::standard_columns();
    for number in 0..60 {
        let kind = ColumnKind::Number { decimals: (number % 4) as u8 };
        columns.push(Column::new(&format!("n{number}"), &format!("Number {number}"), kind));
    }
    let mut watchlist = Watchlist::new("Figures", columns, &limits).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for (number, position) in (1..=80).zip(&Position::between(None, None, 80).unwrap()) {
        let figure = |random: &mut fastrand::Rng| {
            let digits = 10_i64.pow(random.u32(1..10));
            Literal::from(&*format!("{}.{:03}", random.i64(-digits..digits), random.u32(0..1_000)))
        };
        let mut cells = std::collections::BTreeMap::from([
            (ColumnKey::from("symbol"), Literal::from(&*format!("S{number}"))),
            ("price".into(), figure(&mut random)),
            ("previousClose".into(), figure(&mut random)),
        ]);
        cells.extend((0..60).map(|number| (ColumnKey(format!("n{number}").into()), figure(&mut random))));
        let insert = Change::insert(row(number), position, cells);
        watchlist.apply(&[insert], &Mode::Pending { limits: &limits }).unwrap();
    }
    let look = Look { theme: egui::Theme::Dark, colour_blind: false, is_picture: true };
    GridHarness::at(TestApp::of(watchlist, look), Harness::builder().with_size(Vec2::new(900.0, 500.0)))
}

fn is_figure(text: &str) -> bool {
    let of_figures = |c: char| c.is_ascii_digit() || "+\u{2212}-.,:#\u{2026}".contains(c);
    text.chars().all(of_figures) && text.chars().any(|c| c.is_ascii_digit())
}

/// Returns two texts of which one is painted over the other.
fn overlapping(texts: &[PaintedText]) -> Option<(&str, &str)> {
    let visible = |text: &PaintedText| text.extent.intersect(text.clip).shrink(1.0);
    let shown: Vec<_> = texts.iter().filter(|text| visible(text).is_positive()).collect();
    shown.iter().enumerate().find_map(|(index, one)| {
        let covers = |other: &&&PaintedText| visible(one).intersect(visible(other)).is_positive();
        shown[index + 1..].iter().find(covers).map(|other| (&*one.text, &*other.text))
    })
}

/// At any width, scroll position and zoom.
#[test]
fn no_figure_is_painted_in_part() {
    let mut harness = many_columns();
    let mut random = fastrand::Rng::with_seed(11);
    let mut seen = 0;
    for round in 0..120 {
        harness.0.set_size(Vec2::new(200.0 + random.f32() * 1_000.0, 150.0 + random.f32() * 500.0));
        harness.0.ctx.set_zoom_factor([0.7, 1.0, 1.1, 1.5, 2.0][random.usize(0..5)]);
        let app = harness.app();
        let keys: Vec<ColumnKey> =
            app.watchlist.columns().iter().map(|entry| entry.column.key.clone()).collect();
        for key in keys {
            if random.bool() {
                app.grid.config.widths.insert(key, 36.0 + random.f32() * 140.0);
            }
        }
        app.grid.config.frozen = random.usize(0..4);
        app.grid.scroll.x = random.f32() * 6_000.0;
        app.grid.scroll.row = random.f64() * 80.0;
        harness.0.run_steps(2);
        let texts = painted_texts(&harness);
        if let Some((one, other)) = overlapping(&texts) {
            panic!("round {round}: {one:?} and {other:?} overlap");
        }
        for PaintedText { text, extent, clip, .. } in texts {
            if is_figure(&text) {
                seen += 1;
                assert!(!text.contains('\u{2026}'), "round {round}: {text} is truncated");
                let is_whole = clip.expand(0.5).contains_rect(extent);
                assert!(is_whole, "round {round}: {text} at {extent} is clipped by {clip}");
            }
        }
    }
    assert!(seen > 5_000, "{seen} figures were painted");
}

/// Columns are scrolled to as a whole, so that no sign is under the frozen column.
#[test]
fn columns_that_the_cursor_goes_to_are_shown_whole() {
    let mut harness = many_columns();
    harness.keys(Modifiers::COMMAND, Key::Home);
    for _ in 0..50 {
        harness.key(Key::ArrowRight);
        let name = harness.focused().unwrap();
        let cell = harness.node(&name).rect();
        let frozen = harness.node("Symbol of S1").rect();
        assert!(cell.left() >= frozen.right() - 0.5, "{name} at {cell} is under {frozen}");
        assert!(cell.right() <= 900.0, "{name} at {cell}");
    }
}

/// From the first to the last frame of the glow, in the row and in the changed cell.
#[test]
fn the_colours_of_directions_stay_while_a_row_glows() {
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut harness = three_rows();
        harness.app().look.theme = theme;
        for (row_number, price, change) in [(1, "31", "+1.00"), (2, "15", "\u{2212}5.00")] {
            harness.others(&[
                Change::set(
                    row(row_number),
                    &"previousClose".into(),
                    Literal::from(["30", "20"][row_number as usize - 1]),
                ),
                Change::set(row(row_number), &"price".into(), Literal::from(price)),
            ]);
            let mut colors = std::collections::BTreeSet::new();
            for _ in 0..150 {
                harness.0.step();
                let texts = painted_texts(&harness);
                let shown = texts.iter().filter(|painted| painted.text == change);
                colors.extend(shown.filter_map(|painted| painted.color).map(|color| color.to_array()));
            }
            assert_eq!(colors.len(), 1, "{theme:?} {change}: {colors:?}");
        }
    }
}

#[test]
fn a_number_stays_where_it_is_when_its_editor_opens() {
    let mut harness = harness(&[("AAA", "30.25", ""), ("BBB", "20.5", "")]);
    harness.go(0, 2);
    let place = |harness: &GridHarness| {
        let texts = painted_texts(harness);
        let shown = texts.iter().find(|painted| painted.text == "30.25").expect("the price is painted");
        (shown.extent.right(), shown.extent.center().y)
    };
    let before = place(&harness);
    harness.key(Key::F2);
    (0..3).for_each(|_| harness.frames());
    let after = place(&harness);
    assert!((before.0 - after.0).abs() < 0.6 && (before.1 - after.1).abs() < 0.6, "{before:?} {after:?}");
}

#[test]
fn a_number_that_the_edge_of_the_window_cuts_is_not_taken_for_an_empty_cell() {
    let mut harness = harness(&[("AAA", "1234567.25", "")]);
    let price = harness.node("Price of AAA").rect();
    for cut in [20.0, 40.0] {
        harness.0.set_size(Vec2::new(price.right() - cut, 400.0));
        (0..3).for_each(|_| harness.frames());
        let texts = painted_texts(&harness);
        let is_signs =
            |painted: &PaintedText| !painted.text.is_empty() && painted.text.chars().all(|c| c == '#');
        assert!(texts.iter().any(is_signs), "{cut}");
    }
}
