//! Snapshot tests of the grid, compared with reviewed pictures. `UPDATE_SNAPSHOTS=true` updates them.

use std::{collections::BTreeSet, time::Duration};

use desktop::{
    grid::PersonAt,
    store::{
        glow::{Glow, GlowStyle},
        history::{CellChange, CellHistory, RequestState},
        sparklines::SparklineValues,
    },
    theme::{Flash, Palette},
};
use egui::{Key, Modifiers, Theme, Vec2};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use shared::{
    column::{ColumnKey, standard_columns},
    edit::{AddColumn, Change},
    ids::{WatchlistId, WindowId},
    limits::Limits,
    number::parse_exact,
    position::Position,
    replica::Effect,
    sheet::csv,
    time::Timestamp,
    value::{Literal, Value},
    watchlist::{Watchlist, apply::Mode},
};

use super::desk::{GridHarness, Look, TestApp, row};
use crate::painter::CpuPainter;

const COMPANIES: &[u8] = include_bytes!("../../../../assets/data/companies.csv");
/// When prices were set, on the grid's current day.
const MORNING: &str = "2026-11-22T14:03:21.000Z";

fn number(text: &str) -> Value {
    Value::Number(parse_exact(text).unwrap())
}

/// Returns the companies in two sections, with some targets and notes.
fn companies() -> Watchlist {
    let limits = Limits::default();
    let table = csv::read(COMPANIES, &limits).unwrap();
    let mut watchlist = Watchlist::new("Companies", standard_columns(), &limits).unwrap();
    let at: Timestamp = MORNING.parse().unwrap();
    let section = AddColumn {
        key: "_section".into(),
        title: "Section".into(),
        kind: shared::column::ColumnKind::Text,
        after: None,
    };
    watchlist.apply(&[Change::AddColumn(section)], &Mode::Confirmed { at }).unwrap();
    let mut next = 0;
    let inserts = table.inserts(&limits, || {
        next += 1;
        row(next)
    });
    for (index, changes) in inserts.into_iter().enumerate() {
        let at = Timestamp::from_millis(at.as_millis() + index as i64 * 1_000);
        watchlist.apply(&changes, &Mode::Confirmed { at }).unwrap();
    }
    for (number, before, title) in [(101, 0_usize, "Industrials"), (102, 9, "Technology and finance")] {
        let rows = watchlist.rows();
        let above = before.checked_sub(1).and_then(|index| rows.at(index)).map(|row| &row.position);
        let position =
            Position::between(above, rows.at(before).map(|row| &row.position), 1).unwrap().remove(0);
        let cells = [("_section".into(), Literal::from(title))].into();
        watchlist.apply(&[Change::insert(row(number), &position, cells)], &Mode::Confirmed { at }).unwrap();
    }
    let notes = [
        (2, "target", "35"),
        (2, "note", "smelter news on Thursday"),
        (5, "target", "60.5"),
        (8, "note", "trim above 38"),
    ];
    for (number, column, value) in notes {
        let set = Change::set(row(number), &column.into(), Literal::from(value));
        watchlist.apply(&[set], &Mode::Confirmed { at }).unwrap();
    }
    watchlist
}

/// Returns a grid of the companies with sparklines, other users and a pending edit.
fn harness(theme: Theme, colour_blind: bool) -> GridHarness {
    let look = Look { theme, colour_blind, is_picture: true };
    let mut app = TestApp::of(companies(), look);
    app.pace = Duration::ZERO;
    let mut sparklines = SparklineValues::default();
    sparklines.set_columns(&BTreeSet::from(["price".into()]));
    for company in 1..=20_u32 {
        let mut price = 70.0 + f64::from(company);
        let mut chance = u64::from(company) * 7_919;
        for _ in 0..60 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let next = price + (chance >> 40) as f64 / f64::from(1_u32 << 24) - 0.5;
            let [before, after] = [price, next].map(|price| number(&format!("{price:.2}")));
            sparklines.record(&[Effect::Cell {
                row: row(company.into()),
                column: "price".into(),
                before,
                after,
            }]);
            price = next;
        }
    }
    app.sparklines = Some(sparklines);
    app.grid.config.sparklines = BTreeSet::from(["price".into()]);
    app.grid.config.widths =
        [("company", 180.0), ("note", 180.0)].map(|(key, width)| (key.into(), width)).into();
    let palette = Palette::of(theme, colour_blind);
    let person = |number, column: &str, is_editing, initials: &str, shade| PersonAt {
        row: row(number),
        column: column.into(),
        is_editing,
        initials: initials.to_owned(),
        color: palette.user_color(shade),
    };
    app.people = vec![person(11, "target", true, "BO", 1), person(6, "company", false, "MC", 4)];
    app.pending = vec![(row(5), "target".into())];
    let builder = Harness::builder()
        .with_size(Vec2::new(1_180.0, 380.0))
        .with_step_dt(1.0 / 60.0)
        .renderer(CpuPainter::default());
    GridHarness::at(app, builder)
}

impl GridHarness {
    /// Records a price change that happened `ago` seconds ago.
    fn ticked(&mut self, number: u128, before: &str, after: &str, ago: f64) {
        let app = self.app();
        let column = ColumnKey::from("price");
        let effect = Effect::Cell {
            row: row(number),
            column,
            before: self::number(before),
            after: self::number(after),
        };
        let at = app.now - Duration::from_secs_f64(ago);
        app.glow.get_or_insert_with(Glow::default).record(&[effect], Some(WindowId(9)), at);
        self.frames();
    }

