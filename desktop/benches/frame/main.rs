//! Measures a frame of 1920x1080 points with 20 columns: a still grid, compared with
//! `egui_extras::TableBuilder` in the same run; and a hundred thousand ticking rows. Also measures sorting up
//! to a million rows.
//!
//! `cargo bench -p desktop`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its results and panics on errors"
)]

mod sorting;
mod ticking;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use desktop::{
    grid::{self, GridState, GridView},
    store::glow::Glow,
    theme::{self, Palette},
};
use egui::{Context, RawInput, Rect, Ui, pos2, vec2};
use egui_extras::{Column as TableColumn, TableBuilder};
use shared::{
    column::{Column, ColumnKind},
    edit::Change,
    ids::{RowId, WatchlistId, WindowId},
    limits::Limits,
    number::Separators,
    position::Position,
    replica::Effect,
    time::Timestamp,
    value::{Literal, Value},
    watchlist::{Watchlist, apply::Mode},
};
use uuid::Uuid;

const FRAMES: usize = 300;
const COLUMNS: usize = 20;

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_selected = |name: &str| filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()));
    if is_selected("still") {
        still();
    }
    if is_selected("ticking") {
        ticking::run();
    }
    if is_selected("sorting") {
        sorting::run();
    }
}

fn still() {
    println!("frame, 1920x1080, {COLUMNS} columns, median of {FRAMES} (ms)");
    // The first measurement would include how the allocator grows.
    let first = filled(1_000);
    median(|ui| table(ui, &first));
    grid_frame(&first, Some(&all_glowing(&first)));
    println!("{:>10} {:>8} {:>8} {:>14} {:>6}", "rows", "still", "glowing", "TableBuilder", "ratio");
    for rows in [1_000, 100_000, 1_000_000] {
        let watchlist = filled(rows);
        let still = grid_frame(&watchlist, None);
        let glowing = grid_frame(&watchlist, Some(&all_glowing(&watchlist)));
        let table = median(|ui| table(ui, &watchlist));
        println!(
            "{rows:>10} {:>8.2} {:>8.2} {:>14.2} {:>6.2}",
            millis(still),
            millis(glowing),
            millis(table),
            still.as_secs_f64() / table.as_secs_f64()
        );
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn filled(rows: usize) -> Watchlist {
    let limits = Limits { rows, ..Limits::default() };
    let column = |index: usize| {
        let kind = if index % 4 == 1 { ColumnKind::Text } else { ColumnKind::Number { decimals: 2 } };
        Column::new(&format!("c{index}"), &format!("Column {index}"), kind)
    };
    let mut watchlist = Watchlist::new("Bench", (0..COLUMNS).map(column).collect(), &limits).unwrap();
    let positions = Position::between(None, None, rows).unwrap();
    for (index, position) in positions.iter().enumerate() {
        let cell = |column: usize| {
            let text = if column % 4 == 1 {
                format!("Company {index}")
            } else {
                format!("{}.{:02}", index % 5_000 + column, index % 100)
            };
            (format!("c{column}").as_str().into(), Literal::from(text.as_str()))
        };
        let cells: BTreeMap<_, _> = (0..COLUMNS).map(cell).collect();
        let insert = Change::insert(RowId(Uuid::from_u128(index as u128 + 1)), position, cells);
        watchlist.apply(&[insert], &Mode::Confirmed { at: Timestamp::from_millis(0) }).unwrap();
    }
    watchlist
}

fn all_glowing(watchlist: &Watchlist) -> Glow {
    let mut glow = Glow::default();
    let number = |text: &str| Value::Number(shared::number::parse_exact(text).unwrap());
    for row in watchlist.rows().iter().take(60) {
        let effect =
            Effect::Cell { row: row.id, column: "c0".into(), before: number("1"), after: number("2") };
        glow.record(&[effect], None, Duration::from_secs(10));
    }
    glow
}

fn grid_frame(watchlist: &Watchlist, glow: Option<&Glow>) -> Duration {
    let mut state = GridState::default();
    median(|ui| show(ui, &mut state, watchlist, glow, Duration::from_secs_f64(10.5)))
}

fn show(ui: &mut Ui, state: &mut GridState, watchlist: &Watchlist, glow: Option<&Glow>, now: Duration) {
    let view = GridView {
        id: WatchlistId(Uuid::nil()),
        watchlist,
        glow,
        recent: None,
        window: WindowId(1),
        now,
        pending: &|_, _| false,
        sparklines: None,
        history: None,
        author: None,
        people: &[],
        palette: Palette::of(egui::Theme::Dark, false),
        zone: &jiff::tz::TimeZone::UTC,
        today: jiff::civil::date(2026, 11, 22),
        separators: Separators::ENGLISH,
        new_row: &|| RowId(Uuid::now_v7()),
        role: None,
        can_undo: false,
        can_redo: false,
        accepts_keyboard: true,
        flash: state.flash,
    };
    state.config.widths =
        watchlist.columns().visible().map(|entry| (entry.column.key.clone(), 94.0)).collect();
    grid::show(ui, state, &view);
}

fn table(ui: &mut Ui, watchlist: &Watchlist) {
    let columns: Vec<_> = watchlist.columns().visible().collect();
    ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
    TableBuilder::new(ui)
        .columns(TableColumn::exact(94.0).clip(true), COLUMNS)
        .header(26.0, |mut header| {
            for entry in &columns {
                header.col(|ui| drop(ui.label(&*entry.column.title)));
            }
        })
        .body(|body| {
            body.rows(22.0, watchlist.rows().len(), |mut shown| {
                let row = watchlist.rows().at(shown.index()).unwrap();
                for entry in &columns {
                    let text = entry.column.kind.format(&watchlist.value(row, entry), Separators::ENGLISH);
                    shown.col(|ui| drop(ui.label(text)));
                }
            });
        });
}

fn median(mut show: impl FnMut(&mut Ui)) -> Duration {
    let ctx = Context::default();
    theme::install(&ctx);
    let mut times: Vec<Duration> = (0..FRAMES + 20)
        .map(|frame| {
            let started = Instant::now();
            draw(&ctx, frame as f64 / 60.0, &mut show);
            started.elapsed()
        })
        .skip(20)
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn draw(ctx: &Context, at: f64, show: impl FnMut(&mut Ui)) {
    let screen_rect = Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1920.0, 1080.0)));
    let input = RawInput { screen_rect, time: Some(at), ..RawInput::default() };
    let mut output = ctx.run_ui(input, show);
    let primitives = ctx.tessellate(std::mem::take(&mut output.shapes), output.pixels_per_point);
    std::hint::black_box(primitives);
    output.textures_delta.clear();
}
