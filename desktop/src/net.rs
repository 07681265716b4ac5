//! The connection to the server: one thread that connects, sends heartbeats, reconnects and decodes messages.
//! It knows neither the store nor the windows; it fills a bounded queue and calls a wake-up function.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc as std_mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use ewebsock::{WsEvent, WsMessage, WsSender};
use shared::{
    replica::link::{Backoff, Heartbeat, MAX_SILENCE_MS},
    wire::{
        client::ClientMessage,
        codec::Encoding,
        server::{ErrorCode, ServerMessage},
    },
};
use tokio::{
    sync::mpsc,
    time::{interval, sleep_until, timeout},
};

use crate::{remote::Credential, wake::Wake};

/// Maximum number of queued events. Once the queue is full the thread stops reading and the server conflates.
const MAX_EVENTS: usize = 512;
/// Maximum number of queued outgoing messages.
const MAX_OUTGOING: usize = 512;
/// Minimum time between two reported round trips, each of which costs a frame. Changes below a fifth are not
/// reported.
const ROUND_TRIP_INTERVAL: Duration = Duration::from_secs(15);
/// Minimum lead of the wall clock over the monotonic clock that means the machine was suspended.
const SUSPEND_GAP: Duration = Duration::from_secs(10);
/// Time after which a request to retry abandons an attempt to connect. An earlier one would only start the
/// same attempt again.
const HUNG_ATTEMPT: Duration = Duration::from_secs(3);
/// Time that an attempt to connect has to end when the handle is dropped; it goes on by itself after that.
const DROP_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval of the heartbeat checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Where to connect, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Address to connect to, as `http://127.0.0.1:7878`: the server's, or that of a relay to it.
    pub base: String,
    /// Address of the server, for the person.
    pub server: String,
    /// What proves who is asking.
    pub credential: Credential,
}

/// Why no endpoint was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocateError {
    /// The server cannot be reached, for this reason. The next attempt may succeed.
    Failed(String),
    /// The person has to sign in first.
    SignIn {
        /// Whether a session has ended.
        is_ended: bool,
    },
}

impl From<String> for LocateError {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// Finds the endpoint before every attempt to connect. It may block, because it runs on a blocking thread of
/// the connection's runtime.
pub trait Locate: Send + 'static {
    /// Returns the endpoint to connect to.
    ///
    /// # Errors
    /// A reason for the person, shown beside the connection's state, or that the person has to sign in.
    fn locate(&mut self) -> Result<Endpoint, LocateError>;

    /// Handles that the server does not accept a credential, or no longer. Returns whether another one can
    /// take its place, so that the next attempt need not wait.
    fn reject(&mut self, _credential: &Credential) -> bool {
        false
    }

    /// Returns the maximum delay between attempts, if it is shorter than the protocol's.
    fn max_delay(&self) -> Option<Duration> {
        None
    }
}

/// An event of the connection.
#[derive(Debug)]
pub enum NetEvent {
    /// An attempt to connect starts.
    Connecting,
    /// The socket is open; no more messages of an older socket follow.
    Connected,
    /// A message of the server arrived.
    Message(Box<ServerMessage>),
    /// Round trip of the last ping.
    RoundTrip(Duration),
    /// Nothing has been heard from the server for this long; `None` once something is heard again.
    Silent(Option<Duration>),
    /// The connection was lost or could not be made.
    Down {
        /// Reason for the person.
        reason: String,
        /// Time until the next attempt.
        retry_in: Duration,
    },
    /// The person has to sign in before the next attempt.
    SignIn {
        /// Whether a session has ended.
        is_ended: bool,
    },
}

/// A command to the network thread.
#[derive(Debug)]
enum Command {
    Send(Box<ClientMessage>),
    RetryNow,
    Reconnect,
}

