//! One WebSocket connection: what it asks is handed on, what it is to have is written in as few and as large
//! writes as may be.

mod history;
mod pace;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::StreamExt;
use shared::{
    edit::{Change, Code, Rejection},
    ids::{ClientId, EditId, RequestId, WatchlistId},
    limits::EDITS_IN_FLIGHT,
    wire::{
        PROTOCOL,
        client::{self, ClientMessage},
        codec::{DecodeError, Encoding},
        server::{self, Created, Done, ErrorCode, ServerMessage, User, Watchlists, Welcome},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error as SocketError, Message, error::CapacityError},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

pub use self::history::history_limit;
use self::{history::history, pace::Pace};
use crate::{
    clock::Clock,
    fanout::{ConnectionId, Outbox, OutboxState, Outgoing, SnapshotFrames, Subscriber},
    frame::Frame,
    hub::{self, Hub},
    journal::{Sender, Verdict},
    room::{self, Answered, Command, EditRequest, Reply, RoomHandle, Unreadable, Withheld},
    settings::Settings,
};

/// Frames are gathered into one write of about this many bytes.
const WRITE_BYTES: usize = 64 * 1024;
/// Histories that a connection has read at once; while there are so many, no more is read of it.
const HISTORIES_IN_FLIGHT: usize = 4;
/// How long a client may take to close its end.
const CLOSING: Duration = Duration::from_secs(1);

/// What a connection is served with.
#[derive(Clone)]
pub struct SessionContext {
    /// The watchlists.
    pub hub: Arc<Hub>,
    /// Limits and times.
    pub settings: Arc<Settings>,
    /// The time of day.
    pub clock: Clock,
    /// Ends the session.
    pub stop: CancellationToken,
}

/// Who is connected, and how.
pub struct Peer {
    /// Which connection.
    pub connection: ConnectionId,
    /// Which account.
    pub user: Arc<User>,
    /// How messages are written.
    pub encoding: Encoding,
}

/// Why a session ends.
enum End {
    /// The socket is gone.
    Gone,
    /// The client is told, then closed.
    Error(ErrorCode, String),
}

impl<E: Into<SocketError>> From<E> for End {
    fn from(error: E) -> Self {
        match error.into() {
            SocketError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                End::Error(ErrorCode::TooLarge, format!("a message of {size} bytes; {max_size} are taken"))
            }
            SocketError::Utf8(_) => {
                End::Error(ErrorCode::BadMessage, "a text frame that is not UTF-8".to_owned())
            }
            SocketError::Protocol(error) => End::Error(ErrorCode::BadMessage, error.to_string()),
            _ => End::Gone,
        }
    }
}

/// Serves a connection until it ends.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    context: SessionContext,
    peer: Peer,
    socket: WebSocketStream<S>,
) {
    let (outbox, items, state) = Outbox::new(context.settings.outbox_bytes);
    let (answer_to, answers) = mpsc::channel(EDITS_IN_FLIGHT);
    let mut socket = Socket { socket, encoding: peer.encoding, patience: context.settings.silence() };
    let end = match hello(&context, &mut socket).await {
        Ok(client) => {
            let sender = Sender { user: peer.user.id, client };
            let pace =
                Pace::new(context.settings.edits_per_second, context.settings.edits_burst, Instant::now());
            let mut session = Session {
                context,
                peer,
                client,
                outbox,
                answer_to,
                withheld: Arc::new(Withheld::new(sender)),
                rooms: BTreeMap::new(),
                in_flight: 0,
                pace,
                heard: Instant::now(),
                histories: JoinSet::new(),
                streaming: None,
            };
            let end = session.serve(&mut socket, items, &state, answers).await;
            session.leave().await;
            end
        }
        Err(end) => end,
    };
    if let End::Error(code, message) = end {
        debug!(?code, message, "closing a connection");
        socket.close(code, message).await;
    }
}

