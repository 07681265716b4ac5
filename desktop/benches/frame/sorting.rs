//! Measures sorting rows by a number column, as the background thread does it.

use std::time::Instant;

use desktop::grid::order::{Locale, Order, OrderSpec, SortKey};
use shared::number::Separators;

use super::{filled, millis};

const RUNS: usize = 7;

pub(crate) fn run() {
    println!("\nsorting by a number column, median of {RUNS} (ms)");
    println!("{:>10} {:>8} {:>14}", "rows", "sort", "freeze");
    for rows in [1_000, 100_000, 1_000_000] {
        let watchlist = filled(rows);
        let sort = vec![SortKey { column: "c2".into(), descending: true }];
        let spec = OrderSpec { sort, ..OrderSpec::default() };
        let locale = Locale { separators: Separators::ENGLISH, zone: jiff::tz::TimeZone::UTC };
        let mut times: Vec<_> = (0..RUNS)
            .map(|_| {
                let started = Instant::now();
                let frozen = watchlist.freeze();
                let copied = started.elapsed();
                let order = Order::arrange(&frozen, &spec, &locale, None);
                let sorted = started.elapsed() - copied;
                std::hint::black_box(order);
                (sorted, copied)
            })
            .collect();
        times.sort();
        let (sorted, copied) = times[RUNS / 2];
        println!("{rows:>10} {:>8.2} {:>14.2}", millis(sorted), millis(copied));
    }
}
