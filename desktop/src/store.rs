//! What the windows show: the replica, what glows, the edits that wait, and what is to be said to the person.
//! It knows neither the network nor egui.

pub mod glow;
pub mod history;
pub mod log;
mod making;
mod notices;
pub mod outbox;
mod reading;
pub mod trails;
pub mod undo;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use shared::{
    column::ColumnKey,
    edit::{Change, Code, Rejection},
    ids::{ClientId, EditId, RowId, WatchlistId, WindowId},
    limits::Limits,
    replica::{Effect, Event, KeptEdit, Outcome, Replica},
    watchlist::Watchlist,
    wire::{
        CellRef,
        client::ClientMessage,
        server::{ErrorCode, ServerMessage},
    },
};
use uuid::Uuid;

pub use self::notices::Notice;
use self::{
    glow::{Glow, Shape},
    history::CellHistory,
    log::{Log, LogQuery},
    making::{Fill, Making},
    notices::Notices,
    outbox::Outbox,
    reading::Reading,
    trails::Trails,
    undo::{Edits, UndoStacks},
    words::{refusal, sentence},
};

/// Watchlists that are kept up to date at once; more than there can be windows.
const OPEN_LISTS: usize = 32;

/// The columns whose values a window draws, by watchlist.
pub type Traced = BTreeMap<WatchlistId, BTreeSet<ColumnKey>>;

/// Where an edit changes something: the person is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The watchlist.
    pub watchlist: WatchlistId,
    /// The first row that it changes and does not take away, and the column, where it is about one.
    pub cell: Option<(RowId, Option<ColumnKey>)>,
}

impl Spot {
    fn of(watchlist: WatchlistId, changes: &[Change]) -> Self {
        let cell = changes.iter().find_map(|change| match change {
            Change::Set(set) => Some((set.row, Some(set.column.clone()))),
            Change::Remove(_) => None,
            other => Some((other.row()?, None)),
        });
        Self { watchlist, cell }
    }
}

/// How the connection is, in words for the person.
#[derive(Clone, Debug, PartialEq)]
pub enum Connection {
    /// A try is under way.
    Connecting,
    /// The socket is open and the server has answered.
    Up {
        /// The last round trip.
        round_trip: Option<Duration>,
    },
    /// There is none.
    Down {
        /// Why.
        reason: String,
        /// When the next try is.
        retry_at: Instant,
    },
}

/// A cell that a window edits.
struct Edited {
    cell: (WatchlistId, RowId, ColumnKey),
    /// Who set it meanwhile.
    author: Option<Arc<str>>,
}

/// Everything that the windows of this process share.
pub struct Store {
    replica: Replica,
    glow: BTreeMap<WatchlistId, Glow>,
    shape: Shape,
    /// The cells that windows are editing, and who set them meanwhile: of all others nobody asks.
    edited: BTreeMap<WindowId, Edited>,
    /// What windows draw of the past.
    traced: BTreeMap<WindowId, Traced>,
    trails: BTreeMap<WatchlistId, Trails>,
    /// What windows read of the past.
    reading: Reading,
    outbox: Outbox,
    undo: UndoStacks,
    connection: Connection,
    /// The last one on this connection; it may be known before the server's welcome.
    round_trip: Option<Duration>,
    notices: Notices,
    /// Watchlists that the server cannot serve at present, and why.
    unserved: BTreeMap<WatchlistId, Arc<str>>,
    /// Watchlists that are made here.
    making: Making,
    /// The watchlists that are kept up to date, those shown last at the end.
    opened: Vec<WatchlistId>,
    /// Whether the person knows that edits cannot be kept on the disk.
    is_fault_told: bool,
    /// The connection greeted the server under an id that is given up.
    is_connection_stale: bool,
}