async fn hello<S: AsyncRead + AsyncWrite + Unpin>(
    context: &SessionContext,
    socket: &mut Socket<S>,
) -> Result<ClientId, End> {
    let patience = Duration::from_secs(context.settings.hello_seconds);
    let expected = || {
        End::Error(
            ErrorCode::HelloExpected,
            "the first message has to be hello, within five seconds".to_owned(),
        )
    };
    let first = tokio::select! {
        () = context.stop.cancelled() => return Err(restarting()),
        first = timeout(patience, socket.read()) => first.map_err(|_elapsed| expected())??,
    };
    match first {
        ClientMessage::Hello(hello) => Ok(hello.client),
        _ => Err(expected()),
    }
}

struct Session {
    context: SessionContext,
    peer: Peer,
    client: ClientId,
    outbox: Outbox,
    answer_to: mpsc::Sender<Answered>,
    withheld: Arc<Withheld>,
    rooms: BTreeMap<WatchlistId, RoomHandle>,
    in_flight: usize,
    pace: Pace,
    heard: Instant,
    /// Histories that are being read: a long one keeps nothing else waiting.
    histories: JoinSet<ServerMessage>,
    /// A snapshot that is being written, and its next part.
    streaming: Option<(Arc<SnapshotFrames>, usize)>,
}

