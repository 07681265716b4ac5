//! One run: a server, its clients and other callers, and what happens to them, all chosen by the seed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use server::accounts::Accounts;
use shared::{edit::Change, ids::At};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    LISTS,
    calls::Calls,
    check::{assert_edits, assert_listed, assert_order, assert_served, assert_shows_what_is_stored},
    client::SimulatedClient,
    clock::{self, DAY},
    disk::Disk,
    edits::random_changes,
    events::{self, Events, Kind, count},
    herd::Herd,
    people::People,
    server::{Kept, SimulatedServer},
    wire::wire,
};
use crate::support::{accounts, admin};

const CLIENTS: usize = 3;
const STEPS: usize = 100;
/// Of how many runs one has people whose roles change.
const PEOPLE_EVERY: u64 = 3;
/// Number of commits that are kept where few are.
const FEW_COMMITS: u64 = 6;

/// A run.
pub(super) struct Simulation {
    rng: Rng,
    disk: Arc<Disk>,
    server: SimulatedServer,
    clients: Vec<SimulatedClient>,
    herd: Herd,
    calls: Calls,
    accounts: Arc<Accounts>,
    /// The people of some of the clients, in some of the runs.
    people: Option<People>,
    /// Number of edits so far, by any client.
    edits: u64,
    kept: Kept,
    /// Whether clients restore old copies. If so, no two edits have the same changes.
    restores: bool,
    /// Error of the server's clock in milliseconds.
    clock_error: Arc<AtomicI64>,
}

impl Simulation {
    /// Runs the simulation of a seed.
    pub(super) async fn run(seed: u64) -> Events {
        clock::start();
        events::start();
        let disk = Arc::new(Disk::new(seed));
        let prunes = seed.is_multiple_of(2);
        let kept = Kept {
            history_days: u32::from(prunes),
            history_commits: if seed % 4 == 2 { FEW_COMMITS } else { 0 },
            deleted_days: if prunes { 2 } else { 30 },
        };
        let clock_error = Arc::new(AtomicI64::new(0));
        let people = (seed % PEOPLE_EVERY == 1).then(People::new);
        let accounts = people.as_ref().map_or_else(accounts, |people| people.accounts.clone());
        let server = SimulatedServer::start(&disk, &accounts, &clock_error, kept).await;
        for list in LISTS {
            server.hub.create(&admin(), Some(list), "Simulated", None).await.unwrap();
        }
        let mut clients: Vec<_> =
            (0..CLIENTS).map(|number| SimulatedClient::new(100 + number as u128)).collect();
        if let Some(people) = &people {
            people.share_all(&server.hub).await;
            for (client, caller) in clients.iter_mut().skip(1).zip(&people.callers) {
                client.caller = caller.clone();
            }
        }
        let mut simulation = Self {
            rng: Rng::with_seed(seed),
            disk,
            server,
            clients,
            herd: Herd::default(),
            calls: Calls::default(),
            accounts,
            people,
            edits: 0,
            kept,
            restores: seed.is_multiple_of(4),
            clock_error,
        };
        simulation.disk.set_hostile(true);
        for _ in 0..STEPS {
            simulation.step().await;
            simulation.calls.check_finished(&simulation.disk);
            simulation.assert_sound();
        }
        simulation.disk.set_hostile(false);
        simulation.settle().await;
        simulation.converge().await;
        simulation.assert_converged().await;
        simulation.assert_sound();
        events::finish()
    }

    /// Fails if two rooms have written a watchlist, or if a task of the server has panicked.
    fn assert_sound(&self) {
        self.disk.assert_none_refused();
        assert_eq!(events::panics(), 0, "nothing panics");
    }

    async fn step(&mut self) {
        let index = self.rng.usize(..CLIENTS);
        match self.rng.u32(..1_000) {
            0..390 => self.edit(index),
            390..680 => {
                let duration = Duration::from_millis(self.rng.u64(..40));
                tokio::join!(self.clients[index].pump(duration), self.herd.pump(duration));
            }
            680..700 => self.share().await,
            700..730 => sleep(Duration::from_millis(self.rng.u64(..60))).await,
            730..738 => self.clock_error.store(self.rng.i64(-3_600_000..3_600_000), Ordering::SeqCst),
            738..748 => self.clients[index].sends_twice = true,
            748..800 => self.clients[index].cut(),
            800..808 => self.clients[index].restart(),
            808..818 if self.restores => self.restore(index).await,
            808..838 => self.connect(index),
            838..908 => self.call(),
            908..918 => self.manage(index),
            918..924 => self.herd.arrive(&mut self.rng, &mut self.server, &self.disk),
            924..934 => self.herd.visit(&mut self.server).await,
            934..942 => {
                let duration = Duration::from_millis(self.rng.u64(..1_500));
                self.disk.fill_until(Instant::now() + duration);
            }
            942..952 => self.pass_a_day().await,
            952..980 => sleep(Duration::from_millis(self.rng.u64(..20))).await,
            _ => self.crash().await,
        }
        if self.clients[index].socket.is_none() && self.rng.bool() {
            self.connect(index);
        }
    }

    /// Crashes the server: nothing that it still does reaches the disk or a client. Starts another.
    async fn crash(&mut self) {
        count(Kind::Crash);
        self.disk.next_generation();
        self.server.crash();
        self.clients.iter_mut().for_each(SimulatedClient::cut);
        self.herd.cut();
        if self.is_time_free() {
            self.clock_error.fetch_add(i64::try_from(2 * DAY.as_millis()).unwrap(), Ordering::SeqCst);
        }
        self.server = SimulatedServer::start(&self.disk, &self.accounts, &self.clock_error, self.kept).await;
    }