impl Store {
    /// Opens the outbox in a folder and starts from what it holds.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(outbox_folder: &Path) -> std::io::Result<Self> {
        let (outbox, contents) = Outbox::open(outbox_folder)?;
        let app = concat!("afterglow/", env!("CARGO_PKG_VERSION"));
        let replica =
            Replica::new(contents.client, app, Limits::default(), contents.next_edit, contents.kept);
        Ok(Self {
            replica,
            glow: BTreeMap::new(),
            shape: Shape::default(),
            edited: BTreeMap::new(),
            traced: BTreeMap::new(),
            trails: BTreeMap::new(),
            reading: Reading::default(),
            outbox,
            undo: UndoStacks::default(),
            connection: Connection::Connecting,
            round_trip: None,
            notices: Notices::default(),
            unserved: BTreeMap::new(),
            making: Making::default(),
            opened: Vec::new(),
            is_fault_told: false,
            is_connection_stale: false,
        })
    }

    /// What is known of the server.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// A watchlist as the windows show it.
    pub fn watchlist(&self, id: WatchlistId) -> Option<&Watchlist> {
        self.replica.list(id)?.state()
    }

    /// What glows in a watchlist.
    pub fn glow(&self, id: WatchlistId) -> Option<&Glow> {
        self.glow.get(&id)
    }

    /// A window edits a cell from here on, or none.
    pub fn watch(&mut self, window: WindowId, cell: Option<(WatchlistId, RowId, ColumnKey)>) {
        match cell {
            None => drop(self.edited.remove(&window)),
            Some(cell) if self.edited.get(&window).is_some_and(|edited| edited.cell == cell) => {}
            Some(cell) => drop(self.edited.insert(window, Edited { cell, author: None })),
        }
    }

    /// Who set the cell that a window edits, where somebody did since.
    pub fn author(&self, window: WindowId) -> Option<String> {
        self.edited.get(&window)?.author.as_ref().map(|name| name.to_string())
    }

    /// A window draws the past values of these columns from here on.
    pub fn trace(&mut self, window: WindowId, traced: Traced) {
        if self.traced.get(&window).is_some_and(|before| *before == traced)
            || traced.is_empty() && !self.traced.contains_key(&window)
        {
            return;
        }
        self.traced.insert(window, traced);
        let mut wanted = Traced::new();
        for (watchlist, columns) in self.traced.values().flatten() {
            wanted.entry(*watchlist).or_default().extend(columns.iter().cloned());
        }
        for (watchlist, columns) in &wanted {
            self.trails.entry(*watchlist).or_default().want(columns);
        }
        self.trails.retain(|watchlist, trails| wanted.contains_key(watchlist) && !trails.is_idle());
    }

    /// The past values of a watchlist's cells, where a window draws any.
    pub fn trails(&self, watchlist: WatchlistId) -> Option<&Trails> {
        self.trails.get(&watchlist)
    }

    /// Asks for the last changes of the cell that a window looks at.
    pub fn ask_history(&mut self, watchlist: WatchlistId, window: WindowId, row: RowId, column: ColumnKey) {
        self.reading.ask_cell(&mut self.replica, window, watchlist, row, column);
    }

    /// The last changes of the cell that a window looks at in a watchlist.
    pub fn history(&self, watchlist: WatchlistId, window: WindowId) -> Option<&CellHistory> {
        self.reading.cell(window, watchlist)
    }

    /// A window reads these changes from here on, or none; `is_held` while they are to stay as they are. What has
    /// come since is asked for from time to time. Gives when to look again.
    pub fn read_log(
        &mut self,
        window: WindowId,
        query: Option<LogQuery>,
        is_held: bool,
        now: Duration,
    ) -> Option<Duration> {
        self.reading.want_log(&mut self.replica, window, query, is_held, now)
    }

    /// The changes that a window reads.
    pub fn log(&self, window: WindowId) -> Option<&Log> {
        self.reading.log(window)
    }

    /// Asks for the newest changes for a window, or for those before the ones that it has.
    pub fn ask_log(&mut self, window: WindowId, older: bool) {
        self.reading.ask_log(&mut self.replica, window, older);
    }

    /// A window is closed.
    pub fn forget_window(&mut self, window: WindowId) {
        for watchlist in self.opened.clone() {
            self.replica.presence(watchlist, window, None, false);
        }
        self.edited.remove(&window);
        self.reading.forget(window);
        self.trace(window, Traced::new());
        self.traced.remove(&window);
    }

    /// How the connection is.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Why the server cannot serve a watchlist at present, where it said so.
    pub fn unserved(&self, watchlist: WatchlistId) -> Option<&str> {
        self.unserved.get(&watchlist).map(|why| &**why)
    }

    /// What is to be said, oldest first.
    pub fn notices(&self) -> &[Notice] {
        self.notices.all()
    }

    /// Whether anything glows at `now`.
    pub fn is_glowing(&self, now: Duration) -> bool {
        self.glow.values().any(|glow| glow.is_glowing(now))
    }

    /// Shows changes by others as the person chose.
    pub fn set_glow(&mut self, shape: Shape) {
        self.shape = shape;
        self.glow.values_mut().for_each(|glow| glow.set_shape(self.shape));
    }

    fn glow_of(&mut self, watchlist: WatchlistId) -> &mut Glow {
        self.glow.entry(watchlist).or_insert_with(|| Glow::new(self.shape))
    }

    /// Says something to the person.
    pub fn say(&mut self, text: impl Into<String>, restore: Option<WatchlistId>, now: Duration) {
        self.notices.add(text.into(), restore, Some(now));
    }

    /// Says something that the person must not miss: it stays until it is dismissed.
    pub fn say_until_read(&mut self, text: impl Into<String>) {
        self.notices.add(text.into(), None, None);
    }

    /// The person has read it.
    pub fn dismiss(&mut self, notice: u64) {
        self.notices.dismiss(notice);
    }

    /// Forgets notices that were up for long enough.
    pub fn expire_notices(&mut self, now: Duration, after: Duration) {
        self.notices.expire(now, after);
    }

    /// A try to connect begins.
    pub fn connecting(&mut self) {
        if !matches!(self.connection, Connection::Down { .. }) {
            self.connection = Connection::Connecting;
        }
    }

    /// The socket is open.
    pub fn connected(&mut self) {
        self.connection = Connection::Connecting;
        self.round_trip = None;
        self.replica.connected();
    }

    /// How long the last ping took.
    pub fn round_trip(&mut self, took: Duration) {
        self.round_trip = Some(took);
        if let Connection::Up { round_trip } = &mut self.connection {
            *round_trip = Some(took);
        }
    }

    /// There is no connection.
    pub fn down(&mut self, reason: String, retry_at: Instant, now: Duration) {
        self.connection = Connection::Down { reason, retry_at };
        self.unserved.clear();
        self.replica.disconnected();
        self.settle(now);
    }

    /// A message came.
    pub fn receive(&mut self, message: ServerMessage, now: Duration) {
        self.replica.handle(message, millis(now));
        self.settle(now);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        self.replica.tick(millis(now));
        for glow in self.glow.values_mut() {
            glow.fade(now);
        }
        let fault = self.outbox.fault();
        let was_told = std::mem::replace(&mut self.is_fault_told, fault.is_some());
        if let Some(fault) = fault.filter(|_| !was_told) {
            self.say_until_read(format!(
                "This machine's disk does not take edits at present ({fault}). They are sent as always, but those that \
                 wait would be lost if the program ended."
            ));
        }
    }

    /// The next message to send.
    pub fn poll_send(&mut self) -> Option<ClientMessage> {
        self.replica.poll_send()
    }

    /// Whether the connection is to be made anew; asked once for each time.
    pub fn take_stale_connection(&mut self) -> bool {
        std::mem::take(&mut self.is_connection_stale)
    }

    /// Watchlists that were made for a window and are to be shown in it.
    pub fn take_made(&mut self) -> Vec<(WindowId, WatchlistId)> {
        self.making.take_made()
    }

    /// A watchlist that was made for another window than the one that asked.
    pub fn put_back_made(&mut self, window: WindowId, watchlist: WatchlistId) {
        self.making.put_back(window, watchlist);
    }

    /// Wants a watchlist's changes. Those that no window has shown for longest are given up: a connection has
    /// only so many open.
    pub fn open_list(&mut self, watchlist: WatchlistId) {
        self.opened.retain(|opened| *opened != watchlist);
        self.opened.push(watchlist);
        self.replica.open(watchlist);
        if self.opened.len() > OPEN_LISTS {
            let given_up = self.opened.remove(0);
            self.replica.close(given_up);
            self.glow.remove(&given_up);
        }
    }

    /// Tells the others where a window is.
    pub fn presence(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        cell: Option<CellRef>,
        editing: bool,
    ) {
        self.replica.presence(watchlist, window, cell, editing);
    }

    /// Makes an edit of a window: shown at once, kept on disk, sent when it can be. Changes that change
    /// nothing are left out. An edit of unchanged values is no edit.
    ///
    /// # Errors
    /// What would be refused for its size or its values is refused here.
    pub fn edit(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        changes: Vec<Change>,
    ) -> Result<(), Rejection> {
        let Some(state) = self.watchlist(watchlist) else {
            return Err(Rejection::new(Code::UnknownWatchlist, "the watchlist is not loaded yet"));
        };
        let changes: Vec<Change> =
            changes.into_iter().filter(|change| changes_something(state, change)).collect();
        if changes.is_empty() {
            return Ok(());
        }
        if !self.outbox.has_number() {
            let message = "this machine's disk is full, and edits could be lost on it: free some room";
            return Err(Rejection::new(Code::Unavailable, message));
        }
        let inverse = self.replica.inverse(watchlist, &changes);
        let kept = self.replica.edit(watchlist, window, changes.clone())?;
        self.outbox.keep(&kept);
        self.undo.made(window, Edits { watchlist, changes: inverse, again: changes, edit: kept.edit });
        Ok(())
    }

    /// Takes back a window's last edit, as a new guarded edit, and gives where; nothing where there is none.
    pub fn undo(&mut self, window: WindowId, now: Duration) -> Option<Spot> {
        let step = self.undo.pop_undo(window)?;
        let spot = Spot::of(step.watchlist, &step.changes);
        // What makes it again is guarded by what taking it back leaves there.
        let again = self.replica.inverse(step.watchlist, &step.changes);
        match self.replay(window, step.watchlist, step.changes.clone()) {
            Ok(kept) => {
                let undone =
                    Edits { watchlist: step.watchlist, changes: step.changes, again, edit: kept.edit };
                self.undo.undone(window, undone);
            }
            Err(rejection) => self.say(format!("This cannot be undone: {rejection}."), None, now),
        }
        Some(spot)
    }

    /// Makes a window's last undone edit again, and gives where; nothing where there is none.
    pub fn redo(&mut self, window: WindowId, now: Duration) -> Option<Spot> {
        let step = self.undo.pop_redo(window)?;
        let spot = Spot::of(step.watchlist, &step.again);
        let inverse = self.replica.inverse(step.watchlist, &step.again);
        match self.replay(window, step.watchlist, step.again.clone()) {
            Ok(kept) => {
                let made =
                    Edits { watchlist: step.watchlist, changes: inverse, again: step.again, edit: kept.edit };
                self.undo.remade(window, made);
            }
            Err(rejection) => self.say(format!("This cannot be made again: {rejection}."), None, now),
        }
        Some(spot)
    }

    fn replay(
        &mut self,
        window: WindowId,
        watchlist: WatchlistId,
        changes: Vec<Change>,
    ) -> Result<KeptEdit, Rejection> {
        let kept = self.replica.edit(watchlist, window, changes)?;
        self.outbox.keep(&kept);
        Ok(kept)
    }

    /// Makes a watchlist, fills it, and shows it in a window. False while not connected.
    pub fn create(
        &mut self,
        window: WindowId,
        id: WatchlistId,
        name: &str,
        columns: Option<Vec<shared::column::Column>>,
        fill: Vec<Vec<Change>>,
    ) -> bool {
        match self.replica.create(id, name, columns) {
            Some(request) => {
                self.making.asked(request, Fill { window, edits: fill });
                true
            }
            None => false,
        }
    }

    /// Deletes a watchlist. False while not connected.
    pub fn delete(&mut self, watchlist: WatchlistId) -> bool {
        self.replica.delete(watchlist).is_some()
    }

    /// Brings a deleted watchlist back. False while not connected.
    pub fn restore(&mut self, watchlist: WatchlistId) -> bool {
        self.replica.restore(watchlist).is_some()
    }

    fn settle(&mut self, now: Duration) {
        for event in self.replica.take_events() {
            self.take(event, now);
        }
    }

    fn take(&mut self, event: Event, now: Duration) {
        match event {
            Event::Welcomed => {
                self.connection = Connection::Up { round_trip: self.round_trip };
                self.reading.connected();
            }
            Event::Loaded { watchlist, is_other_history } => {
                self.loaded(watchlist, is_other_history, now);
            }
            Event::Committed { watchlist, window, effects, by, .. } => {
                self.note_author(watchlist, &by.name, &effects);
                self.reading.committed(watchlist, &effects);
                if let Some(trails) = self.trails.get_mut(&watchlist) {
                    trails.note(&effects);
                }
                self.glow_of(watchlist).note(&effects, window, now);
            }
            Event::Settled { watchlist, edit, window, outcome, changes } => {
                self.outbox.answered(edit);
                if let Outcome::Rejected(rejection) = outcome {
                    self.undo.refused(window, edit);
                    // What the person typed is in it: it is not to go by itself.
                    let text = refusal(self.watchlist(watchlist), &rejection, &changes);
                    self.say_until_read(text);
                }
            }
            Event::Unavailable { .. } => {
                self.say(
                    "The server cannot store edits at present. Yours are kept here and sent again.",
                    None,
                    now,
                );
            }
            Event::NumbersReused => self.renew(now),
            Event::Created { request, watchlist } => self.making.made(request, watchlist),
            Event::Deleted { watchlist, .. } => {
                let name = self
                    .watchlist(watchlist)
                    .map(|watchlist| format!(" \u{201c}{}\u{201d}", watchlist.name()));
                let name = name.unwrap_or_default();
                self.say(format!("The watchlist{name} is deleted for everyone."), Some(watchlist), now);
            }
            Event::RequestFailed { request, message, .. } => {
                self.making.failed(request);
                self.say(sentence(&message), None, now);
            }
            Event::HistoryFailed { request } => self.reading.failed(request),
            // That it is not connected is said where the connection is.
            Event::ServerError { code: ErrorCode::Restarting, .. } => {}
            Event::ServerError { code: ErrorCode::Unavailable, message, watchlist: Some(watchlist) } => {
                self.not_served(watchlist, &message, now);
            }
            Event::ServerError { message, .. } => self.say(sentence(&message), None, now),
            Event::Closed { watchlist } => {
                self.unserved.remove(&watchlist);
                self.glow.remove(&watchlist);
                self.undo.forget(watchlist);
            }
            Event::History { request, commits } => self.reading.answered(request, &commits),
            Event::Resumed { watchlist } => drop(self.unserved.remove(&watchlist)),
            Event::Watchlists | Event::Pending { .. } | Event::People { .. } | Event::Restored { .. } => {}
        }
    }

    /// A watchlist was replaced whole.
    fn loaded(&mut self, watchlist: WatchlistId, is_other_history: bool, now: Duration) {
        self.reading.loaded(watchlist);
        self.unserved.remove(&watchlist);
        self.glow_of(watchlist).clear();
        if is_other_history {
            self.undo.forget(watchlist);
            let name = self.watchlist(watchlist).map(|watchlist| watchlist.name().to_string());
            self.say_until_read(format!(
                "The watchlist \u{201c}{}\u{201d} has been restored on the server from an older copy: it shows what was \
                 kept then. Changes that were made since may be missing.",
                name.unwrap_or_default()
            ));
        }
        self.fill(watchlist, now);
    }

    /// The server cannot serve a watchlist at present: said in its place, or, where it is shown, once.
    fn not_served(&mut self, watchlist: WatchlistId, message: &str, now: Duration) {
        let said = sentence(message);
        let is_known = self.unserved.insert(watchlist, said.as_str().into()).as_deref() == Some(&said);
        if !is_known && self.watchlist(watchlist).is_some() {
            self.say(said, None, now);
        }
    }

    /// Remembers who set a cell that is being edited.
    fn note_author(&mut self, watchlist: WatchlistId, name: &Arc<str>, effects: &[Effect]) {
        for Edited { cell: (list, row, column), author } in self.edited.values_mut() {
            if *list == watchlist && sets_cell(effects, *row, column) {
                *author = Some(name.clone());
            }
        }
    }

    /// Goes on under a new client id: the server holds other edits under this one's numbers.
    fn renew(&mut self, now: Duration) {
        let client = ClientId(Uuid::now_v7());
        let renamed = self.replica.renew(client);
        for (old, kept) in &renamed {
            self.undo.renumber(*old, kept.edit);
        }
        self.is_connection_stale = true;
        let kept: Vec<KeptEdit> = renamed.into_iter().map(|(_, kept)| kept).collect();
        let next = kept.last().map_or(EditId(1), |last| last.edit.next());
        match self.outbox.renew(client, next, &kept) {
            Ok(()) => self.say(
                "Another copy of this computer's Afterglow data has made edits under the same id (was the data \
                 folder copied, or restored from a backup?). Yours are sent again under a new one.",
                None,
                now,
            ),
            Err(error) => self.say(
                format!("Edits made while offline would not survive a restart: they cannot be kept ({error})."),
                None,
                now,
            ),
        }
    }

    /// Puts the rows of an import into its new watchlist.
    fn fill(&mut self, watchlist: WatchlistId, now: Duration) {
        let Some(Fill { window, edits }) = self.making.take_fill(watchlist) else { return };
        for changes in edits {
            match self.replica.edit(watchlist, window, changes) {
                Ok(kept) => self.outbox.keep(&kept),
                Err(rejection) => {
                    self.say(format!("The import stopped: {rejection}."), None, now);
                    return;
                }
            }
        }
    }
}

/// Whether one of a commit's effects is that a cell was set.
fn sets_cell(effects: &[Effect], row: RowId, column: &ColumnKey) -> bool {
    effects.iter().any(
        |effect| matches!(effect, Effect::Cell { row: set, column: of, .. } if *set == row && of == column),
    )
}

fn changes_something(state: &Watchlist, change: &Change) -> bool {
    match change {
        Change::Set(set) => {
            let Some(entry) = state.columns().get(&set.column) else { return true };
            let present = state.cell(set.row, &set.column);
            entry.column.kind.read(&set.value, &Limits::default()).ok() != Some(present)
        }
        Change::Rename(rename) => rename.name != *state.name(),
        _ => true,
    }
}

fn millis(now: Duration) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
