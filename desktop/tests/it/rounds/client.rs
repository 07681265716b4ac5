//! A client process without windows: the store, outbox and network of the desktop, with random edits.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use desktop::{
    account::Identity,
    host::RemoteServer,
    net::{Net, NetEvent},
    remote::{Credential, Request, Server, Trust, call},
    store::{Connection, Store},
};
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{EditId, RowId, WatchlistId, WindowId},
    position::Position,
    rejection::{Code, Rejection},
    value::Literal,
    wire::{
        account_api::{Hidden, SignIn},
        client::ClientMessage,
        server::ServerMessage,
    },
};
use uuid::Uuid;

use super::is_mark;
use crate::{account_server::PASSWORD, screen::wait_for};

/// Environment variable that makes the test binary run as a client, with its configuration.
const VARIABLE: &str = "AFTERGLOW_ROUNDS_CLIENT";
/// Prefix that distinguishes answers from other output of the test binary.
const ANSWER: &str = "@state ";
/// Timeout for an answer, generous for busy machines.
const PATIENCE: Duration = Duration::from_secs(60);
/// Maximum number of rows.
const ROWS: usize = 200;

#[derive(Serialize, Deserialize)]
struct Given {
    base: String,
    token_file: PathBuf,
    /// The name of the account, if it has one instead of the token.
    person: Option<String>,
    folder: PathBuf,
    list: WatchlistId,
    life: u64,
}

/// The state that a client shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub revision: u64,
    pub rows: usize,
    digest: u64,
}

/// Handle of a client process.
pub struct ClientProcess {
    given: Given,
    child: Child,
    input: ChildStdin,
    answers: mpsc::Receiver<State>,
}

impl ClientProcess {
    pub fn start(
        folder: &Path,
        base: String,
        token_file: &Path,
        person: Option<String>,
        list: WatchlistId,
    ) -> Self {
        fs::create_dir_all(folder).unwrap();
        let (token_file, folder) = (token_file.to_owned(), folder.to_owned());
        let given = Given { base, token_file, person, folder, list, life: 0 };
        let (child, input, answers) = spawn(&given);
        Self { given, child, input, answers }
    }

    pub fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        note_kept(&self.given.folder);
        self.given.life += 1;
        (self.child, self.input, self.answers) = spawn(&self.given);
        self.start_editing();
    }

    pub fn start_editing(&mut self) {
        self.send("go");
    }

    pub fn settle(&mut self) {
        self.send("settle");
    }

    /// Returns its state once every edit is answered.
    pub fn state(&mut self) -> State {
        self.send("state");
        self.answers.recv_timeout(PATIENCE).expect("the client settles in time")
    }

    fn send(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(given: &Given) -> (Child, ChildStdin, mpsc::Receiver<State>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "rounds::client::a_client_that_edits_at_random", "--ignored", "--nocapture"])
        .env(VARIABLE, serde_json::to_string(given).unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let (sender, answers) = mpsc::sync_channel(16);
    let listen = move || {
        for line in output.lines().map_while(Result::ok) {
            // Output of the test harness may precede the answer on its line.
            let state = line.split_once(ANSWER).map(|(_, state)| serde_json::from_str(state).unwrap());
            if state.is_some_and(|state| sender.send(state).is_err()) {
                return;
            }
        }
    };
    std::thread::Builder::new().name("answers".to_owned()).spawn(listen).unwrap();
    (child, input, answers)
}

