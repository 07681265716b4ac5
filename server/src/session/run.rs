//! The loop of a session: it reads requests as fast as the client may send them, and writes what is ready.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use futures_util::FutureExt;
use shared::{
    account::ListRole,
    edit::Change,
    ids::{ClientId, EditId, WatchlistId},
    limits::EDITS_IN_FLIGHT,
    rejection::Code,
    wire::{
        PROTOCOL,
        client::{self, ClientMessage},
        codec::DecodeError,
        server::{Closed, ClosedReason, ErrorCode, ServerMessage, Welcome},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    context::{Peer, SessionContext},
    error::{error_code, rejected, watchlist_error},
    history::history,
    lists::ListUpdates,
    manage,
    turn::{Turn, next_turn},
    writer::{Ready, Writer},
};
use crate::{
    accounts::Accounts,
    answer_slots::AnswerSlot,
    channel::{Outbox, Recipient, Subscriber},
    dialect::frame::Frame,
    hub::OpenList,
    journal::Sender,
    long_work::{self, LONG_BYTES},
    pace::Pace,
    room::{AnswerQueue, Reply, Unreadable, Withheld},
    timer::until,
    transport::{End, Socket},
    unavailable::Unavailable,
};

/// Maximum number of history requests of a connection that are read at once. While there are as many, nothing
/// more is read from it.
const HISTORIES_IN_FLIGHT: usize = 4;
/// Time that a write may take once the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves a connection until it ends.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    context: SessionContext,
    peer: Peer,
    mut socket: Socket<S>,
) {
    let ended = context.hub.accounts().ended(&peer.caller);
    let end = match Box::pin(receive_hello(&context, &ended, &mut socket)).await {
        Ok(client) => {
            let (outbox, items, state) = Outbox::new(context.settings.outbox_bytes);
            let answers = AnswerQueue::default();
            let writer = Writer::new(outbox.clone(), (items, state), answers.clone());
            let mut session = Session::new(context, peer, client, (outbox, answers), ended);
            let end = session.serve(&mut socket, writer).await;
            session.leave().await;
            end
        }
        Err(end) => end,
    };
    if let End::Error(code, message) = end {
        debug!(?code, message, "closing a connection");
        socket.close(code, &message).await;
    }
}

async fn receive_hello<S: AsyncRead + AsyncWrite + Unpin>(
    context: &SessionContext,
    ended: &CancellationToken,
    socket: &mut Socket<S>,
) -> Result<ClientId, End> {
    let expected = || {
        let seconds = context.settings.hello_seconds;
        let message = format!("the first message must be hello, within {seconds} seconds of the connection");
        End::Error(ErrorCode::HelloExpected, message)
    };
    let first = async {
        loop {
            socket.answer_ping().await?;
            if let Some(bytes) = socket.next().await? {
                let message = socket.encoding().decode_client(&bytes);
                return message.map_err(|error| End::Error(ErrorCode::BadMessage, error.to_string()));
            }
        }
    };
    let deadline = Duration::from_secs(context.settings.hello_seconds);
    let first: Result<ClientMessage, End> = tokio::select! {
        () = context.stop.cancelled() => return Err(restarting()),
        () = ended.cancelled() => return Err(signed_out()),
        first = timeout(deadline, first) => first.map_err(|_elapsed| expected())?,
    };
    match first? {
        ClientMessage::Hello(hello) => Ok(hello.client),
        _ => Err(expected()),
    }
}

fn signed_out() -> End {
    End::Error(ErrorCode::SignedOut, "your session has ended; sign in again".to_owned())
}

fn restarting() -> End {
    End::Error(ErrorCode::Restarting, "the server is restarting; reconnect in a moment".to_owned())
}

fn silent(silence: Duration) -> End {
    let message = format!("no message received for {} seconds", silence.as_secs());
    End::Error(ErrorCode::Unavailable, message)
}

