//! Fault injection with real processes: clients edit at random through a network that delays and disconnects,
//! the server or a client is killed at a random time and restarted, and then all clients must show the same
//! state with every edit applied exactly once. Half of the clients are people with accounts, whose role on
//! the watchlist changes, or is taken away, while they edit.
//!
//! Runs 20 rounds; `AFTERGLOW_ROUNDS=200 cargo test --workspace rounds -- --nocapture` runs more, and
//! `AFTERGLOW_SEED` changes the seed.

mod client;
mod proxy;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use fastrand::Rng;
use server::{
    accounts::{TOKEN_FILE, read_token},
    client::Client,
    journal::{Journal, ReadLimit, sqlite::SqliteJournal},
};
use shared::{
    account::ListRole,
    edit::Change,
    ids::{ClientId, EditId, Revision, UserId, WatchlistId},
    wire::account_api::{AddAccount, AddedAccount, Hidden, SetAccess},
};

use self::{
    client::{ClientProcess, State},
    proxy::Proxy,
};
use crate::{
    account_server::PASSWORD,
    screen::wait_for,
    support::{ServerProcess, import_companies},
};

const CLIENTS: usize = 8;
/// Number of clients with accounts; the others have the token of the data folder.
const PEOPLE: usize = 4;
const ROUNDS: usize = 20;
/// How long the clients edit in a round.
const EDITING: Duration = Duration::from_secs(1);

fn number(name: &str, default: u64) -> u64 {
    let parse =
        |text: String| -> u64 { text.parse().unwrap_or_else(|_| panic!("{name} must be a number: {text}")) };
    std::env::var(name).map_or(default, parse)
}

#[test]
fn accepted_edits_survive_kills_and_disconnects_and_clients_converge() {
    let rounds = number("AFTERGLOW_ROUNDS", ROUNDS as u64);
    let mut rng = Rng::with_seed(number("AFTERGLOW_SEED", 1));
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::start(folder.path(), rng.fork());
    let (mut server_kills, mut client_kills, mut roles) = (0, 0, 0);
    for round in 0..rounds {
        desk.clients.iter_mut().for_each(ClientProcess::start_editing);
        let before = EDITING.mul_f64(rng.f64());
        std::thread::park_timeout(before);
        roles += desk.change_roles(&mut rng);
        match rng.usize(..10) {
            0..6 => {
                desk.kill_server();
                server_kills += 1;
            }
            _ => {
                desk.kill_client(rng.usize(..CLIENTS));
                client_kills += 1;
            }
        }
        std::thread::park_timeout(EDITING.saturating_sub(before));
        let states = desk.settle();
        for (client, state) in states.iter().enumerate() {
            assert_eq!(state, &states[0], "client {client} after round {round}");
        }
    }
    let (cuts, bytes) =
        desk.proxies.iter().fold((0, 0), |(cuts, bytes), proxy| (cuts + proxy.cuts(), bytes + proxy.bytes()));
    let edits = desk.check();
    eprintln!(
        "{rounds} rounds: {edits} edits by {CLIENTS} clients, {server_kills} kills of the server and \
         {client_kills} of clients, {roles} changes of a role, {cuts} connections cut, {bytes} bytes carried"
    );
    assert!(edits > rounds * 50, "too few edits: {edits}");
    assert!(cuts > rounds / 2, "too few connections cut: {cuts}");
}

struct Desk {
    folder: PathBuf,
    list: WatchlistId,
    server: ServerProcess,
    proxies: Vec<Proxy>,
    clients: Vec<ClientProcess>,
    /// The accounts of the first clients.
    people: Vec<UserId>,
}

impl Desk {
    fn start(folder: &Path, mut rng: Rng) -> Self {
        let served = folder.join("server");
        let list = import_companies(&served);
        let server = ServerProcess::start(&served, "127.0.0.1:0");
        let address = server.address().parse().unwrap();
        let proxies: Vec<Proxy> = (0..CLIENTS).map(|_| Proxy::start(address, rng.fork())).collect();
        let admin = Client::new(&server.base, &read_token(&served.join(TOKEN_FILE)).unwrap());
        let add = |index| {
            let (name, password) = (format!("person {index}"), Hidden(PASSWORD.to_owned()));
            let added: AddedAccount =
                admin.send("POST", "/api/v1/accounts", &AddAccount { name, password, admin: false }).unwrap();
            added.id
        };
        let people = (0..PEOPLE).map(add).collect();
        let clients = proxies
            .iter()
            .enumerate()
            .map(|(index, proxy)| {
                let folder = folder.join(format!("client-{index}"));
                let person = (index < PEOPLE).then(|| format!("person {index}"));
                ClientProcess::start(&folder, proxy.base(), &served.join(TOKEN_FILE), person, list)
            })
            .collect();
        let desk = Self { folder: folder.to_owned(), list, server, proxies, clients, people };
        desk.people.iter().for_each(|person| desk.share(*person, Some(ListRole::Editor)));
        desk
    }