    /// Changes the role of a person.
    async fn share(&mut self) {
        if let Some(people) = &self.people {
            people.share(&mut self.rng, &self.server.hub).await;
        }
    }

    /// Whether days may pass: commits are pruned then, but no watchlist may be erased that clients have open.
    fn is_time_free(&self) -> bool {
        self.kept.history_days > 0 && LISTS.into_iter().all(|list| self.disk.is_living(list))
    }

    /// Lets time pass until shortly before the server's upkeep, which then takes place among the next steps.
    async fn pass_a_day(&mut self) {
        let before = self.server.upkeep_at - Duration::from_millis(self.rng.u64(..60));
        if self.is_time_free() && before > Instant::now() {
            sleep_until(before).await;
            self.server.upkeep_at += DAY;
        }
    }

    /// Copies a client's outbox, or restores the copy.
    async fn restore(&mut self, index: usize) {
        if self.clients[index].copy.is_some() {
            self.clients[index].cut();
            // The edits that it sent before are processed by now, or concurrently.
            sleep(Duration::from_secs(2 * self.rng.u64(..2))).await;
        }
        self.clients[index].copy_or_restore();
    }

    fn connect(&mut self, index: usize) {
        // Many connections break in the middle of a frame.
        let hostile = self.disk.is_hostile();
        let mut byte_limit =
            || if hostile && self.rng.u8(..3) == 0 { self.rng.usize(..6_000) } else { usize::MAX };
        let ends = wire(byte_limit(), byte_limit());
        self.server.connect(&mut self.clients[index], ends);
    }

    fn edit(&mut self, index: usize) {
        let list = LISTS[usize::from(self.rng.u8(..4) == 0)];
        let client = &mut self.clients[index];
        let Some(state) = client.replica.list(list).and_then(|list| list.state()) else { return };
        let mut changes = random_changes(&mut self.rng, state);
        self.edits += 1;
        if self.restores {
            changes.push(Change::rename(&format!("Edit {}", self.edits)));
        }
        client.edit(list, changes);
    }

    /// Begins some calls of other callers at once.
    fn call(&mut self) {
        for _ in 0..self.rng.usize(1..=3) {
            let lists = self.clients.iter().filter_map(|client| client.replica.list(LISTS[0]));
            let state = lists.filter_map(|list| list.state()).next();
            self.calls.begin(&mut self.rng, &self.server.hub, &self.disk, state);
        }
    }

    /// Deletes or restores a watchlist by a request of a client, which goes unanswered if its connection is
    /// cut.
    fn manage(&mut self, index: usize) {
        let list = LISTS[self.rng.usize(..LISTS.len())];
        let replica = &mut self.clients[index].replica;
        if self.disk.is_living(list) {
            replica.delete(list);
        } else {
            replica.restore(list);
        }
    }

    /// Waits until no call is under way, and restores what is deleted.
    async fn settle(&mut self) {
        self.clients.extend(self.herd.remain());
        self.calls.finish(&self.disk).await;
        // A call that was dropped ends by itself.
        sleep(Duration::from_secs(2)).await;
        let hub = self.server.hub.clone();
        assert_served(&hub, &self.disk);
        self.restore_all().await;
        if let Some(people) = &self.people {
            people.share_all(&hub).await;
        }
        self.calls.finish_edits(&mut self.rng, &hub).await;
    }

    /// Restores what is deleted, which a request of a client that was still on its way may have done.
    async fn restore_all(&mut self) {
        for deleted in self.server.hub.deleted(&admin()) {
            self.server.hub.restore(&admin(), deleted.watchlist).await.unwrap();
        }
    }

    /// Connects all clients without faults, until they have converged.
    async fn converge(&mut self) {
        for _ in 0..400 {
            self.restore_all().await;
            for index in 0..self.clients.len() {
                if self.clients[index].socket.is_none() {
                    self.connect(index);
                }
            }
            let pumps = self.clients.iter_mut().map(|client| client.pump(Duration::from_millis(60)));
            futures_util::future::join_all(pumps).await;
            let heads: Vec<At> = LISTS.into_iter().filter_map(|list| self.disk.at(list)).collect();
            if self.clients.iter().all(|client| client.has_converged(&heads)) {
                return;
            }
        }
        for (client, list) in self.clients.iter().flat_map(|client| LISTS.map(|list| (client, list))) {
            let (unanswered, head) = (client.replica.unanswered_count(), self.disk.at(list));
            let copy =
                client.replica.list(list).map(|list| (list.unanswered_count(), list.at(), list.sync()));
            eprintln!("unanswered {unanswered}, {copy:?} of {head:?}");
        }
        panic!("the clients did not converge");
    }

    async fn assert_converged(&mut self) {
        for client in &self.clients {
            assert_shows_what_is_stored(client, &self.disk);
            if !self.restores {
                assert_order(&self.disk, client);
            }
        }
        assert_edits(&self.disk, &self.clients, &self.calls);
        let purges = self.kept.history_days > 0;
        self.calls.assert_created(&self.server.hub, &self.disk, purges).await;
        assert_served(&self.server.hub, &self.disk);
        assert_listed(&self.server.hub, &self.disk);
    }
}
