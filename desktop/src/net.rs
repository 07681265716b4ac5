//! The connection: one thread that connects, keeps alive, reconnects, and decodes what arrives. It knows
//! neither the store nor the windows; it is handed a wake-up and fills a bounded queue.

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
    replica::link::{Backoff, Heartbeat, SILENCE_MS},
    wire::{
        client::ClientMessage,
        codec::Encoding,
        server::{ErrorCode, ServerMessage},
    },
};
use tokio::{
    sync::mpsc,
    time::{interval, sleep_until},
};

use crate::Wake;

/// Events that may wait for the windows; the network waits beyond that, and the server conflates.
const EVENTS: usize = 512;
/// Messages that may wait for the network.
const OUTGOING: usize = 512;
/// A round trip is told again after so long, and only where it changed by a fifth: each telling is a frame.
const TELL_ROUND_TRIP: Duration = Duration::from_secs(15);
/// The wall clock that went on by so much more than the steady one says that the machine slept.
const ASLEEP: Duration = Duration::from_secs(10);
/// How often the connection is looked after.
const LOOK: Duration = Duration::from_millis(500);

/// Where to connect, found anew before every try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The server, as `http://127.0.0.1:7878`.
    pub base: String,
    /// The token for it.
    pub token: String,
}

/// Finds the endpoint; may take its time, it runs on a thread of its own.
pub trait Locate: Send + 'static {
    /// Where to connect now.
    ///
    /// # Errors
    /// A sentence for the person, who sees it beside the connection's light.
    fn locate(&mut self) -> Result<Endpoint, String>;

    /// The longest wait between tries, where it is less than the protocol's.
    fn longest_delay(&self) -> Option<Duration> {
        None
    }
}

/// What the network tells.
#[derive(Debug)]
pub enum NetEvent {
    /// A try begins.
    Connecting,
    /// The socket is open; messages of an older one no longer come.
    Connected,
    /// A message.
    Message(Box<ServerMessage>),
    /// How long the last ping took.
    RoundTrip(Duration),
    /// There is no connection, why, and when the next try is.
    Down {
        /// In words for the person.
        reason: String,
        /// The next try.
        retry_at: Instant,
    },
}

/// What the network is told.
#[derive(Debug)]
enum Command {
    Send(Box<ClientMessage>),
    TryNow,
    Renew,
}

