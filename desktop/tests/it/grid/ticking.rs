//! A hundred thousand rows, sorted by a column that changes a thousand times a second: the row under the
//! pointer stays where it is.

use std::time::{Duration, Instant};

use egui::Vec2;
use egui_kittest::Harness;
use shared::{
    column::standard_columns,
    edit::Change,
    limits::Limits,
    position::Position,
    time::Timestamp,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
};

use super::desk::{GridHarness, Look, TestApp, row};
use crate::screen::{PATIENCE, wait_for};

const ROWS: u32 = 100_000;
/// Changes per frame: about a thousand a second at 60 frames a second.
const CHANGES: u32 = 17;
/// Duration of the test in simulated seconds.
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
fn rows_do_not_move_under_a_moving_pointer_while_a_hundred_thousand_tick() {
    let look = Look { theme: egui::Theme::Dark, colour_blind: false, is_picture: false };
    let mut app = TestApp::of(many(), look);
    app.pace = Duration::from_micros(16_667);
    app.grid.config.sort_by(&"price".into(), false);
    let mut harness = GridHarness::at(
        app,
        Harness::builder().with_size(Vec2::new(1_200.0, 600.0)).with_step_dt(1.0 / 60.0),
    );
    let symbols = |harness: &GridHarness| harness.symbols()[..20].to_vec();
    // The list is sorted on another thread.
    wait_for("the first order", || {
        harness.0.step();
        (symbols(&harness)[0] == format!("S{ROWS:06}")).then_some(())
    });
    harness.app().grid.scroll.row = 50_000.0;
    harness.frames();
    let symbol = symbols(&harness)[9].clone();
    let anchored_row = row(symbol[1..].parse().unwrap());
    let place = harness.node(&format!("Price of {symbol}")).rect();
    harness.0.hover_at(place.center());
    harness.0.step();
    let (mut chance, mut orders) = (1_u64, std::collections::HashSet::new());
    let mut tick = |harness: &mut GridHarness, frame: u32| {
        let changes: Vec<Change> = (0..CHANGES)
            .map(|_| {
                chance =
                    chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let number = (chance >> 33) % u64::from(ROWS) + 1;
                let price = (chance >> 20) % u64::from(ROWS);
                Change::set(row(number.into()), &"price".into(), Literal::from(price.to_string().as_str()))
            })
            .collect();
        harness.app().change(&changes);
        if frame % 60 == 30 {
            // The row's own value moves to the other end of the list and back.
            let far = if frame % 120 == 30 { "99999" } else { "50000" };
            harness.app().change(&[Change::set(anchored_row, &"price".into(), Literal::from(far))]);
        }
    };
    for frame in 0..WATCHED * 60 {
        tick(&mut harness, frame);
        if frame % 20 == 0 {
            harness.0.hover_at(place.center() + Vec2::new((frame % 40) as f32 / 20.0, 0.0));
        }
        harness.0.step();
        let now = harness.node(&format!("Price of {symbol}")).rect();
        assert!((now.top() - place.top()).abs() < 0.5, "frame {frame}: {} and {}", now.top(), place.top());
    }
    // Once the pointer rests, the rows are sorted and the view stays. Orders are built in real time; frames
    // are drawn as fast as possible.
    let (mut frame, started) = (0, Instant::now());
    while frame < WATCHED * 60 || orders.len() <= 2 {
        assert!(started.elapsed() < PATIENCE, "the rows were not sorted in time");
        tick(&mut harness, frame);
        harness.0.step();
        assert!(
            (harness.app().grid.scroll.row - 50_000.0).abs() < 0.01,
            "frame {frame}: the view has scrolled"
        );
        orders.insert(symbols(&harness));
        frame += 1;
    }
    let max_orders = frame as usize / 15 + 4;
    assert!(orders.len() <= max_orders, "more than four orders a second: {} in {frame} frames", orders.len());
}
