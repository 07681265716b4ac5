//! Measures frames of a hundred thousand rows that are sorted by a column which a feed changes. A frame
//! includes applying the server's messages, glow, layout, painting and tessellation.

use std::time::{Duration, Instant};

use desktop::{grid::GridState, store::Store, theme};
use egui::Context;
use shared::{
    account::{Role, User},
    edit::{Author, Change, Commit},
    ids::{ClientId, EditId, Epoch, Revision, RowId, UserId, WatchlistId},
    time::Timestamp,
    value::{Literal, Value},
    wire::{
        server::{Changes, ServerMessage, Welcome},
        snapshot::{Snapshot, SnapshotRow},
    },
};
use uuid::Uuid;

use super::{draw, filled, millis, show};

const ROWS: usize = 100_000;
const SECONDS: usize = 10;
/// Frames per second.
const RATE: usize = 60;
const LIST: WatchlistId = WatchlistId(Uuid::from_u128(1));

pub(crate) fn run() {
    println!("\n{ROWS} rows, sorted by a ticking column, {SECONDS} s at {RATE} frames a second (ms)");
    println!(
        "{:>10} {:>8} {:>8} {:>16} {:>16} {:>12}",
        "changes/s", "median", "p99", "median CPU", "p99 CPU", "all applied"
    );
    for rate in [1_000, 10_000] {
        let folder = tempfile::tempdir().unwrap();
        let mut feed =
            Feed::start(Store::open(folder.path(), Instant::now, server::files::write_atomically).unwrap());
        let ctx = Context::default();
        theme::install(&ctx);
        let mut grid = GridState::default();
        grid.config.sort_by(&"c2".into(), false);
        let started = Instant::now();
        let (mut times, mut costs) = (Vec::new(), Vec::new());
        for frame in 0..SECONDS * RATE {
            let due = Duration::from_secs_f64(frame as f64 / RATE as f64);
            let message = feed.changes(rate / RATE);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
            let (began, spent) = (Instant::now(), cpu());
            let now = started.elapsed();
            feed.store.receive(message, now);
            feed.store.tick(now);
            let watchlist = feed.store.watchlist(LIST).unwrap();
            draw(&ctx, now.as_secs_f64(), |ui| show(ui, &mut grid, watchlist, feed.store.glow(LIST), now));
            times.push(began.elapsed());
            costs.push(cpu() - spent);
        }
        // Skips the first second, in which the first order is built.
        let [times, costs] = [times, costs].map(|frames| {
            let mut frames = frames[RATE..].to_vec();
            frames.sort();
            frames
        });
        let at = |frames: &[Duration], share: usize| millis(frames[(frames.len() - 1) * share / 100]);
        println!(
            "{rate:>10} {:>8.2} {:>8.2} {:>16.2} {:>16.2} {:>12}",
            at(&times, 50),
            at(&times, 99),
            at(&costs, 50),
            at(&costs, 99),
            feed.is_applied()
        );
    }
}

/// Returns the CPU time of this thread. Unlike elapsed time, it excludes waiting for a free processor.
fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(spent).unwrap()
}

/// A simulated feed that produces server messages.
struct Feed {
    store: Store,
    revision: u64,
    chance: u64,
    last: (RowId, String),
}

impl Feed {
    fn start(mut store: Store) -> Self {
        store.connected();
        let user = User { id: UserId(Uuid::nil()), name: "feed".into(), role: Role::User }.into();
        let welcome = Welcome { protocol: 1, server: "0".into(), user, now: Timestamp::from_millis(0) };
        store.receive(ServerMessage::Welcome(welcome), Duration::ZERO);
        store.open_list(LIST, Duration::ZERO);
        while store.poll_send().is_some() {}
        let watchlist = filled(ROWS);
        let columns = watchlist.columns();
        let rows = watchlist.rows().iter().map(|row| SnapshotRow {
            row: row.id,
            position: row.position.clone(),
            cells: columns
                .iter()
                .map(|entry| (entry.column.key.clone(), row.stored(entry.slot).to_literal()))
                .collect(),
            changed: Default::default(),
        });
        let snapshot = Snapshot {
            watchlist: LIST,
            name: "Ticking".into(),
            columns: columns.iter().map(|entry| entry.column.clone()).collect(),
            epoch: Epoch(Uuid::nil()),
            revision: Revision(0),
            part: 1,
            parts: 1,
            role: None,
            rows: rows.collect(),
        };
        store.receive(ServerMessage::Snapshot(snapshot), Duration::ZERO);
        assert_eq!(store.watchlist(LIST).unwrap().rows().len(), ROWS);
        Self { store, revision: 0, chance: 1, last: (RowId(Uuid::nil()), String::new()) }
    }

    /// Returns a message that changes the prices of `count` rows.
    fn changes(&mut self, count: usize) -> ServerMessage {
        let changes = (0..count).map(|_| {
            self.chance =
                self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let row = RowId(Uuid::from_u128(u128::from(self.chance >> 33) % ROWS as u128 + 1));
            let price = format!("{}.{:02}", (self.chance >> 20) % 5_000, (self.chance >> 40) % 100);
            self.last = (row, price.clone());
            Change::set(row, &"c2".into(), Literal::from(price.as_str()))
        });
        let changes = changes.collect();
        let from = Revision(self.revision);
        self.revision += 1;
        let revision = Revision(self.revision);
        let by = Author {
            user: UserId(Uuid::nil()),
            name: "feed".into(),
            client: ClientId(Uuid::nil()),
            edit: EditId(self.revision),
        };
        let commit = Commit { revision, by, at: Timestamp::from_millis(0), changes };
        ServerMessage::Changes(Changes {
            watchlist: LIST,
            from,
            to: revision,
            conflated: false,
            commits: vec![commit],
        })
    }

    /// Whether the last change is applied.
    fn is_applied(&self) -> bool {
        let (row, price) = &self.last;
        let shown = self.store.watchlist(LIST).unwrap().cell(*row, &"c2".into());
        shown == Value::Number(shared::number::parse_exact(price).unwrap())
    }
}
