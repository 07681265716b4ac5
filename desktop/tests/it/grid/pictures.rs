//! What the grid looks like, compared with pictures that were looked at. `UPDATE_SNAPSHOTS=true` takes them anew.

use std::{collections::BTreeSet, time::Duration};

use desktop::{
    grid::PersonAt,
    store::{
        glow::{Glow, Shape},
        history::{Asked, CellChange, CellHistory},
        trails::Trails,
    },
    theme::Palette,
};
use egui::{Key, Modifiers, Theme, Vec2};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use shared::{
    column::{ColumnKey, standard_columns},
    csv_table::CsvTable,
    edit::{AddColumn, Change},
    ids::{WatchlistId, WindowId},
    limits::Limits,
    number::parse_exact,
    position::Position,
    replica::Effect,
    time::Timestamp,
    value::{Literal, Value},
    watchlist::{Watchlist, apply::Mode},
};

use super::desk::{Desk, Look, Seat, row};
use crate::painter::CpuPainter;

const COMPANIES: &[u8] = include_bytes!("../../../../assets/data/companies.csv");
/// When prices were set, on the day that the grid takes for the present one.
const MORNING: &str = "2026-11-22T14:03:21.000Z";

fn number(text: &str) -> Value {
    Value::Number(parse_exact(text).unwrap())
}

/// The companies in two sections, with targets and notes here and there.
fn companies() -> Watchlist {
    let limits = Limits::default();
    let table = CsvTable::read(COMPANIES, &limits).unwrap();
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

/// A seat at the companies, with everything that a busy day shows.
fn seat(theme: Theme, colour_blind: bool) -> Seat {
    let look = Look { theme, colour_blind, is_picture: true };
    let mut desk = Desk::of(companies(), look);
    desk.pace = Duration::ZERO;
    let mut trails = Trails::default();
    trails.want(&BTreeSet::from(["price".into()]));
    for company in 1..=20_u32 {
        let mut price = 70.0 + f64::from(company);
        let mut chance = u64::from(company) * 7_919;
        for _ in 0..60 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let next = price + (chance >> 40) as f64 / f64::from(1_u32 << 24) - 0.5;
            let [before, after] = [price, next].map(|price| number(&format!("{price:.2}")));
            trails.note(&[Effect::Cell { row: row(company.into()), column: "price".into(), before, after }]);
            price = next;
        }
    }
    desk.trails = Some(trails);
    desk.grid.config.trends = BTreeSet::from(["price".into()]);
    desk.grid.config.widths =
        [("company", 180.0), ("note", 180.0)].map(|(key, width)| (key.into(), width)).into();
    let palette = Palette::of(theme, colour_blind);
    let person = |number, column: &str, is_editing, initials: &str, shade| PersonAt {
        row: row(number),
        column: column.into(),
        is_editing,
        initials: initials.to_owned(),
        color: palette.person(shade),
    };
    desk.people = vec![person(11, "target", true, "BO", 1), person(6, "company", false, "MC", 4)];
    desk.pending = vec![(row(5), "target".into())];
    let builder = Harness::builder()
        .with_size(Vec2::new(1_180.0, 380.0))
        .with_step_dt(1.0 / 60.0)
        .renderer(CpuPainter::default());
    Seat::at(desk, builder)
}

impl Seat {
    /// A number went from one value to another, so long ago.
    fn ticked(&mut self, number: u128, before: &str, after: &str, ago: f64) {
        let desk = self.desk();
        let column = ColumnKey::from("price");
        let effect = Effect::Cell {
            row: row(number),
            column,
            before: self::number(before),
            after: self::number(after),
        };
        let at = desk.now - Duration::from_secs_f64(ago);
        desk.glow.get_or_insert_with(Glow::default).note(&[effect], Some(WindowId(9)), at);
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
        let mut seat = seat(theme, colour_blind);
        seat.go(3, 2);
        seat.ticked(4, "40", "41", 0.3);
        seat.ticked(9, "41", "40", 0.7);
        seat.ticked(2, "28.59", "29.01", 1.2);
        // Outside the view: a mark on the scroll bar.
        seat.ticked(19, "40", "41", 0.1);
        seat.picture(name, &mut pictures);
    }
}

