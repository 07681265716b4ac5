//! A hundred thousand rows, sorted by a column that ticks a thousand times a second: what is looked at stays calm.

use std::time::{Duration, Instant};

use egui::Vec2;
use egui_kittest::{Harness, kittest::Queryable};
use shared::{
    column::standard_columns,
    edit::Change,
    limits::Limits,
    position::Position,
    time::Timestamp,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
};

use super::desk::{Desk, Look, Seat, row};
use crate::screen::{PATIENCE, wait_for};

const ROWS: u32 = 100_000;
/// Changes between two frames: a thousand a second at sixty frames.
const CHANGES: u32 = 17;
/// Seconds that are watched.
const WATCHED: u32 = 5;

fn many() -> Watchlist {
    let mut watchlist = Watchlist::new("Ticking", standard_columns(), &Limits::default()).unwrap();
    let positions = Position::between(None, None, ROWS as usize).unwrap();
    let at = Timestamp::from_millis(0);
    for (number, position) in (1..=ROWS).zip(&positions) {
        let cells = [
            ("symbol".into(), Literal::from(format!("S{number:06}").as_str())),
            ("price".into(), Literal::from((number * 7_919 % ROWS).to_string().as_str())),
        ];
        let insert = Change::insert(row(number.into()), position, cells.into());
        watchlist.apply(&[insert], &Mode::Confirmed { at }).unwrap();
    }
    watchlist
}

#[test]
fn the_row_under_the_pointer_never_moves_while_a_hundred_thousand_tick() {
    let look = Look { theme: egui::Theme::Dark, colour_blind: false, is_picture: false };
    let mut desk = Desk::of(many(), look);
    desk.pace = Duration::from_micros(16_667);
    desk.grid.config.sort_by(&"price".into(), false);
    let mut seat =
        Seat::at(desk, Harness::builder().with_size(Vec2::new(1_200.0, 600.0)).with_step_dt(1.0 / 60.0));
    let symbols = |seat: &Seat| seat.symbols()[..20].to_vec();
    // It is sorted on a thread of its own, which takes its time.
    wait_for("the first order", || {
        seat.0.step();
        (symbols(&seat)[0] == format!("S{ROWS:06}")).then_some(())
    });
    seat.desk().grid.scroll_row = 50_000.0;
    seat.frames();
    let held = symbols(&seat)[9].clone();
    let held_row = row(held[1..].parse().unwrap());
    let place = seat.0.get_by_label(&format!("Price of {held}")).rect();
    seat.0.hover_at(place.center());
    seat.0.step();
    let (mut chance, mut orders) = (1_u64, std::collections::HashSet::new());
    let mut frame = 0;
    let started = Instant::now();
    // Orders are made in real time, and frames as fast as they can be.
    while frame < WATCHED * 60 || orders.len() <= 2 {
        assert!(started.elapsed() < PATIENCE, "the rows around it go on being sorted");
        let changes: Vec<Change> = (0..CHANGES)
            .map(|_| {
                chance =
                    chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let number = (chance >> 33) % u64::from(ROWS) + 1;
                let price = (chance >> 20) % u64::from(ROWS);
                Change::set(row(number.into()), &"price".into(), Literal::from(price.to_string().as_str()))
            })
            .collect();
        seat.desk().change(&changes);
        if frame % 60 == 30 {
            // Its own value goes to the other end of the list and back.
            let far = if frame % 120 == 30 { "99999" } else { "50000" };
            seat.desk().change(&[Change::set(held_row, &"price".into(), Literal::from(far))]);
        }
        seat.0.step();
        let now = seat.0.get_by_label(&format!("Price of {held}")).rect();
        assert!((now.top() - place.top()).abs() < 0.5, "frame {frame}: {} and {}", now.top(), place.top());
        orders.insert(symbols(&seat));
        frame += 1;
    }
    let most = frame as usize / 15 + 4;
    assert!(orders.len() <= most, "four times a second at most: {} in {frame} frames", orders.len());
}