/// Handle of the network thread. Dropping it ends the thread.
#[derive(Debug)]
pub struct Net {
    commands: mpsc::Sender<Command>,
    events: std_mpsc::Receiver<NetEvent>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Net {
    /// Starts the thread, which calls `wake` after every queued event.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(locate: impl Locate, wake: Wake) -> std::io::Result<Self> {
        let (commands, receiver) = mpsc::channel(MAX_OUTGOING);
        let (sender, events) = std_mpsc::sync_channel(MAX_EVENTS);
        let out = Out { events: sender, wake, attempt: Arc::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("afterglow-net".to_owned()).spawn(move || {
            runtime.block_on(run(Box::new(locate), receiver, out));
            // Does not wait for an attempt that hangs.
            runtime.shutdown_background();
        })?;
        Ok(Self { commands, events, thread: Some(thread) })
    }

    /// Returns the next queued event.
    pub fn poll(&self) -> Option<NetEvent> {
        self.events.try_recv().ok()
    }

    /// Returns whether another message can be queued.
    pub fn has_room(&self) -> bool {
        self.commands.capacity() > 0
    }

    /// Queues a message. Call it only if [`Self::has_room`]. The replica sends again what a lost connection
    /// drops.
    pub fn send(&self, message: ClientMessage) {
        drop(self.commands.try_send(Command::Send(Box::new(message))));
    }

    /// Ends the wait for the next attempt to connect.
    pub fn retry_now(&self) {
        drop(self.commands.try_send(Command::RetryNow));
    }

    /// Closes the connection and reconnects. Call it only if [`Self::has_room`].
    pub fn reconnect(&self) {
        drop(self.commands.try_send(Command::Reconnect));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel(1);
        self.commands = closed;
        // Unblocks a thread that is waiting for room in the event queue.
        self.events = std_mpsc::sync_channel(0).1;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The sending end of the event queue.
#[derive(Clone)]
struct Out {
    events: std_mpsc::SyncSender<NetEvent>,
    wake: Wake,
    /// Number of the current attempt; events of older ones are dropped.
    attempt: Arc<AtomicU64>,
}

impl Out {
    fn send(&self, event: NetEvent) {
        if self.events.send(event).is_ok() {
            (self.wake)();
        }
    }

    fn send_for(&self, attempt: u64, event: NetEvent) {
        if self.attempt.load(Ordering::SeqCst) == attempt {
            self.send(event);
        }
    }
}

/// What the socket's handler reports to the connection's loop.
#[derive(Debug)]
enum SocketEvent {
    Opened,
    Welcomed,
    Heard,
    Pong,
    Ended(String),
    /// The server does not accept the credential, or no longer.
    Rejected(String),
}

async fn run(mut locate: Box<dyn Locate>, mut commands: mpsc::Receiver<Command>, out: Out) {
    let mut backoff = Backoff::default();
    loop {
        out.send(NetEvent::Connecting);
        let Some((located, found, is_retry_requested)) = locate_until_dropped(locate, &mut commands).await
        else {
            return;
        };
        locate = located;
        let reason = match found {
            Ok(endpoint) => match connect(&endpoint, &mut commands, &out, &mut backoff).await {
                Ended::Lost(reason) => reason,
                Ended::Rejected(_) if locate.reject(&endpoint.credential) => continue,
                Ended::Rejected(reason) => reason,
                Ended::RetryRequested => continue,
                Ended::Dropped => return,
            },
            Err(LocateError::Failed(reason)) => reason,
            Err(LocateError::SignIn { is_ended }) => {
                out.send(NetEvent::SignIn { is_ended });
                if !wait_for_retry(&mut commands, None).await {
                    return;
                }
                backoff.reset();
                continue;
            }
        };
        if is_retry_requested {
            backoff.reset();
            continue;
        }
        let longest = locate.max_delay().unwrap_or(Duration::MAX);
        let delay = Duration::from_millis(backoff.next_delay_ms(random())).min(longest);
        out.send(NetEvent::Down { reason, retry_in: delay });
        if !wait_for_retry(&mut commands, Some(Instant::now() + delay)).await {
            return;
        }
    }
}

/// Finds the endpoint. Returns it with whether another attempt was requested in the meantime, or `None` if
/// the handle was dropped.
async fn locate_until_dropped(
    mut locate: Box<dyn Locate>,
    commands: &mut mpsc::Receiver<Command>,
) -> Option<(Box<dyn Locate>, Result<Endpoint, LocateError>, bool)> {
    let started = Instant::now();
    let mut located = tokio::task::spawn_blocking(move || {
        let found = locate.locate();
        (locate, found)
    });
    let mut is_retry_requested = false;
    loop {
        tokio::select! {
            located = &mut located => {
                let (locate, found) = located.expect("finding the server does not panic");
                return Some((locate, found, is_retry_requested));
            }
            command = commands.recv() => match command {
                None => {
                    drop(timeout(DROP_TIMEOUT, located).await);
                    return None;
                }
                Some(Command::RetryNow) => is_retry_requested |= started.elapsed() >= HUNG_ATTEMPT,
                // Not connected; the replica sends the message again.
                Some(Command::Send(_) | Command::Reconnect) => {}
            }
        }
    }
}

/// Waits for the next attempt, which is due at a time or only on request; returns false if the handle was
/// dropped.
async fn wait_for_retry(commands: &mut mpsc::Receiver<Command>, until: Option<Instant>) -> bool {
    let due = async {
        match until {
            Some(until) => sleep_until(until.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(due);
    loop {
        tokio::select! {
            () = &mut due => return true,
            command = commands.recv() => match command {
                None => return false,
                Some(Command::RetryNow) => return true,
                // Not connected; the replica sends the message again.
                Some(Command::Send(_) | Command::Reconnect) => {}
            }
        }
    }
}

/// Why a connection, or an attempt to connect, has ended.
enum Ended {
    /// It was lost or failed, for this reason.
    Lost(String),
    /// The server does not accept the credential, or no longer, for this reason.
    Rejected(String),
    /// The person requested another attempt before the socket was open.
    RetryRequested,
    /// The handle was dropped.
    Dropped,
}

/// The pings of a connection.
#[derive(Default)]
struct Pings {
    /// When the first unanswered one was sent.
    unanswered: Option<Instant>,
    /// The last reported round trip, and when it was reported.
    reported: Option<(Instant, Duration)>,
}

impl Pings {
    fn sent(&mut self) {
        self.unanswered.get_or_insert_with(Instant::now);
    }

    /// Handles an answer. Returns the round trip.
    fn answered(&mut self) -> Option<Duration> {
        self.unanswered.take().map(|sent| sent.elapsed())
    }

    /// Whether a round trip differs enough from the last reported one, which is then this one.
    fn is_worth_reporting(&mut self, round_trip: Duration) -> bool {
        let is_due = self.reported.is_none_or(|(at, before)| {
            at.elapsed() >= ROUND_TRIP_INTERVAL && round_trip.abs_diff(before) * 5 >= before
        });
        if is_due {
            self.reported = Some((Instant::now(), round_trip));
        }
        is_due
    }
}

/// Connects and runs until the connection ends.
async fn connect(
    endpoint: &Endpoint,
    commands: &mut mpsc::Receiver<Command>,
    out: &Out,
    backoff: &mut Backoff,
) -> Ended {
    let attempt = out.attempt.fetch_add(1, Ordering::SeqCst) + 1;
    let (sender, mut receiver) = mpsc::channel(64);
    let mut socket = match open(endpoint, attempt, out.clone(), sender) {
        Ok(socket) => socket,
        Err(error) => return Ended::Lost(error),
    };
    let started = Instant::now();
    let now_ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut heartbeat = Heartbeat::new(0);
    let mut check = interval(CHECK_INTERVAL);
    let mut checked = (Instant::now(), SystemTime::now());
    let (mut opened, mut is_silent, mut pings) = (false, false, Pings::default());
    let ended = loop {
        tokio::select! {
            biased;
            event = receiver.recv() => match event {
                Some(SocketEvent::Welcomed) => backoff.reset(),
                Some(SocketEvent::Opened) => {
                    opened = true;
                    heartbeat = Heartbeat::new(now_ms());
                    check.reset_immediately();
                }
                Some(SocketEvent::Heard) => heartbeat.data_received(now_ms()),
                // The round trip of a ping during a silence says nothing about the next ones.
                Some(SocketEvent::Pong) if is_silent => {
                    heartbeat.pong_received();
                    heartbeat.ping_soon(now_ms());
                    pings = Pings::default();
                }
                Some(SocketEvent::Pong) => if let Some(round_trip) = pings.answered() {
                    heartbeat.pong_received();
                    if pings.is_worth_reporting(round_trip) {
                        out.send_for(attempt, NetEvent::RoundTrip(round_trip));
                    }
                },
                Some(SocketEvent::Ended(reason)) => break Ended::Lost(reason),
                Some(SocketEvent::Rejected(reason)) => break Ended::Rejected(reason),
                None => break Ended::Lost("the connection ended".to_owned()),
            },
            _ = check.tick() => {
                if !opened && now_ms() >= MAX_SILENCE_MS {
                    break Ended::Lost("the server is not responding".to_owned());
                }
                let (by_wall, by_clock) = (checked.1.elapsed().unwrap_or_default(), checked.0.elapsed());
                checked = (Instant::now(), SystemTime::now());
                if by_wall > by_clock + SUSPEND_GAP {
                    backoff.reset();
                    break Ended::Lost("the computer was suspended".to_owned());
                }
                if opened && heartbeat.ping_due(now_ms()) {
                    pings.sent();
                    socket.send(WsMessage::Ping(Vec::new()));
                }
                if heartbeat.is_dead(now_ms()) {
                    break Ended::Lost("no response from the server for 20 seconds".to_owned());
                }
            }
            command = commands.recv() => match command {
                None => return Ended::Dropped,
                Some(Command::Send(message)) if opened => {
                    heartbeat.ping_soon(now_ms());
                    socket.send(WsMessage::Binary(Encoding::MessagePack.encode(&*message)));
                }
                Some(Command::RetryNow) if !opened && started.elapsed() >= HUNG_ATTEMPT => {
                    break Ended::RetryRequested;
                }
                Some(Command::Reconnect) => break Ended::Lost("reconnecting".to_owned()),
                Some(Command::Send(_) | Command::RetryNow) => {}
            }
        }
        let silence = heartbeat.silence(now_ms()).filter(|_| opened).map(Duration::from_millis);
        if std::mem::replace(&mut is_silent, silence.is_some()) != silence.is_some() {
            out.send_for(attempt, NetEvent::Silent(silence));
        }
    };
    // Drops late events of the old socket.
    out.attempt.fetch_add(1, Ordering::SeqCst);
    ended
}

fn open(
    endpoint: &Endpoint,
    attempt: u64,
    out: Out,
    sender: mpsc::Sender<SocketEvent>,
) -> Result<WsSender, String> {
    let url = match endpoint.base.strip_prefix("http") {
        Some(rest) if rest.starts_with("://") || rest.starts_with("s://") => {
            format!("ws{}/ws", rest.trim_end_matches('/'))
        }
        _ => return Err(format!("invalid server address {:?}: use http://HOST:PORT", endpoint.base)),
    };
    let (name, value) = endpoint.credential.header();
    let options = ewebsock::Options {
        additional_headers: vec![(name.to_owned(), value)],
        subprotocols: vec![Encoding::MessagePack.subprotocol().to_owned()],
        ..ewebsock::Options::default()
    };
    // Reports the end of the connection when the socket's task drops the handler, however it ended.
    let ended = EndedOnDrop(sender.clone());
    let server = endpoint.server.clone();
    let handler = move |event: WsEvent| {
        let _ended = &ended;
        match event {
            WsEvent::Opened => {
                // The loop must know of the socket before it takes messages for it.
                drop(sender.try_send(SocketEvent::Opened));
                out.send_for(attempt, NetEvent::Connected);
            }
            WsEvent::Message(WsMessage::Binary(bytes)) => match Encoding::MessagePack.decode_server(&bytes) {
                Ok(message) => {
                    // ewebsock drops close codes; the server sends the reason in an error message before.
                    if let ServerMessage::Error(error) = &message
                        && error.code.close_code().is_some()
                    {
                        drop(sender.try_send(end_of_error(error.code, &error.message)));
                    }
                    let is_welcome = matches!(message, ServerMessage::Welcome(_));
                    out.send_for(attempt, NetEvent::Message(Box::new(message)));
                    drop(sender.try_send(if is_welcome {
                        SocketEvent::Welcomed
                    } else {
                        SocketEvent::Heard
                    }));
                }
                Err(error) => {
                    drop(
                        sender.try_send(SocketEvent::Ended(format!("invalid message from server: {error}"))),
                    );
                }
            },
            WsEvent::Message(WsMessage::Pong(_)) => drop(sender.try_send(SocketEvent::Pong)),
            WsEvent::Message(_) => drop(sender.try_send(SocketEvent::Heard)),
            WsEvent::Error(error) => drop(sender.try_send(failed_handshake(&server, &error))),
            WsEvent::Closed => {
                drop(sender.try_send(SocketEvent::Ended("the server closed the connection".to_owned())))
            }
        }
        ControlFlow::Continue(())
    };
    ewebsock::ws_connect(url, options, Box::new(handler))
}

struct EndedOnDrop(mpsc::Sender<SocketEvent>);

impl Drop for EndedOnDrop {
    fn drop(&mut self) {
        drop(self.0.try_send(SocketEvent::Ended("the connection was lost".to_owned())));
    }
}

fn end_of_error(code: ErrorCode, message: &str) -> SocketEvent {
    match code {
        ErrorCode::Restarting => SocketEvent::Ended("the server is restarting".to_owned()),
        ErrorCode::SignedOut => SocketEvent::Rejected("you were signed out".to_owned()),
        _ => SocketEvent::Ended(format!("the server ended the connection: {message}")),
    }
}

/// Describes a failed handshake, of which ewebsock reports only a text.
fn failed_handshake(server: &str, error: &str) -> SocketEvent {
    let reason = if error.contains("401") {
        return SocketEvent::Rejected(format!(
            "{server} rejected the token: ask its administrator for a valid one"
        ));
    } else if error.contains("403") {
        format!("{server} denied access")
    } else if error.contains("refused") {
        format!("no server is running at {server}")
    } else {
        format!("{server}: {error}")
    };
    SocketEvent::Ended(reason)
}

/// Returns a random number for the backoff's jitter.
fn random() -> u32 {
    let [a, b, c, d, ..] = uuid::Uuid::new_v4().into_bytes();
    u32::from_be_bytes([a, b, c, d])
}