impl Session {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        mut items: mpsc::Receiver<Outgoing>,
        state: &OutboxState,
        mut answers: mpsc::Receiver<Answered>,
    ) -> End {
        let mut lists = self.context.hub.changes();
        let mut ping = interval(Duration::from_secs(self.context.settings.ping_seconds.max(1)));
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let done = async {
            socket.send(&self.welcome()).await?;
            socket.send(&self.watchlists()).await?;
            loop {
                self.pace.fill(Instant::now());
                let resume_at = self.pace.wait_until();
                let reads = resume_at.is_none()
                    && self.in_flight < EDITS_IN_FLIGHT
                    && self.histories.len() < HISTORIES_IN_FLIGHT;
                if !reads {
                    self.heard = Instant::now();
                }
                tokio::select! {
                    () = self.context.stop.cancelled() => return Err(restarting()),
                    answer = answers.recv() => self.write_answers(socket, answer, &mut answers).await?,
                    () = std::future::ready(()), if self.streaming.is_some() => self.write_part(socket, state).await?,
                    item = items.recv(), if self.streaming.is_none() => self.write_items(socket, state, item, &mut items).await?,
                    changed = lists.changed() => {
                        if changed.is_ok() {
                            socket.send(&self.watchlists()).await?;
                        }
                    }
                    Some(history) = self.histories.join_next() => {
                        socket.send(&history.map_err(|_ended| End::Gone)?).await?;
                    }
                    _ = ping.tick() => socket.write(Frame::ping().bytes()).await?,
                    () = sleep_until(self.heard + self.context.settings.silence()) => {
                        let silence = self.context.settings.silence().as_secs();
                        let message = format!("nothing was heard of this client for {silence} seconds");
                        return Err(End::Error(ErrorCode::Unavailable, message));
                    }
                    () = sleep_until(resume_at.unwrap_or_else(Instant::now)), if resume_at.is_some() => {}
                    message = socket.next(), if reads => {
                        self.heard = Instant::now();
                        if let Some(bytes) = message? {
                            self.take(socket, &bytes).await?;
                        }
                    }
                }
            }
        };
        let end: Result<std::convert::Infallible, End> = done.await;
        match end {
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    fn welcome(&self) -> ServerMessage {
        ServerMessage::Welcome(Welcome {
            protocol: PROTOCOL,
            server: env!("CARGO_PKG_VERSION").into(),
            user: (*self.peer.user).clone(),
            now: (self.context.clock)(),
        })
    }

    fn watchlists(&self) -> ServerMessage {
        ServerMessage::Watchlists(Watchlists { list: self.context.hub.list() })
    }

    async fn take<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        bytes: &[u8],
    ) -> Result<(), End> {
        let message = match self.peer.encoding.decode_client(bytes) {
            Ok(message) => message,
            Err(DecodeError::BadMessage(message)) => return Err(End::Error(ErrorCode::BadMessage, message)),
            Err(DecodeError::BadEdit { watchlist, edit, message }) => {
                let unreadable = Unreadable { bytes: bytes.to_vec(), message };
                return self.edit(socket, watchlist, edit, Err(unreadable)).await;
            }
        };
        match message {
            ClientMessage::Hello(_) => {
                Err(End::Error(ErrorCode::BadMessage, "hello was said already".to_owned()))
            }
            ClientMessage::Edit(client::Edit { watchlist, edit, changes }) => {
                self.edit(socket, watchlist, edit, Ok(changes)).await
            }
            ClientMessage::Open(open) => self.open(socket, open).await,
            ClientMessage::Close(close) => {
                if let Some(room) = self.rooms.remove(&close.watchlist) {
                    // A room that is gone has nothing to leave.
                    drop(room.send(Command::Leave(self.peer.connection)).await);
                }
                Ok(())
            }
            ClientMessage::Presence(presence) => {
                if let Some(room) = self.rooms.get(&presence.watchlist) {
                    let client::Presence { window, cell, editing, .. } = presence;
                    let command =
                        Command::Presence { connection: self.peer.connection, window, cell, editing };
                    drop(room.send(command).await);
                }
                Ok(())
            }
            ClientMessage::Create(create) => {
                let request = create.request;
                let made = self.context.hub.create(create.watchlist, &create.name, create.columns).await;
                let message = made.map(|watchlist| ServerMessage::Created(Created { request, watchlist }));
                socket.send(&message.unwrap_or_else(|rejection| failed(request, rejection))).await
            }
            ClientMessage::Delete(ask) => {
                let done = self.context.hub.delete(ask.watchlist).await;
                let message = done.map(|()| ServerMessage::Deleted(Done { request: ask.request }));
                socket.send(&message.unwrap_or_else(|rejection| failed(ask.request, rejection))).await
            }
            ClientMessage::Restore(ask) => {
                let done = self.context.hub.restore(ask.watchlist).await;
                let message = done.map(|()| ServerMessage::Restored(Done { request: ask.request }));
                socket.send(&message.unwrap_or_else(|rejection| failed(ask.request, rejection))).await
            }
            ClientMessage::History(ask) => {
                self.histories.spawn(history(self.context.hub.clone(), ask));
                Ok(())
            }
        }
    }

    async fn edit<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        watchlist: WatchlistId,
        edit: EditId,
        changes: Result<Vec<Change>, Unreadable>,
    ) -> Result<(), End> {
        self.pace.take(Instant::now());
        self.withheld.read(watchlist, edit);
        let room = self.rooms.get(&watchlist).filter(|room| !room.is_gone()).cloned();
        if let Some(room) = room.or_else(|| self.context.hub.room(watchlist)) {
            let reply = Reply::Connection(self.answer_to.clone(), self.withheld.clone());
            let user = self.peer.user.clone();
            let request = EditRequest { user, client: self.client, edit, changes, reply };
            if room.send(Command::Edit(request)).await.is_ok() {
                self.in_flight += 1;
                return Ok(());
            }
        }
        let is_served = self.context.hub.room(watchlist).is_some();
        let rejection = if is_served || !self.withheld.admits(watchlist, edit) {
            self.withheld.withhold(watchlist, edit);
            Rejection::new(Code::Unavailable, room::NOT_SERVED)
        } else {
            hub::unknown(watchlist)
        };
        socket.send(&rejected(watchlist, edit, rejection)).await
    }

    async fn open<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        open: client::Open,
    ) -> Result<(), End> {
        let watchlist = open.watchlist;
        let error = |code, message: String| {
            let error =
                server::Error { code, message: message.into(), request: None, watchlist: Some(watchlist) };
            ServerMessage::Error(error)
        };
        self.rooms.retain(|_, room| !room.is_gone());
        let limit = self.context.settings.limits.open_watchlists;
        if !self.rooms.contains_key(&watchlist) && self.rooms.len() >= limit {
            let message = format!("a connection has at most {limit} watchlists open");
            return socket.send(&error(ErrorCode::Forbidden, message)).await;
        }
        let Some(room) = self.context.hub.room(watchlist) else {
            let message = hub::unknown(watchlist).message;
            return socket.send(&error(ErrorCode::UnknownWatchlist, message)).await;
        };
        let subscriber = Subscriber {
            connection: self.peer.connection,
            client: self.client,
            name: self.peer.user.name.clone(),
            encoding: self.peer.encoding,
            outbox: self.outbox.clone(),
        };
        let command = Command::Open { subscriber, at: open.at, withheld: self.withheld.clone() };
        if room.send(command).await.is_err() {
            let message = room::NOT_SERVED.to_owned();
            return socket.send(&error(ErrorCode::Unavailable, message)).await;
        }
        self.rooms.insert(watchlist, room);
        Ok(())
    }

    async fn write_answers<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        first: Option<Answered>,
        more: &mut mpsc::Receiver<Answered>,
    ) -> Result<(), End> {
        let mut bytes = Vec::new();
        let mut next = first;
        while let Some(answered) = next {
            self.in_flight -= 1;
            let message = answer_message(answered);
            bytes.extend_from_slice(Frame::encode(self.peer.encoding, &message).bytes());
            next = if bytes.len() < WRITE_BYTES { more.try_recv().ok() } else { None };
        }
        socket.write(&bytes).await
    }

    async fn write_items<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        state: &OutboxState,
        first: Option<Outgoing>,
        more: &mut mpsc::Receiver<Outgoing>,
    ) -> Result<(), End> {
        let mut gathered: Vec<Frame> = Vec::new();
        let (mut bytes, mut next) = (0, first);
        while let Some(item) = next {
            match item {
                Outgoing::Frame(frame) => {
                    bytes += frame.bytes().len();
                    gathered.push(frame);
                }
                Outgoing::Snapshot(frames) => {
                    self.streaming = Some((frames, 0));
                    break;
                }
            }
            next = if bytes < WRITE_BYTES { more.try_recv().ok() } else { None };
        }
        match gathered.as_slice() {
            [] => return Ok(()),
            [one] => socket.write(one.bytes()).await?,
            several => {
                let mut together = Vec::with_capacity(bytes);
                several.iter().for_each(|frame| together.extend_from_slice(frame.bytes()));
                socket.write(&together).await?;
            }
        }
        self.written(state, bytes).await;
        Ok(())
    }

    async fn write_part<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        state: &OutboxState,
    ) -> Result<(), End> {
        let Some((frames, part)) = self.streaming.take() else { return Ok(()) };
        if let Some(frame) = frames.frames.get(part) {
            socket.write(frame.bytes()).await?;
        }
        if part + 1 < frames.frames.len() {
            self.streaming = Some((frames, part + 1));
        } else {
            self.written(state, self.outbox.weight(&Outgoing::Snapshot(frames))).await;
        }
        Ok(())
    }

    /// Says so where everything is written and a room had more than would fit.
    async fn written(&mut self, state: &OutboxState, weight: usize) {
        if state.written(weight) {
            for room in self.rooms.values() {
                // A room that is gone has no more to send.
                drop(room.send(Command::CatchUp(self.peer.connection)).await);
            }
        }
    }

    async fn leave(&mut self) {
        for room in std::mem::take(&mut self.rooms).into_values() {
            drop(room.send(Command::Leave(self.peer.connection)).await);
        }
    }
}