#[test]
fn a_row_glows_and_fades() {
    let mut pictures = SnapshotResults::new();
    for (name, theme) in [("dark", Theme::Dark), ("light", Theme::Light)] {
        for (seconds, ago) in [("0", 0.0), ("1", 1.0), ("2", 2.0)] {
            let mut seat = seat(theme, false);
            seat.ticked(3, "70", "71", ago);
            seat.picture(&format!("glow_{name}_{seconds}s"), &mut pictures);
        }
    }
}

#[test]
fn a_cell_may_glow_by_itself() {
    let mut pictures = SnapshotResults::new();
    let mut seat = seat(Theme::Dark, false);
    seat.desk().glow = Some(Glow::new(Shape { cell_only: true, ..Shape::default() }));
    seat.ticked(3, "70", "71", 0.3);
    seat.picture("glow_cell", &mut pictures);
}

#[test]
fn an_editor_says_what_is_wrong() {
    let mut pictures = SnapshotResults::new();
    let mut seat = seat(Theme::Dark, false);
    seat.go(4, 2);
    seat.text("7x.5");
    seat.key(Key::Enter);
    seat.picture("editor_error", &mut pictures);
}

#[test]
fn a_conflict_is_a_choice() {
    let mut pictures = SnapshotResults::new();
    for (name, theme) in [("conflict_dark", Theme::Dark), ("conflict_light", Theme::Light)] {
        let mut seat = seat(theme, false);
        seat.go(4, 2);
        seat.text("72");
        seat.others(&[Change::set(row(4), &"price".into(), Literal::from("71.75"))]);
        seat.picture(name, &mut pictures);
    }
}

#[test]
fn a_selection_and_its_sums() {
    let mut pictures = SnapshotResults::new();
    let mut seat = seat(Theme::Light, false);
    seat.go(2, 2);
    for _ in 0..5 {
        seat.keys(Modifiers::SHIFT, Key::ArrowDown);
    }
    seat.keys(Modifiers::SHIFT, Key::ArrowRight);
    seat.keys(Modifiers::SHIFT, Key::ArrowRight);
    seat.desk().pace = Duration::from_millis(300);
    seat.frames();
    seat.picture("selection", &mut pictures);
}

#[test]
fn a_row_that_is_removed_under_the_editor_keeps_its_place() {
    let mut pictures = SnapshotResults::new();
    let mut seat = seat(Theme::Dark, false);
    seat.go(4, 2);
    seat.text("72");
    seat.others(&[Change::remove(row(4), None)]);
    seat.picture("removed_row", &mut pictures);
}

#[test]
fn a_card_shows_the_last_changes() {
    let mut pictures = SnapshotResults::new();
    let mut seat = seat(Theme::Light, false);
    let change = |by: &str, at: &str, from: &str, to: &str| CellChange {
        by: by.into(),
        at: at.parse().unwrap(),
        from: Literal::from(from),
        to: Literal::from(to),
    };
    seat.desk().history = Some(CellHistory {
        watchlist: WatchlistId(uuid::Uuid::nil()),
        row: row(4),
        column: "price".into(),
        changes: vec![
            change("bob", "2026-11-22T14:03:21.000Z", "64.125", "64.13"),
            change("ann", "2026-11-22T13:58:02.000Z", "63.9", "64.125"),
            change("feed", "2026-11-21T20:00:00.000Z", "63.82", "63.9"),
        ],
        asked: Asked::Answered,
        is_old: false,
    });
    seat.go(4, 2);
    seat.keys(Modifiers::SHIFT, Key::F2);
    seat.picture("card", &mut pictures);
}

#[test]
fn a_calendar_hangs_under_its_cell() {
    let mut pictures = SnapshotResults::new();
    let mut seat = seat(Theme::Dark, false);
    let due = AddColumn {
        key: "due".into(),
        title: "Due".into(),
        kind: shared::column::ColumnKind::Time,
        after: Some(Some("company".into())),
    };
    let set = Change::set(row(2), &"due".into(), Literal::from("2026-11-30T09:30:00.000Z"));
    seat.others(&[Change::AddColumn(due), set]);
    seat.go(2, 2);
    seat.keys(Modifiers::ALT, Key::ArrowDown);
    seat.picture("calendar", &mut pictures);
}
