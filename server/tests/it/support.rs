//! A server on port 0 with its own data folder, and a client that sends JSON over a real socket.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use server::{
    access::{Caller, Credential},
    accounts::{Accounts, Lifetimes, LocalAccount},
    clock::{self, Clock},
    folder::DataFolder,
    journal::Journal,
    room::RoomContext,
    settings::Settings,
    start::{Running, start},
};
use shared::{
    account::{Role, User},
    ids::UserId,
    time::Timestamp,
};
use tempfile::TempDir;
use tokio::{net::TcpStream, sync::watch, time::timeout_at};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::Response},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

/// Maximum time that a test waits for anything, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct TestServer {
    pub running: Running,
    pub folder: Arc<TempDir>,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap()), Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap()), settings).await
    }

    async fn on(folder: Arc<TempDir>, settings: Settings) -> Self {
        Self::at(folder, settings, clock::system()).await
    }

    /// Starts a server with the given clock.
    pub async fn at(folder: Arc<TempDir>, settings: Settings, clock: Clock) -> Self {
        // A process that another test starts has the lock of a server that has stopped until it runs its own program.
        let data_folder =
            wait_for("the lock of the folder", async || DataFolder::lock(folder.path()).ok()).await;
        let settings = Settings { listen: ([127, 0, 0, 1], 0).into(), ..settings };
        let running = start(settings, data_folder, "ann", clock).await.unwrap();
        Self { running, folder }
    }

    pub async fn restart(self) -> Self {
        self.restart_at(clock::system()).await
    }

    pub async fn restart_at(self, clock: Clock) -> Self {
        let folder = self.folder.clone();
        self.running.stop().await;
        Self::at(folder, Settings::default(), clock).await
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.running.serving.address)
    }

    pub async fn client(&self) -> Client {
        Client::to(&self.running.serving.address.to_string(), self.running.token()).await
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.running.token())
    }

    pub async fn connect(
        &self,
        headers: &[(&'static str, &str)],
    ) -> Result<(WebSocketStream<TcpStream>, Response<Option<Vec<u8>>>), tokio_tungstenite::tungstenite::Error>
    {
        let address = self.running.serving.address;
        connect(TcpStream::connect(address).await.unwrap(), &address.to_string(), headers).await
    }
}

pub async fn connect(
    stream: TcpStream,
    address: &str,
    headers: &[(&'static str, &str)],
) -> Result<(WebSocketStream<TcpStream>, Response<Option<Vec<u8>>>), tokio_tungstenite::tungstenite::Error> {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    client_async(request, stream).await
}

pub const JSON: (&str, &str) = ("sec-websocket-protocol", "afterglow.v1.json");

pub struct Client {
    pub socket: WebSocketStream<TcpStream>,
    pub id: Uuid,
    pub edit: u64,
}

impl Client {
    /// Connects to a server by its address and token.
    pub async fn to(address: &str, token: &str) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), address, token).await
    }

    /// Connects over the given socket.
    pub async fn over(stream: TcpStream, address: &str, token: &str) -> Self {
        let bearer = format!("Bearer {}", token.trim());
        let (socket, _) = connect(stream, address, &[("authorization", &bearer), JSON]).await.unwrap();
        Self { socket, id: Uuid::new_v4(), edit: 0 }
    }

    /// Sends `hello`, and receives `welcome` and the list of watchlists.
    pub async fn greet(&mut self) -> Value {
        self.send(&json!({ "type": "hello", "client": self.id, "app": "test/1" })).await;
        let welcome = self.expect("welcome").await;
        self.expect("watchlists").await;
        welcome
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Returns the next message; `None` after the connection is closed.
    pub async fn next(&mut self) -> Option<Value> {
        // Pings do not extend the deadline.
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match timeout_at(deadline, self.socket.next()).await.expect("a message arrives in time") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Returns the next message of a type and skips others.
    pub async fn expect(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("closed before {kind}"));
            if message["type"] == kind {
                return message;
            }
        }
    }

    pub async fn create(&mut self, name: &str) -> String {
        let id = Uuid::now_v7();
        self.send(&json!({ "type": "create", "request": 1, "watchlist": id, "name": name })).await;
        self.expect("created").await["watchlist"].as_str().unwrap().to_owned()
    }

    pub async fn open(&mut self, watchlist: &str) -> Value {
        self.send(&json!({ "type": "open", "watchlist": watchlist })).await;
        self.expect("snapshot").await
    }

    /// Sends an edit and returns its number.
    pub async fn edit(&mut self, watchlist: &str, changes: Value) -> u64 {
        self.edit += 1;
        let edit = self.edit;
        self.send(&json!({ "type": "edit", "watchlist": watchlist, "edit": edit, "changes": changes })).await;
        edit
    }

    /// Sends an edit and returns its answer.
    pub async fn edit_answered(&mut self, watchlist: &str, changes: Value) -> Value {
        let edit = self.edit(watchlist, changes).await;
        self.answer(edit).await
    }

    pub async fn answer(&mut self, edit: u64) -> Value {
        loop {
            let message = self.next().await.expect("an answer arrives");
            if message["edit"] == edit && (message["type"] == "accepted" || message["type"] == "rejected") {
                return message;
            }
        }
    }
}