/// A socket that is read as WebSocket and written with frames made elsewhere.
struct Socket<S> {
    socket: WebSocketStream<S>,
    encoding: Encoding,
    patience: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// The next data message's bytes; `None` for frames that carry none. May be dropped while it waits.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, End> {
        let message = self.socket.next().await.ok_or(End::Gone)??;
        match (message, self.encoding) {
            (Message::Text(text), Encoding::Json) => Ok(Some(text.as_bytes().to_vec())),
            (Message::Binary(bytes), Encoding::MessagePack) => Ok(Some(bytes.to_vec())),
            (Message::Text(_), Encoding::MessagePack) | (Message::Binary(_), Encoding::Json) => {
                let message = format!("a frame of the other kind than {} has", self.encoding.subprotocol());
                Err(End::Error(ErrorCode::BadMessage, message))
            }
            (Message::Close(_), _) => {
                // The answer to it waits in the reader. Whoever is gone already does not miss it.
                drop(timeout(CLOSING, futures_util::SinkExt::flush(&mut self.socket)).await);
                Err(End::Gone)
            }
            (Message::Ping(_) | Message::Pong(_) | Message::Frame(_), _) => {
                // Answers to pings wait in the reader until something is written.
                futures_util::SinkExt::flush(&mut self.socket).await?;
                Ok(None)
            }
        }
    }

    async fn read(&mut self) -> Result<ClientMessage, End> {
        loop {
            if let Some(bytes) = self.next().await? {
                return self
                    .encoding
                    .decode_client(&bytes)
                    .map_err(|error| End::Error(ErrorCode::BadMessage, error.to_string()));
            }
        }
    }

    async fn send(&mut self, message: &ServerMessage) -> Result<(), End> {
        self.write(Frame::encode(self.encoding, message).bytes()).await
    }

    /// Writes whole frames. Not to be dropped while it waits: half a frame would be left behind.
    async fn write(&mut self, frames: &[u8]) -> Result<(), End> {
        let write = async {
            futures_util::SinkExt::flush(&mut self.socket).await?;
            let raw = self.socket.get_mut();
            raw.write_all(frames).await.map_err(SocketError::Io)?;
            raw.flush().await.map_err(SocketError::Io)
        };
        timeout(self.patience, write)
            .await
            .map_err(|_elapsed| End::Gone)?
            .map_err(|_lost: SocketError| End::Gone)
    }

    async fn close(&mut self, code: ErrorCode, message: String) {
        let error = server::Error { code, message: message.as_str().into(), request: None, watchlist: None };
        let mut bytes = Frame::encode(self.encoding, &ServerMessage::Error(error)).bytes().to_vec();
        bytes.extend_from_slice(Frame::close(code.close_code().unwrap_or(1000), &message).bytes());
        let goodbye = async {
            self.write(&bytes).await?;
            while self.socket.next().await.is_some_and(|read| read.is_ok()) {}
            self.socket.get_mut().shutdown().await.map_err(SocketError::Io)?;
            Ok::<(), End>(())
        };
        // Whether the client hears it or not, the connection ends here.
        drop(timeout(CLOSING, goodbye).await);
    }
}