    fn picture(mut self, name: &str, pictures: &mut SnapshotResults) {
        self.0.snapshot_options(name, &SnapshotOptions::new());
        pictures.extend_harness(&mut self.0);
    }
}

#[test]
fn a_busy_grid_in_each_theme() {
    let mut pictures = SnapshotResults::new();
    for (name, theme, colour_blind) in [
        ("dark", Theme::Dark, false),
        ("light", Theme::Light, false),
        ("dark_colour_blind", Theme::Dark, true),
        ("light_colour_blind", Theme::Light, true),
    ] {
        let mut harness = harness(theme, colour_blind);
        harness.go(3, 2);
        harness.ticked(4, "40", "41", 0.3);
        harness.ticked(9, "41", "40", 0.7);
        harness.ticked(2, "28.59", "29.01", 1.2);
        // Outside the view, so it is marked on the scroll bar.
        harness.ticked(19, "40", "41", 0.1);
        harness.picture(name, &mut pictures);
    }
}

#[test]
fn a_row_glows_and_fades() {
    let mut pictures = SnapshotResults::new();
    for (name, theme) in [("dark", Theme::Dark), ("light", Theme::Light)] {
        for (seconds, ago) in [("0", 0.0), ("1", 1.0), ("2", 2.0)] {
            let mut harness = harness(theme, false);
            harness.ticked(3, "70", "71", ago);
            harness.picture(&format!("glow_{name}_{seconds}s"), &mut pictures);
        }
    }
}

#[test]
fn a_single_cell_can_glow() {
    let mut pictures = SnapshotResults::new();
    let mut harness = harness(Theme::Dark, false);
    harness.app().grid.flash = Flash::Cell;
    harness.app().glow = Some(Glow::new(GlowStyle::default()));
    harness.ticked(3, "70", "71", 0.3);
    harness.picture("glow_cell", &mut pictures);
}

#[test]
fn an_editor_shows_a_validation_error() {
    let mut pictures = SnapshotResults::new();
    let mut harness = harness(Theme::Dark, false);
    harness.go(4, 2);
    harness.text("7x.5");
    harness.key(Key::Enter);
    harness.picture("editor_error", &mut pictures);
}

#[test]
fn a_conflict_offers_a_choice() {
    let mut pictures = SnapshotResults::new();
    for (name, theme) in [("conflict_dark", Theme::Dark), ("conflict_light", Theme::Light)] {
        let mut harness = harness(theme, false);
        harness.go(4, 2);
        harness.text("72");
        harness.others(&[Change::set(row(4), &"price".into(), Literal::from("71.75"))]);
        harness.picture(name, &mut pictures);
    }
}

#[test]
fn a_selection_and_its_totals() {
    let mut pictures = SnapshotResults::new();
    let mut harness = harness(Theme::Light, false);
    harness.go(2, 2);
    for _ in 0..5 {
        harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    }
    harness.keys(Modifiers::SHIFT, Key::ArrowRight);
    harness.keys(Modifiers::SHIFT, Key::ArrowRight);
    harness.app().pace = Duration::from_millis(300);
    harness.frames();
    harness.picture("selection", &mut pictures);
}

#[test]
fn a_row_removed_while_edited_keeps_its_slot() {
    let mut pictures = SnapshotResults::new();
    let mut harness = harness(Theme::Dark, false);
    harness.go(4, 2);
    harness.text("72");
    harness.others(&[Change::remove(row(4), None)]);
    harness.picture("removed_row", &mut pictures);
}

#[test]
fn a_card_shows_the_last_changes() {
    let mut pictures = SnapshotResults::new();
    let mut harness = harness(Theme::Light, false);
    let change = |by: &str, at: &str, from: &str, to: &str| CellChange {
        by: by.into(),
        at: at.parse().unwrap(),
        from: Literal::from(from),
        to: Literal::from(to),
    };
    harness.app().history = Some(CellHistory {
        watchlist: WatchlistId(uuid::Uuid::nil()),
        row: row(4),
        column: "price".into(),
        changes: vec![
            change("bob", "2026-11-22T14:03:21.000Z", "64.125", "64.13"),
            change("ann", "2026-11-22T13:58:02.000Z", "63.9", "64.125"),
            change("feed", "2026-11-21T20:00:00.000Z", "63.82", "63.9"),
        ],
        request: RequestState::Answered,
        is_stale: false,
    });
    harness.go(4, 2);
    harness.keys(Modifiers::SHIFT, Key::F2);
    harness.picture("card", &mut pictures);
}

#[test]
fn a_calendar_opens_below_its_cell() {
    let mut pictures = SnapshotResults::new();
    let mut harness = harness(Theme::Dark, false);
    let due = AddColumn {
        key: "due".into(),
        title: "Due".into(),
        kind: shared::column::ColumnKind::Time,
        after: Some(Some("company".into())),
    };
    let set = Change::set(row(2), &"due".into(), Literal::from("2026-11-30T09:30:00.000Z"));
    harness.others_read(&[Change::AddColumn(due), set]);
    harness.go(2, 2);
    harness.keys(Modifiers::ALT, Key::ArrowDown);
    harness.picture("calendar", &mut pictures);
}