struct Session {
    context: SessionContext,
    peer: Peer,
    client: ClientId,
    /// Cancelled when the caller's session or token ends.
    ended: CancellationToken,
    outbox: Outbox,
    answers: AnswerQueue,
    withheld: Arc<Withheld>,
    /// Boxed, as a map allocates room for several.
    lists: BTreeMap<WatchlistId, Box<Opened>>,
    in_flight: usize,
    /// Number of watchlists that the caller may no longer see, and the client is not told yet. The list of
    /// watchlists follows after that.
    forbidden: usize,
    /// Whether the client was told since the list of watchlists was sent.
    was_told: bool,
    /// A watchlist that the client could not open. If it is on the list that the client has, the list is sent
    /// again: the right may be back already.
    not_found: Option<WatchlistId>,
    pace: Pace,
    last_heard: Instant,
    /// Histories that are being read. A slow one delays nothing else.
    histories: JoinSet<(Frame, AnswerSlot)>,
    /// Cancelled if others wait for memory that an answer takes which the client does not read.
    reads_too_slowly: CancellationToken,
    /// The request that awaits a room, a channel or the journal. Later messages may refer to its result, so
    /// they are read after it.
    current: JoinSet<Finished>,
}

/// A watchlist that the connection has open.
struct Opened {
    list: OpenList,
    /// The caller's role that the client knows.
    role: ListRole,
}

/// Result of a request that later messages wait for.
enum Finished {
    /// The answer of a request that creates, deletes or restores a watchlist.
    Managed(ServerMessage),
    /// A message is queued for a room or a channel.
    Queued,
    /// The connection is told that its caller may no longer see a watchlist, or the channel has ended.
    Forbidden(WatchlistId, Result<(), Unavailable>),
    /// The connection has subscribed to a watchlist, or cannot.
    Subscribed(WatchlistId, Result<(), Unavailable>),
}

impl Session {
    fn new(
        context: SessionContext,
        peer: Peer,
        client: ClientId,
        (outbox, answers): (Outbox, AnswerQueue),
        ended: CancellationToken,
    ) -> Self {
        let settings = &context.settings;
        let now = Instant::now();
        Self {
            pace: Pace::new(settings.edits_per_second, settings.edits_burst, now),
            withheld: Arc::new(Withheld::new(Sender { user: peer.caller.user, client })),
            context,
            peer,
            client,
            ended,
            outbox,
            answers,
            lists: BTreeMap::new(),
            in_flight: 0,
            forbidden: 0,
            was_told: false,
            not_found: None,
            last_heard: now,
            histories: JoinSet::new(),
            reads_too_slowly: CancellationToken::new(),
            current: JoinSet::new(),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        writer: Writer,
    ) -> End {
        let (stop, reads_too_slowly) = (self.context.stop.clone(), self.reads_too_slowly.clone());
        tokio::select! {
            served = self.serve_until_end(socket, writer) => match served {
                Err(end) => end,
                Ok(never) => match never {},
            },
            // A client that does not read what is being written does not delay the end of the server.
            () = stop.cancelled().then(|()| sleep(STOP_TIMEOUT)) => End::Gone,
            () = reads_too_slowly.cancelled() => {
                info!(user = %self.peer.caller.name, "disconnecting a client that does not read a history, for others that wait");
                End::Gone
            }
        }
    }

    async fn serve_until_end<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        mut writer: Writer,
    ) -> Result<Infallible, End> {
        let mut ping = interval(Duration::from_secs(self.context.settings.ping_seconds.max(1)));
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let silence = self.context.silence();
        socket.send(&self.welcome()).await?;
        let mut lists = ListUpdates::new(&self.context.hub);
        self.send_lists(socket, &mut lists).await?;
        let mut reads_first = false;
        let mut access = self.accounts().changes();
        // What has changed since the caller was authenticated shows now.
        access.mark_changed();
        loop {
            if self.forbidden == 0 && std::mem::take(&mut self.was_told) {
                lists.request();
            }
            if self.not_found.take().is_some_and(|watchlist| lists.names(watchlist)) {
                lists.request();
            }
            self.pace.fill(Instant::now());
            let resume_at = self.pace.wait_until();
            let reads = resume_at.is_none()
                && self.in_flight < EDITS_IN_FLIGHT
                && self.histories.len() < HISTORIES_IN_FLIGHT
                && self.current.is_empty();
            if !reads {
                self.last_heard = Instant::now();
            }
            // What is done with a message or a frame is on the heap while it is done, so that an idle
            // connection has no room for it. The branches before the turns of reading and writing are seldom
            // ready. A message that waits is read before the silence ends the connection.
            tokio::select! {
                biased;
                () = self.context.stop.cancelled() => return Err(restarting()),
                () = self.ended.cancelled() => return Err(signed_out()),
                Ok(()) = access.changed() => Box::pin(self.check_access(socket)).await?,
                Some(finished) = self.current.join_next() => {
                    Box::pin(self.send_result(socket, finished.map_err(|_ended| End::Gone)?)).await?;
                }
                Some(history) = self.histories.join_next() => {
                    let (answer, _slot) = history.map_err(|_ended| End::Gone)?;
                    self.check_signed_in()?;
                    Box::pin(socket.write(answer.bytes())).await?;
                }
                () = lists.due(), if self.forbidden == 0 => self.send_lists(socket, &mut lists).await?,
                _ = ping.tick() => socket.ping().await?,
                () = until(resume_at) => {}
                turn = next_turn(socket, &mut writer, reads, reads_first) => match turn? {
                    // There was nothing to read.
                    Turn::Write(_) if reads && reads_first && self.last_heard.elapsed() >= silence => {
                        return Err(silent(silence));
                    }
                    Turn::Write(ready) => {
                        reads_first = true;
                        Box::pin(self.write(socket, &mut writer, ready)).await?;
                        self.count_told(writer.take_forbidden());
                    }
                    Turn::Read(message) => {
                        reads_first = false;
                        self.last_heard = Instant::now();
                        match message {
                            Some(bytes) => Box::pin(self.receive(socket, &bytes)).await?,
                            None => Box::pin(socket.answer_ping()).await?,
                        }
                    }
                },
                () = sleep_until(self.last_heard + silence) => return Err(silent(silence)),
            }
        }
    }