impl Settings {
    fn silence(&self) -> Duration {
        Duration::from_secs(self.silence_seconds.max(1))
    }
}

fn restarting() -> End {
    End::Error(ErrorCode::Restarting, "the server is stopping; connect again in a moment".to_owned())
}

fn rejected(watchlist: WatchlistId, edit: EditId, rejection: Rejection) -> ServerMessage {
    ServerMessage::Rejected(server::Rejected { watchlist, edit, rejection })
}

fn answer_message(answered: Answered) -> ServerMessage {
    let Answered { watchlist, edit, verdict } = answered;
    match verdict {
        Verdict::Accepted(revision) => {
            ServerMessage::Accepted(server::Accepted { watchlist, edit, revision })
        }
        Verdict::Rejected(rejection) => rejected(watchlist, edit, rejection),
    }
}

fn failed(request: RequestId, rejection: Rejection) -> ServerMessage {
    let code = match rejection.code {
        Code::UnknownWatchlist => ErrorCode::UnknownWatchlist,
        Code::TooLong => ErrorCode::TooLong,
        Code::TooLarge | Code::InvalidValue => ErrorCode::InvalidValue,
        Code::DuplicateColumn => ErrorCode::DuplicateColumn,
        Code::UnknownColumn => ErrorCode::UnknownColumn,
        Code::Forbidden => ErrorCode::Forbidden,
        _ => ErrorCode::Unavailable,
    };
    let message = rejection.message.into();
    ServerMessage::Error(server::Error { code, message, request: Some(request), watchlist: None })
}