/// Returns what the rooms of a hub need, with a journal and the default settings.
pub fn room_context(journal: Arc<dyn Journal>) -> RoomContext {
    RoomContext {
        journal,
        clock: clock::system(),
        settings: Arc::new(Settings::default()),
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
        renamed: watch::channel(0).0,
    }
}

/// Returns a clock and what sets it, in milliseconds.
pub fn settable_clock(millis: i64) -> (Arc<AtomicI64>, Clock) {
    let now = Arc::new(AtomicI64::new(millis));
    let set = now.clone();
    (set, Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst))))
}

/// Lets the timers of days expire until `poll` returns a value: what is done once a day may still be under
/// way at the end of one, and then waits for the next.
pub async fn pass_days_until<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let pass_a_day = async || {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(24 * 60 * 60 + 1)).await;
        tokio::time::resume();
        poll().await
    };
    wait_for(what, pass_a_day).await
}

/// Returns accounts in memory, whose only one may do everything.
pub fn accounts() -> Arc<Accounts> {
    let user = User { id: UserId(Uuid::from_u128(8)), name: "ann".into(), role: Role::Admin };
    let day = Duration::from_secs(24 * 60 * 60);
    let lifetimes = Lifetimes { idle: day, absolute: 30 * day };
    let accounts = Accounts::in_memory(LocalAccount::in_memory(user), lifetimes, clock::system());
    Arc::new(accounts.unwrap())
}

/// Returns a caller that may do everything.
pub fn admin() -> Caller {
    let user = UserId(Uuid::from_u128(8));
    Caller { user, name: "ann".into(), credential: Credential::Local, scope: Arc::default() }
}

/// Returns the id of a new row, and the change that inserts it.
pub fn insert(position: &str, cells: Value) -> (String, Value) {
    let row = Uuid::now_v7().to_string();
    let change = json!({ "insert": { "row": row, "position": position, "cells": cells } });
    (row, change)
}

/// Polls until `poll` returns a value.
pub async fn wait_for<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    // `poll` may advance the clock of tokio.
    let started = std::time::Instant::now();
    loop {
        if let Some(value) = poll().await {
            return value;
        }
        assert!(started.elapsed() < PATIENCE, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Reports that a test is skipped because something is missing. Fails if nothing may be missing, as in CI.
pub fn skipped(missing: &str) {
    let required = std::env::var_os("AFTERGLOW_REQUIRE_SERVICES").is_some();
    assert!(!required, "this test needs {missing}");
    eprintln!("skipped: this test needs {missing}");
}