/// The windows' end of the connection. Dropping it ends the thread.
#[derive(Debug)]
pub struct Net {
    commands: mpsc::Sender<Command>,
    events: std_mpsc::Receiver<NetEvent>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Net {
    /// Starts the thread. `wake` is called after every event that was queued.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(locate: impl Locate, wake: Wake) -> std::io::Result<Self> {
        let (commands, receiver) = mpsc::channel(OUTGOING);
        let (sender, events) = std_mpsc::sync_channel(EVENTS);
        let out = Out { events: sender, wake, attempt: Arc::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new()
            .name("afterglow-net".to_owned())
            .spawn(move || runtime.block_on(run(Box::new(locate), receiver, out)))?;
        Ok(Self { commands, events, thread: Some(thread) })
    }

    /// The next event, if one waits.
    pub fn poll(&self) -> Option<NetEvent> {
        self.events.try_recv().ok()
    }

    /// Whether another message can be taken now.
    pub fn has_room(&self) -> bool {
        self.commands.capacity() > 0
    }

    /// Sends a message; asked only where [`Self::has_room`]. What is lost with a connection is sent again by
    /// the replica.
    pub fn send(&self, message: ClientMessage) {
        drop(self.commands.try_send(Command::Send(Box::new(message))));
    }

    /// Tries to connect at once.
    pub fn try_now(&self) {
        drop(self.commands.try_send(Command::TryNow));
    }

    /// Ends the connection and makes it anew, as after a loss; asked only where [`Self::has_room`].
    pub fn renew(&self) {
        drop(self.commands.try_send(Command::Renew));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel(1);
        self.commands = closed;
        // A thread that waits to queue an event has to find the queue's other end gone.
        self.events = std_mpsc::sync_channel(0).1;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The way to the windows.
#[derive(Clone)]
struct Out {
    events: std_mpsc::SyncSender<NetEvent>,
    wake: Wake,
    /// The number of the present try; events of older ones are dropped.
    attempt: Arc<AtomicU64>,
}

impl Out {
    fn tell(&self, event: NetEvent) {
        if self.events.send(event).is_ok() {
            (self.wake)();
        }
    }

    fn tell_of(&self, attempt: u64, event: NetEvent) {
        if self.attempt.load(Ordering::SeqCst) == attempt {
            self.tell(event);
        }
    }
}

/// What the socket's handler tells the thread's loop; never more than a few wait.
#[derive(Debug)]
enum Link {
    Opened,
    Welcomed,
    Heard,
    Pong,
    Ended(String),
}

async fn run(mut locate: Box<dyn Locate>, mut commands: mpsc::Receiver<Command>, out: Out) {
    let mut backoff = Backoff::default();
    loop {
        out.tell(NetEvent::Connecting);
        let (located, found) = tokio::task::spawn_blocking(move || {
            let found = locate.locate();
            (locate, found)
        })
        .await
        .expect("finding the server does not panic");
        locate = located;
        let reason = match found {
            Ok(endpoint) => match connect(&endpoint, &mut commands, &out, &mut backoff).await {
                Some(reason) => reason,
                None => return,
            },
            Err(reason) => reason,
        };
        let longest = locate.longest_delay().unwrap_or(Duration::MAX);
        let delay = Duration::from_millis(backoff.next_delay_ms(random())).min(longest);
        let retry_at = Instant::now() + delay;
        out.tell(NetEvent::Down { reason, retry_at });
        if !wait(&mut commands, retry_at).await {
            return;
        }
    }
}

/// Waits for the next try; false where the windows are gone.
async fn wait(commands: &mut mpsc::Receiver<Command>, until: Instant) -> bool {
    loop {
        tokio::select! {
            () = sleep_until(until.into()) => return true,
            command = commands.recv() => match command {
                None => return false,
                Some(Command::TryNow) => return true,
                // There is nobody to send it to; the replica sends it again.
                Some(Command::Send(_) | Command::Renew) => {}
            }
        }
    }
}

/// Connects and stays until the connection ends; gives the reason, or `None` where the windows are gone.
async fn connect(
    endpoint: &Endpoint,
    commands: &mut mpsc::Receiver<Command>,
    out: &Out,
    backoff: &mut Backoff,
) -> Option<String> {
    let attempt = out.attempt.fetch_add(1, Ordering::SeqCst) + 1;
    let (links, mut link) = mpsc::channel(64);
    let mut socket = match open(endpoint, attempt, out.clone(), links) {
        Ok(socket) => socket,
        Err(error) => return Some(error),
    };
    let started = Instant::now();
    let now_ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut heartbeat = Heartbeat::new(0);
    let mut look = interval(LOOK);
    let mut looked = (Instant::now(), SystemTime::now());
    let (mut opened, mut pinged) = (false, None::<Instant>);
    let mut told_at: Option<(Instant, Duration)> = None;
    let reason = loop {
        tokio::select! {
            biased;
            told = link.recv() => match told {
                Some(Link::Welcomed) => backoff.reset(),
                Some(Link::Opened) => {
                    opened = true;
                    heartbeat = Heartbeat::new(now_ms());
                    look.reset_immediately();
                }
                Some(Link::Heard) => heartbeat.heard(now_ms()),
                Some(Link::Pong) => if let Some(pinged) = pinged.take() {
                    let round_trip = pinged.elapsed();
                    heartbeat.ponged(u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX));
                    let is_news = told_at.is_none_or(|(at, before)| {
                        at.elapsed() >= TELL_ROUND_TRIP && round_trip.abs_diff(before) * 5 >= before
                    });
                    if is_news {
                        told_at = Some((Instant::now(), round_trip));
                        out.tell_of(attempt, NetEvent::RoundTrip(round_trip));
                    }
                },
                Some(Link::Ended(reason)) => break reason,
                None => break "the connection ended".to_owned(),
            },
            _ = look.tick() => {
                if !opened && now_ms() >= SILENCE_MS {
                    break "the server does not answer".to_owned();
                }
                let (by_wall, by_clock) = (looked.1.elapsed().unwrap_or_default(), looked.0.elapsed());
                looked = (Instant::now(), SystemTime::now());
                if by_wall > by_clock + ASLEEP {
                    backoff.reset();
                    break "the machine was asleep".to_owned();
                }
                if opened && heartbeat.ping_due(now_ms()) {
                    pinged.get_or_insert_with(Instant::now);
                    socket.send(WsMessage::Ping(Vec::new()));
                }
                if heartbeat.is_dead(now_ms()) {
                    break "the server has not answered for 20 seconds".to_owned();
                }
            }
            command = commands.recv() => match command {
                None => return None,
                Some(Command::Send(message)) if opened => {
                    socket.send(WsMessage::Binary(Encoding::MessagePack.encode(&*message)));
                }
                Some(Command::TryNow) if !opened => break "trying again".to_owned(),
                Some(Command::Renew) => break "going on under a new id".to_owned(),
                Some(Command::Send(_) | Command::TryNow) => {}
            }
        }
    };
    // Whatever the old socket still says is not heard.
    out.attempt.fetch_add(1, Ordering::SeqCst);
    Some(reason)
}

fn open(endpoint: &Endpoint, attempt: u64, out: Out, links: mpsc::Sender<Link>) -> Result<WsSender, String> {
    let url = match endpoint.base.strip_prefix("http") {
        Some(rest) if rest.starts_with("://") || rest.starts_with("s://") => {
            format!("ws{}/ws", rest.trim_end_matches('/'))
        }
        _ => return Err(format!("{:?} is not a server's address: write http://HOST:PORT", endpoint.base)),
    };
    let options = ewebsock::Options {
        additional_headers: vec![("Authorization".to_owned(), format!("Bearer {}", endpoint.token))],
        subprotocols: vec![Encoding::MessagePack.subprotocol().to_owned()],
        ..ewebsock::Options::default()
    };
    // Told when the socket's task drops the handler, however it ended.
    let ended = OnDrop(links.clone());
    let base = endpoint.base.clone();
    let handler = move |event: WsEvent| {
        let _ended = &ended;
        match event {
            WsEvent::Opened => {
                // Known here first, so that no message is taken for a connection that is not there yet.
                drop(links.try_send(Link::Opened));
                out.tell_of(attempt, NetEvent::Connected);
            }
            WsEvent::Message(WsMessage::Binary(bytes)) => match Encoding::MessagePack.decode_server(&bytes) {
                Ok(message) => {
                    // Close codes are lost on the way; the server says why in the message before.
                    if let ServerMessage::Error(error) = &message
                        && error.code.close_code().is_some()
                    {
                        drop(links.try_send(Link::Ended(in_words(error.code, &error.message))));
                    }
                    let is_welcome = matches!(message, ServerMessage::Welcome(_));
                    out.tell_of(attempt, NetEvent::Message(Box::new(message)));
                    drop(links.try_send(if is_welcome { Link::Welcomed } else { Link::Heard }));
                }
                Err(error) => drop(links.try_send(Link::Ended(format!("the server sent nonsense: {error}")))),
            },
            WsEvent::Message(WsMessage::Pong(_)) => drop(links.try_send(Link::Pong)),
            WsEvent::Message(_) => drop(links.try_send(Link::Heard)),
            WsEvent::Error(error) => drop(links.try_send(Link::Ended(refusal_in_words(&base, &error)))),
            WsEvent::Closed => {
                drop(links.try_send(Link::Ended("the server closed the connection".to_owned())))
            }
        }
        ControlFlow::Continue(())
    };
    ewebsock::ws_connect(url, options, Box::new(handler))
}

struct OnDrop(mpsc::Sender<Link>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        drop(self.0.try_send(Link::Ended("the connection was lost".to_owned())));
    }
}

fn in_words(code: ErrorCode, message: &str) -> String {
    match code {
        ErrorCode::Restarting => "the server is restarting".to_owned(),
        ErrorCode::SignedOut => "you were signed out".to_owned(),
        _ => format!("the server ended the connection: {message}"),
    }
}

/// A refused handshake is only text in ewebsock.
fn refusal_in_words(base: &str, error: &str) -> String {
    if error.contains("401") {
        format!("{base} does not take this token: ask who runs it for the present one")
    } else if error.contains("403") {
        format!("{base} does not allow this")
    } else if error.contains("refused") {
        format!("nothing listens at {base}")
    } else {
        format!("{base}: {error}")
    }
}

/// Any number, different in every process and at every moment.
fn random() -> u32 {
    let [a, b, c, d, ..] = uuid::Uuid::new_v4().into_bytes();
    u32::from_be_bytes([a, b, c, d])
}