/// Returns the unique mark of an edit, if the change sets it.
pub fn mark_in(change: &Change) -> Option<String> {
    match change {
        Change::Set(set) if is_mark(change) => match &set.value {
            Literal::Text(text) => Some(text.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Records the marks of the unanswered edits in a killed client's outbox.
fn note_kept(folder: &Path) {
    let mut noted = File::options().create(true).append(true).open(folder.join("kept")).unwrap();
    let logs = fs::read_dir(folder.join("outbox")).unwrap().map(|entry| entry.unwrap().path());
    for log in logs.filter(|path| path.extension().is_none_or(|extension| extension != "lock")) {
        for line in fs::read_to_string(log).unwrap().lines() {
            let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            for change in line["kept"]["changes"].as_array().into_iter().flatten() {
                let change: Change = serde_json::from_value(change.clone()).unwrap();
                if let Some(mark) = mark_in(&change) {
                    writeln!(noted, "{mark}").unwrap();
                }
            }
        }
    }
}

/// Returns the marks of all edits that were in a client's outbox when it was killed.
pub fn kept_at_death(folder: &Path) -> Vec<String> {
    let noted = fs::read_to_string(folder.join("kept")).unwrap_or_default();
    noted.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "started by the rounds as a separate process"]
fn a_client_that_edits_at_random() {
    let given: Given = serde_json::from_str(&std::env::var(VARIABLE).unwrap()).unwrap();
    let (sender, commands) = mpsc::sync_channel(16);
    let listen = move || {
        for line in std::io::stdin().lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("commands".to_owned()).spawn(listen).unwrap();
    Editor::open(given).run(&commands);
}

/// Signs in, or uses the session of an earlier life.
fn signed_in(server: &Server, name: &str, file: &Path) -> Credential {
    if let Ok(session) = fs::read_to_string(file) {
        return Credential::Session(session);
    }
    let body = SignIn { name: name.to_owned(), password: Hidden(PASSWORD.to_owned()) };
    let request = Request::new("POST", "/api/v1/session").with(&body);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The network may cut the connection.
    let answer = wait_for("the sign-in", || runtime.block_on(call(server, None, request.clone())).ok());
    let session = answer.session.unwrap();
    server::files::write_atomically(file, session.as_bytes()).unwrap();
    Credential::Session(session)
}

struct Editor {
    given: Given,
    store: Store,
    net: Net,
    rng: Rng,
    started: Instant,
    made: u64,
    /// The marks of this life's edits that the server has not answered.
    unanswered: BTreeSet<String>,
    /// The edits that were sent and not answered, with the rows that they mark.
    sent: BTreeMap<EditId, Vec<(RowId, String)>>,
    accepted: File,
}

impl Editor {
    fn open(given: Given) -> Self {
        let store =
            Store::open(&given.folder.join("outbox"), Instant::now, server::files::write_atomically).unwrap();
        let server = Server { base: given.base.clone(), trust: Trust::default(), proxy: None };
        let identity = Identity::new(None);
        if let Some(name) = &given.person {
            identity.set(Some(signed_in(&server, name, &given.folder.join("session"))));
        }
        let token_file = given.person.is_none().then(|| given.token_file.clone());
        let remote = RemoteServer { server, token_file, has_consent: Arc::new(true.into()), identity };
        let net = Net::start(remote, Arc::new(|| {})).unwrap();
        let accepted = File::options().create(true).append(true).open(given.folder.join("accepted")).unwrap();
        let mut hasher = DefaultHasher::new();
        (&given.folder, given.life).hash(&mut hasher);
        Self {
            rng: Rng::with_seed(hasher.finish()),
            store,
            net,
            started: Instant::now(),
            made: 0,
            unanswered: BTreeSet::new(),
            sent: BTreeMap::new(),
            accepted,
            given,
        }
    }

    fn run(&mut self, commands: &mpsc::Receiver<String>) {
        self.store.open_list(self.given.list, Duration::ZERO);
        let (mut edits, mut is_state_requested) = (false, false);
        loop {
            match commands.try_recv().as_deref() {
                Ok("go") => edits = true,
                Ok("settle") => edits = false,
                Ok("state") => is_state_requested = true,
                Ok(other) => panic!("unknown command: {other}"),
                Err(mpsc::TryRecvError::Empty) => {}
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
            if self.given.person.is_some() {
                // The watchlist may have been taken away and given back.
                self.store.open_list(self.given.list, self.started.elapsed());
            }
            self.exchange();
            if edits && self.rng.u8(..3) == 0 {
                self.edit();
            }
            if !edits && matches!(self.store.connection(), Connection::Down { .. }) {
                self.net.retry_now();
            }
            if is_state_requested && let Some(state) = self.settled() {
                let answer = format!("{ANSWER}{}\n", serde_json::to_string(&state).unwrap());
                std::io::stdout().write_all(answer.as_bytes()).unwrap();
                is_state_requested = false;
            }
            std::thread::park_timeout(Duration::from_millis(self.rng.u64(1..6)));
        }
    }

    /// Handles network events and sends queued messages, as the desktop does.
    fn exchange(&mut self) {
        let now = self.started.elapsed();
        while let Some(event) = self.net.poll() {
            match event {
                NetEvent::Connecting => self.store.connecting(),
                NetEvent::Connected => self.store.connected(),
                NetEvent::Message(message) => self.receive(*message, now),
                NetEvent::RoundTrip(took) => self.store.set_round_trip(took),
                NetEvent::Silent(silence) => self.store.set_silence(silence, now),
                NetEvent::Down { reason, retry_in } => {
                    self.store.disconnected(reason, Some(now + retry_in), now)
                }
                NetEvent::SignIn { .. } => panic!("a session outlives everything that happens"),
            }
        }
        self.store.tick(now);
        if self.store.take_stale_connection() {
            self.net.reconnect();
        }
        while self.net.has_room()
            && let Some(message) = self.store.poll_send()
        {
            if let ClientMessage::Edit(edit) = &message {
                let marked = edit.changes.iter().filter_map(|change| Some((change.row()?, mark_in(change)?)));
                self.sent.insert(edit.edit, marked.collect());
            }
            self.net.send(message);
        }
        let notices: Vec<(u64, String)> =
            self.store.notices().iter().map(|notice| (notice.id, notice.text.clone())).collect();
        assert!(notices.is_empty() || self.given.person.is_some(), "unexpected notices: {notices:?}");
        for (id, text) in notices {
            // Nothing but a lack of rights is a reason to reject one of these edits, or the one before that
            // has inserted its row.
            let is_of_rights = ["may not", "no longer have access", "the row was removed"];
            assert!(is_of_rights.iter().any(|words| text.contains(words)), "unexpected notice: {text}");
            self.store.dismiss(id);
        }
    }

    /// Handles a message of the server as the desktop does, and records which edits it answers.
    fn receive(&mut self, message: ServerMessage, now: Duration) {
        let client = self.store.replica().client();
        match &message {
            ServerMessage::Accepted(accepted) => self.record_accepted(accepted.edit),
            ServerMessage::Changes(changes) => {
                let own = changes.commits.iter().filter(|commit| commit.by.client == client);
                own.for_each(|commit| self.record_accepted(commit.by.edit));
            }
            ServerMessage::Rejected(rejected) if rejected.rejection.code != Code::Unavailable => {
                let (edit, rejection) = (rejected.edit, rejected.rejection.clone());
                self.store.receive(message, now);
                return self.check_rejected(edit, &rejection);
            }
            _ => {}
        }
        self.store.receive(message, now);
    }

    fn record_accepted(&mut self, edit: EditId) {
        for (_, mark) in self.sent.remove(&edit).unwrap_or_default() {
            self.unanswered.remove(&mark);
            // In one write: the process may be killed between two.
            self.accepted.write_all(format!("{mark}\n").as_bytes()).unwrap();
        }
    }

    /// Checks that the person is told what was rejected, unless a later edit sets the same cell.
    fn check_rejected(&mut self, edit: EditId, rejection: &Rejection) {
        let note: ColumnKey = "note".into();
        for (row, mark) in self.sent.remove(&edit).unwrap_or_default() {
            let is_told = self
                .store
                .notices()
                .iter()
                .any(|notice| notice.rejected.iter().any(|rejected| rejected.value == mark));
            let list = self.store.replica().list(self.given.list);
            let is_set_later = || list.is_some_and(|list| list.is_set_after(edit, row, &note));
            assert!(is_told || is_set_later(), "{mark} was rejected without a word: {rejection}");
            self.unanswered.remove(&mark);
        }
    }

    fn edit(&mut self) {
        let Some(state) = self.store.watchlist(self.given.list) else { return };
        let rows = state.rows();
        let any = |rng: &mut Rng| rows.at(rng.usize(..rows.len())).unwrap().id;
        let row = any(&mut self.rng);
        let price = format!("{}.{:02}", self.rng.u32(1..999), self.rng.u32(..100));
        let mark = format!("{}-{}-{}", self.store.replica().client(), self.given.life, self.made);
        let mut changes = match self.rng.u8(..10) {
            0 if rows.len() < ROWS => {
                let position =
                    Position::from_hex(&format!("{:02x}{:02x}80", self.rng.u8(..), self.rng.u8(..)));
                let new = RowId(Uuid::now_v7());
                let cells = [("price".into(), Literal::from(price.as_str()))].into();
                vec![Change::insert(new, &position.unwrap(), cells)]
            }
            1 => {
                let position = Position::from_hex(&format!("{:02x}80", self.rng.u8(..))).unwrap();
                vec![Change::move_to(row, &position)]
            }
            _ => vec![Change::set(row, &"price".into(), Literal::from(price.as_str()))],
        };
        changes.push(Change::set(row, &"note".into(), Literal::from(mark.as_str())));
        self.store.edit(self.given.list, WindowId(1), changes).unwrap();
        self.made += 1;
        self.unanswered.insert(mark);
    }

    /// Returns the shown state if every edit is answered.
    fn settled(&self) -> Option<State> {
        let list = self.store.replica().list(self.given.list)?;
        let is_settled = self.store.replica().unanswered_count() == 0
            && list.unanswered_count() == 0
            && matches!(self.store.connection(), Connection::Up { .. });
        let (state, at) = (list.state().filter(|_| is_settled)?, list.at()?);
        assert!(self.unanswered.is_empty(), "edits were dropped without an answer: {:?}", self.unanswered);
        let frozen = state.freeze();
        let mut hasher = DefaultHasher::new();
        for row in frozen.rows() {
            serde_json::to_string(&shared::wire::snapshot::SnapshotRow::stored(&frozen, row))
                .unwrap()
                .hash(&mut hasher);
        }
        Some(State { revision: at.revision.0, rows: state.rows().len(), digest: hasher.finish() })
    }
}