    async fn write<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        writer: &mut Writer,
        ready: Ready,
    ) -> Result<(), End> {
        let is_behind = match ready {
            Ready::Answer(first) => {
                self.in_flight -= writer.write_answers(socket, first).await?;
                false
            }
            Ready::Item(first) => writer.write_items(socket, first).await?,
            Ready::SnapshotPart => writer.write_part(socket).await?,
        };
        if is_behind {
            let connection = self.peer.connection;
            for list in self.lists.values().map(|opened| opened.list.clone()).collect::<Vec<_>>() {
                let queued = async move { list.catch_up(connection).await };
                self.run_request(socket, queued.map(|()| Finished::Queued)).await?;
            }
        }
        Ok(())
    }

    /// Tells the client which of its roles have changed, and closes the watchlists that the caller may no
    /// longer see.
    async fn check_access<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
    ) -> Result<(), End> {
        self.check_signed_in()?;
        let connection = self.peer.connection;
        let ids: Vec<WatchlistId> = self.lists.keys().copied().collect();
        for watchlist in ids {
            let Some(opened) = self.lists.get_mut(&watchlist) else { continue };
            match opened.list.rights() {
                Ok(rights) if rights.role == opened.role => {}
                Ok(rights) => {
                    opened.role = rights.role;
                    let list = opened.list.clone();
                    let queued = async move { list.set_role(connection, rights.role).await };
                    self.run_request(socket, queued.map(|()| Finished::Queued)).await?;
                }
                Err(_unknown) => {
                    let list = opened.list.clone();
                    self.lists.remove(&watchlist);
                    let (dialect, outbox) = (socket.dialect(), self.outbox.clone());
                    let recipient = Recipient { connection, dialect, outbox };
                    let forbidding = async move { list.forbid(recipient).await };
                    self.forbidden += 1;
                    let finished = move |result| Finished::Forbidden(watchlist, result);
                    self.run_request(socket, forbidding.map(finished)).await?;
                }
            }
        }
        Ok(())
    }

    /// Checks that the caller's session or token has not ended. A caller without one may see nothing, which is no
    /// answer to what they have sent: edits are sent again, and watchlists opened, after the next sign-in.
    fn check_signed_in(&self) -> Result<(), End> {
        if self.accounts().role(&self.peer.caller).is_some() { Ok(()) } else { Err(signed_out()) }
    }

    /// Counts the watchlists that the client was told it may no longer see.
    fn count_told(&mut self, count: usize) {
        self.forbidden -= count;
        self.was_told |= count > 0;
    }

    fn accounts(&self) -> &Accounts {
        self.context.hub.accounts()
    }

    fn welcome(&self) -> ServerMessage {
        ServerMessage::Welcome(Welcome {
            protocol: PROTOCOL,
            server: env!("CARGO_PKG_VERSION").into(),
            user: self.accounts().user(&self.peer.caller).into(),
            now: (self.context.clock)(),
        })
    }

    async fn send_lists<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: &mut Socket<S>,
        updates: &mut ListUpdates,
    ) -> Result<(), End> {
        let SessionContext { hub, lists, .. } = &self.context;
        let (frame, state) = lists.get(hub, &self.peer.caller, socket.dialect());
        if updates.is_new(state) { socket.write(frame.bytes()).await } else { Ok(()) }
    }

    async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        bytes: &[u8],
    ) -> Result<(), End> {
        self.pace.consume_message(Instant::now());
        self.accounts().record_use(&self.peer.caller);
        let encoding = socket.encoding();
        let decode = || encoding.decode_client(bytes);
        let message = match long_work::run(bytes.len() >= LONG_BYTES, decode) {
            Ok(message) => message,
            Err(DecodeError::BadMessage(message)) => return Err(End::Error(ErrorCode::BadMessage, message)),
            Err(DecodeError::BadEdit { watchlist, edit, message }) => {
                let unreadable = Unreadable { bytes: bytes.to_vec(), message };
                return self.edit(socket, watchlist, edit, Err(unreadable)).await;
            }
        };
        let (hub, caller) = (&self.context.hub, &self.peer.caller);
        match message {
            ClientMessage::Hello(_) => Err(End::Error(ErrorCode::BadMessage, "duplicate hello".to_owned())),
            ClientMessage::Edit(client::Edit { watchlist, edit, changes }) => {
                self.edit(socket, watchlist, edit, Ok(changes)).await
            }
            ClientMessage::Open(open) => self.open(socket, open).await,
            ClientMessage::Close(close) => {
                let Some(opened) = self.lists.remove(&close.watchlist) else { return Ok(()) };
                let connection = self.peer.connection;
                let queued = async move { opened.list.unsubscribe(connection).await };
                self.run_request(socket, queued.map(|()| Finished::Queued)).await
            }
            ClientMessage::Presence(presence) => {
                let client::Presence { watchlist, window, cell, editing } = presence;
                let Some(list) = self.lists.get(&watchlist).map(|opened| opened.list.clone()) else {
                    return Ok(());
                };
                let connection = self.peer.connection;
                let queued = async move { list.set_presence(connection, window, cell, editing).await };
                self.run_request(socket, queued.map(|()| Finished::Queued)).await
            }
            ClientMessage::Create(create) => {
                let created = manage::create(hub.clone(), self.peer.clone(), create);
                self.run_request(socket, created.map(Finished::Managed)).await
            }
            ClientMessage::Delete(delete) => {
                let deleted = manage::delete(hub.clone(), self.peer.clone(), delete);
                self.run_request(socket, deleted.map(Finished::Managed)).await
            }
            ClientMessage::Restore(restore) => {
                let restored = manage::restore(hub.clone(), self.peer.clone(), restore);
                self.run_request(socket, restored.map(Finished::Managed)).await
            }
            ClientMessage::DeletedLists(request) => {
                let answer = manage::deleted_lists(hub, caller, request);
                self.check_signed_in()?;
                socket.send(&answer).await
            }
            ClientMessage::History(request) => {
                let (slots, connection) = (self.context.histories.clone(), self.reads_too_slowly.clone());
                let user = caller.user;
                let slot = async move { slots.acquire(user, connection).await };
                let by = (hub.clone(), caller.clone());
                self.histories.spawn(history(by, slot, request, socket.dialect()));
                Ok(())
            }
        }
    }

    /// Starts a request. If it has to wait, it ends beside the loop.
    async fn run_request<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        request: impl Future<Output = Finished> + Send + 'static,
    ) -> Result<(), End> {
        let mut request = Box::pin(request);
        match request.as_mut().now_or_never() {
            Some(finished) => self.send_result(socket, finished).await,
            None => {
                self.current.spawn(request);
                Ok(())
            }
        }
    }

    async fn send_result<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        finished: Finished,
    ) -> Result<(), End> {
        match finished {
            Finished::Managed(answer) => {
                if matches!(answer, ServerMessage::Error(_)) {
                    self.check_signed_in()?;
                }
                socket.send(&answer).await
            }
            Finished::Queued | Finished::Subscribed(_, Ok(())) | Finished::Forbidden(_, Ok(())) => Ok(()),
            Finished::Forbidden(watchlist, Err(_ended)) => {
                let reason = ClosedReason::Forbidden;
                self.count_told(1);
                socket.send(&ServerMessage::Closed(Closed { watchlist, reason })).await
            }
            Finished::Subscribed(watchlist, Err(reason)) => {
                self.lists.remove(&watchlist);
                let message = reason.message().to_owned();
                socket.send(&watchlist_error(watchlist, ErrorCode::Unavailable, message)).await
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
        self.pace.consume(Instant::now());
        self.withheld.mark_received(watchlist, edit);
        let open = self.lists.get(&watchlist).map(|opened| opened.list.clone());
        let open = open.filter(|list| !list.is_gone());
        let list = open.map_or_else(|| self.context.hub.connect(&self.peer.caller, watchlist), Ok);
        let rejection = match list.and_then(|list| Ok((list.rights()?, list))) {
            Ok((rights, list)) => {
                if changes.as_ref().is_ok_and(|changes| rights.check_edit(changes).is_err()) {
                    // The room refuses it, and keeps that answer for a repeat.
                    self.peer.record_denial(&self.context.hub, "edit", watchlist);
                }
                let reply = Reply::Connection(self.answers.clone(), self.withheld.clone());
                self.in_flight += 1;
                let client = self.client;
                let queued = async move { list.edit(rights, (client, edit), changes, reply).await };
                return self.run_request(socket, queued.map(|()| Finished::Queued)).await;
            }
            Err(unknown)
                if unknown.code == Code::UnknownWatchlist && self.withheld.admits(watchlist, edit) =>
            {
                unknown
            }
            Err(_unavailable) => {
                self.withheld.withhold(watchlist, edit);
                Unavailable::NotServed.into()
            }
        };
        self.check_signed_in()?;
        socket.send(&rejected(watchlist, edit, rejection)).await
    }

    async fn open<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        open: client::Open,
    ) -> Result<(), End> {
        let watchlist = open.watchlist;
        self.lists.retain(|_, opened| !opened.list.is_gone());
        let limit = self.context.settings.limits.open_watchlists;
        if !self.lists.contains_key(&watchlist) && self.lists.len() >= limit {
            let message = format!("a connection can have at most {limit} watchlists open");
            return socket.send(&watchlist_error(watchlist, ErrorCode::Forbidden, message)).await;
        }
        let connected = self.context.hub.connect(&self.peer.caller, watchlist);
        let (list, role) = match connected.and_then(|list| Ok((list.rights()?.role, list))) {
            Ok((role, list)) => (list, role),
            Err(rejection) => {
                self.check_signed_in()?;
                let code = error_code(rejection.code);
                self.not_found = Some(watchlist);
                return socket.send(&watchlist_error(watchlist, code, rejection.message)).await;
            }
        };
        let subscriber = Subscriber {
            connection: self.peer.connection,
            client: self.client,
            name: self.peer.caller.name.clone(),
            dialect: socket.dialect(),
            role,
            outbox: self.outbox.clone(),
        };
        self.lists.insert(watchlist, Box::new(Opened { list: list.clone(), role }));
        let withheld = self.withheld.clone();
        let subscribing = async move { list.subscribe(subscriber, open.at, &withheld).await };
        self.run_request(socket, subscribing.map(move |result| Finished::Subscribed(watchlist, result))).await
    }

    async fn leave(&mut self) {
        // First, so that it does not subscribe afterwards.
        self.current.shutdown().await;
        for opened in std::mem::take(&mut self.lists).into_values() {
            opened.list.unsubscribe(self.peer.connection).await;
        }
    }
}