    /// Gives a person a role on the watchlist, or takes it away.
    fn share(&self, person: UserId, role: Option<ListRole>) {
        let token = read_token(&self.folder.join("server").join(TOKEN_FILE)).unwrap();
        let path = format!("/api/v1/watchlists/{}/access", self.list);
        let set = SetAccess { user: Some(person), role };
        wait_for("the change of a role", || {
            Client::new(&self.server.base, &token).put("PUT", &path, &set).ok()
        });
    }

    /// Changes the roles of some people; returns of how many.
    fn change_roles(&self, rng: &mut Rng) -> usize {
        let roles = [None, Some(ListRole::Viewer), Some(ListRole::Editor), Some(ListRole::Editor)];
        let chosen: Vec<UserId> = self.people.iter().copied().filter(|_| rng.bool()).collect();
        chosen.iter().for_each(|person| self.share(*person, roles[rng.usize(..roles.len())]));
        chosen.len()
    }

    fn kill_server(&mut self) {
        let address = self.server.address().to_owned();
        self.server.kill();
        self.server = ServerProcess::start(&self.folder.join("server"), &address);
    }

    fn kill_client(&mut self, index: usize) {
        self.clients[index].kill_and_restart();
    }

    /// Stops the faults and the edits; returns the state of each client once they have converged.
    fn settle(&mut self) -> Vec<State> {
        self.people.iter().for_each(|person| self.share(*person, Some(ListRole::Editor)));
        self.proxies.iter().for_each(|proxy| proxy.set_hostile(false));
        self.clients.iter_mut().for_each(ClientProcess::settle);
        let mut states: Vec<State> = Vec::new();
        wait_for("all clients to reach the latest revision", || {
            states = self.clients.iter_mut().map(ClientProcess::state).collect();
            let head = states.iter().map(|state| state.revision).max()?;
            states.iter().all(|state| state.revision == head).then_some(())
        });
        self.proxies.iter().for_each(|proxy| proxy.set_hostile(true));
        states
    }

    /// Stops everything and checks the server's journal; returns the number of edits.
    fn check(self) -> u64 {
        let Self { folder, list, mut server, proxies, clients, people: _ } = self;
        drop((proxies, clients));
        server.kill();
        let served = folder.join("server");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let commits = runtime.block_on(async {
            let journal = SqliteJournal::open(&served).await.unwrap();
            let commits = journal.commits(list, Revision(0), ReadLimit::ALL).await.unwrap();
            journal.close().await;
            server::folder::backup::check(&served.join("journal.sqlite")).await.unwrap();
            commits
        });
        let mut names: BTreeSet<(ClientId, EditId)> = BTreeSet::new();
        let mut marks: BTreeMap<String, u32> = BTreeMap::new();
        for commit in &commits {
            assert!(names.insert((commit.by.client, commit.by.edit)), "an edit was applied twice");
            for mark in commit.changes.iter().filter_map(client::mark_in) {
                *marks.entry(mark).or_default() += 1;
            }
        }
        for (mark, times) in &marks {
            assert_eq!(*times, 1, "{mark} was applied more than once");
        }
        let revisions: Vec<u64> = commits.iter().map(|commit| commit.revision.0).collect();
        assert_eq!(revisions, (1..=revisions.len() as u64).collect::<Vec<_>>(), "the revisions have no gaps");
        for index in 0..CLIENTS {
            let accepted = fs::read_to_string(folder.join(format!("client-{index}/accepted"))).unwrap();
            for mark in accepted.lines() {
                assert!(marks.contains_key(mark), "{mark} of client {index} was accepted but is missing");
            }
            assert!(accepted.lines().count() > 0);
            // Edits on a client's disk when it was killed have been sent, too. Those of a person may have
            // been rejected.
            if index < PEOPLE {
                continue;
            }
            for mark in client::kept_at_death(&folder.join(format!("client-{index}"))) {
                assert!(marks.contains_key(&mark), "{mark} was in the outbox but is missing");
            }
        }
        marks.len() as u64
    }
}

/// Returns whether a change sets the mark of an edit.
fn is_mark(change: &Change) -> bool {
    matches!(change, Change::Set(set) if &*set.column.0 == "note")
}
