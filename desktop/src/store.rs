//! The state that the windows share: the replica, the glow, unsent edits, undo and notices. It knows neither
//! the network nor egui.

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
    edit::{CellRef, Change},
    ids::{ClientId, EditId, RowId, WatchlistId, WindowId},
    limits::Limits,
    rejection::{Code, Rejection},
    replica::{Effect, Event, KeptEdit, Outcome, Replica},
    watchlist::Watchlist,
    wire::{
        client::ClientMessage,
        server::{DeletedSummary, ErrorCode, ServerMessage},
    },
};
use uuid::Uuid;

pub use self::notices::Notice;
use self::{
    glow::{Glow, GlowStyle},
    history::CellHistory,
    log::{Log, LogQuery},
    making::{Fill, Making},
    notices::Notices,
    outbox::Outbox,
    reading::{Reading, sets_cell},
    trails::Trails,
    undo::{Direction, UndoStacks, UndoStep},
    words::{rejection_text, sentence},
};

/// Maximum number of subscribed watchlists; greater than the maximum number of windows.
const OPEN_LISTS: usize = 32;

/// Columns that a window draws as sparklines, by watchlist.
pub type Traced = BTreeMap<WatchlistId, BTreeSet<ColumnKey>>;

/// The place that an edit changes, which undo and redo scroll to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The watchlist that the edit changes.
    pub watchlist: WatchlistId,
    /// The first changed row that the edit does not remove, and its column if the change has one.
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

/// State of the connection, as shown to the person.
#[derive(Clone, Debug, PartialEq)]
pub enum Connection {
    /// An attempt to connect is in progress.
    Connecting,
    /// The server has welcomed this client.
    Up {
        /// Last reported round trip.
        round_trip: Option<Duration>,
    },
    /// Not connected.
    Down {
        /// Reason for the person.
        reason: String,
        /// When the next attempt to connect starts.
        retry_at: Instant,
    },
}

/// The cell that a window is editing.
struct Edited {
    cell: (WatchlistId, RowId, ColumnKey),
    /// Who changed the cell since the editor was opened.
    author: Option<Arc<str>>,
}

/// The state that all windows of this process share.
pub struct Store {
    replica: Replica,
    glow: BTreeMap<WatchlistId, Glow>,
    style: GlowStyle,
    /// The cell that each window is editing.
    edited: BTreeMap<WindowId, Edited>,
    /// The columns that each window draws as sparklines.
    traced: BTreeMap<WindowId, Traced>,
    trails: BTreeMap<WatchlistId, Trails>,
    /// The history that windows show.
    reading: Reading,
    outbox: Outbox,
    undo: UndoStacks,
    connection: Connection,
    /// Last round trip of this connection; it may be measured before the server's welcome.
    round_trip: Option<Duration>,
    notices: Notices,
    /// Watchlists that the server cannot serve now, with the reason.
    unserved: BTreeMap<WatchlistId, Arc<str>>,
    /// Deleted watchlists that may be restored, as the server last listed them.
    deleted: Vec<DeletedSummary>,
    /// Watchlists that are being created here.
    making: Making,
    /// Subscribed watchlists, the most recently shown last.
    opened: Vec<WatchlistId>,
    /// Whether the person has been notified that edits cannot be written to disk.
    is_fault_notified: bool,
    /// Whether the connection was opened under a client id that is no longer used.
    is_connection_stale: bool,
}

impl Store {
    /// Opens the outbox in a folder and restores its unsent edits.
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
            style: GlowStyle::default(),
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
            deleted: Vec::new(),
            making: Making::default(),
            opened: Vec::new(),
            is_fault_notified: false,
            is_connection_stale: false,
        })
    }

    /// Returns the replica of the server's state.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Returns a watchlist with the pending edits applied, if it is loaded.
    pub fn watchlist(&self, id: WatchlistId) -> Option<&Watchlist> {
        self.replica.list(id)?.state()
    }

    /// Returns the glow of a watchlist.
    pub fn glow(&self, id: WatchlistId) -> Option<&Glow> {
        self.glow.get(&id)
    }

    /// Sets the cell that a window is editing.
    pub fn set_edited_cell(&mut self, window: WindowId, cell: Option<(WatchlistId, RowId, ColumnKey)>) {
        match cell {
            None => drop(self.edited.remove(&window)),
            Some(cell) if self.edited.get(&window).is_some_and(|edited| edited.cell == cell) => {}
            Some(cell) => drop(self.edited.insert(window, Edited { cell, author: None })),
        }
    }

    /// Returns who else changed the cell that a window is editing, since its editor was opened.
    pub fn author(&self, window: WindowId) -> Option<String> {
        self.edited.get(&window)?.author.as_ref().map(|name| name.to_string())
    }

    /// Sets the columns that a window draws as sparklines.
    pub fn set_traced(&mut self, window: WindowId, traced: Traced) {
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
            self.trails.entry(*watchlist).or_default().set_columns(columns);
        }
        self.trails.retain(|watchlist, trails| wanted.contains_key(watchlist) && !trails.is_empty());
    }

    /// Returns the sparkline values of a watchlist, if a window draws any.
    pub fn trails(&self, watchlist: WatchlistId) -> Option<&Trails> {
        self.trails.get(&watchlist)
    }

    /// Requests the last changes of a cell for a window.
    pub fn request_cell_history(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        row: RowId,
        column: ColumnKey,
    ) {
        self.reading.request_cell(&mut self.replica, window, watchlist, row, column);
    }

    /// Returns the last changes of the cell that a window has requested in a watchlist.
    pub fn cell_history(&self, watchlist: WatchlistId, window: WindowId) -> Option<&CellHistory> {
        self.reading.cell(window, watchlist)
    }

    /// Sets the history query of a window and requests newer changes periodically unless `is_paused`. Returns
    /// the time until the next request is due.
    pub fn set_log_query(
        &mut self,
        window: WindowId,
        query: Option<LogQuery>,
        is_paused: bool,
        now: Duration,
    ) -> Option<Duration> {
        self.reading.set_log_query(&mut self.replica, window, query, is_paused, now)
    }

    /// Returns the history that a window shows.
    pub fn log(&self, window: WindowId) -> Option<&Log> {
        self.reading.log(window)
    }

    /// Requests the newest page of a window's history, or the next older one.
    pub fn request_log(&mut self, window: WindowId, older: bool) {
        self.reading.request_log(&mut self.replica, window, older);
    }

    /// Drops everything kept for a closed window.
    pub fn forget_window(&mut self, window: WindowId) {
        for watchlist in self.opened.clone() {
            self.replica.presence(watchlist, window, None, false);
        }
        self.edited.remove(&window);
        self.reading.forget_window(window);
        self.set_traced(window, Traced::new());
        self.traced.remove(&window);
    }

    /// Returns the state of the connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns why the server cannot serve a watchlist, if it reported that.
    pub fn unserved(&self, watchlist: WatchlistId) -> Option<&str> {
        self.unserved.get(&watchlist).map(|why| &**why)
    }

    /// Returns the current notices, oldest first.
    pub fn notices(&self) -> &[Notice] {
        self.notices.all()
    }

    /// Returns whether anything glows at `now`.
    pub fn is_glowing(&self, now: Duration) -> bool {
        self.glow.values().any(|glow| glow.is_glowing(now))
    }

    /// Applies the glow settings.
    pub fn set_glow(&mut self, style: GlowStyle) {
        self.style = style;
        self.glow.values_mut().for_each(|glow| glow.set_style(self.style));
    }

    fn glow_mut(&mut self, watchlist: WatchlistId) -> &mut Glow {
        self.glow.entry(watchlist).or_insert_with(|| Glow::new(self.style))
    }

    /// Adds a notice that expires.
    pub fn notify(&mut self, text: impl Into<String>, restore: Option<WatchlistId>, now: Duration) {
        self.notices.add(text.into(), restore, Some(now));
    }

    /// Adds a notice that stays until it is dismissed.
    pub fn notify_until_dismissed(&mut self, text: impl Into<String>) {
        self.notices.add(text.into(), None, None);
    }

    /// Removes a notice.
    pub fn dismiss(&mut self, notice: u64) {
        self.notices.dismiss(notice);
    }

    /// Removes notices older than `after`.
    pub fn expire_notices(&mut self, now: Duration, after: Duration) {
        self.notices.expire(now, after);
    }

    /// Handles the start of an attempt to connect.
    pub fn connecting(&mut self) {
        if !matches!(self.connection, Connection::Down { .. }) {
            self.connection = Connection::Connecting;
        }
    }

    /// Handles an open socket.
    pub fn connected(&mut self) {
        self.connection = Connection::Connecting;
        self.round_trip = None;
        self.replica.connected();
    }

    /// Records the round trip of the last ping.
    pub fn set_round_trip(&mut self, took: Duration) {
        self.round_trip = Some(took);
        if let Connection::Up { round_trip } = &mut self.connection {
            *round_trip = Some(took);
        }
    }

    /// Handles the loss of the connection or a failed attempt.
    pub fn disconnected(&mut self, reason: String, retry_at: Instant, now: Duration) {
        self.connection = Connection::Down { reason, retry_at };
        self.unserved.clear();
        self.replica.disconnected();
        self.handle_events(now);
    }

    /// Handles a message of the server.
    pub fn receive(&mut self, message: ServerMessage, now: Duration) {
        self.replica.handle(message, millis(now));
        self.handle_events(now);
    }

    /// Advances time: resends edits, removes faded glow and reports faults of the outbox.
    pub fn tick(&mut self, now: Duration) {
        self.replica.tick(millis(now));
        for glow in self.glow.values_mut() {
            glow.fade(now);
        }
        let fault = self.outbox.fault();
        let was_notified = std::mem::replace(&mut self.is_fault_notified, fault.is_some());
        if let Some(fault) = fault.filter(|_| !was_notified) {
            self.notify_until_dismissed(format!(
                "Edits cannot be saved to this computer's disk ({fault}). They are still sent to the \
                 server, but pending ones are lost if Afterglow quits. Check the disk for free space."
            ));
        }
    }

    /// Returns the next message to send.
    pub fn poll_send(&mut self) -> Option<ClientMessage> {
        self.replica.poll_send()
    }

    /// Returns whether the connection must be replaced, and clears that request.
    pub fn take_stale_connection(&mut self) -> bool {
        std::mem::take(&mut self.is_connection_stale)
    }

    /// Takes the created watchlists that are yet to be shown, with their windows.
    pub fn take_created(&mut self) -> Vec<(WindowId, WatchlistId)> {
        self.making.take_created()
    }

    /// Returns a created watchlist to the queue, for the window that it was created in.
    pub fn return_created(&mut self, window: WindowId, watchlist: WatchlistId) {
        self.making.return_created(window, watchlist);
    }

    /// Subscribes to a watchlist. Over the limit of a connection, the least recently shown watchlist is
    /// closed.
    pub fn open_list(&mut self, watchlist: WatchlistId) {
        self.opened.retain(|opened| *opened != watchlist);
        self.opened.push(watchlist);
        self.replica.open(watchlist);
        if self.opened.len() > OPEN_LISTS {
            let evicted = self.opened.remove(0);
            self.replica.close(evicted);
            self.glow.remove(&evicted);
        }
    }

    /// Reports the cursor of a window to the others.
    pub fn presence(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        cell: Option<CellRef>,
        editing: bool,
    ) {
        self.replica.presence(watchlist, window, cell, editing);
    }

    /// Makes an edit of a window: it is shown at once, kept in the outbox and sent when possible. Changes
    /// that have no effect are dropped. If none remains, there is no edit.
    ///
    /// # Errors
    /// The edit is invalid or too large, the watchlist is not loaded, or the disk is full.
    pub fn edit(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        changes: Vec<Change>,
    ) -> Result<(), Rejection> {
        let Some(state) = self.watchlist(watchlist) else {
            return Err(Rejection::new(Code::UnknownWatchlist, "the watchlist is not loaded yet"));
        };
        let changes: Vec<Change> = changes.into_iter().filter(|change| has_effect(state, change)).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let (undo, edit) = self.send_edit(window, watchlist, changes.clone())?;
        self.undo.push_new(window, UndoStep { watchlist, undo, redo: changes, edit });
        Ok(())
    }

    /// Undoes a window's last edit with a new guarded edit; returns the changed place, or `None` without such an edit.
    pub fn undo(&mut self, window: WindowId, now: Duration) -> Option<Spot> {
        self.repeat(window, Direction::Undo, now)
    }

    /// Whether a window has an edit to undo.
    pub fn can_undo(&self, window: WindowId) -> bool {
        self.undo.has_step(window, Direction::Undo)
    }

    /// Whether a window has an edit to redo.
    pub fn can_redo(&self, window: WindowId) -> bool {
        self.undo.has_step(window, Direction::Redo)
    }

    /// Redoes a window's last undone edit; returns the changed place, or `None` without such an edit.
    pub fn redo(&mut self, window: WindowId, now: Duration) -> Option<Spot> {
        self.repeat(window, Direction::Redo, now)
    }

    fn repeat(&mut self, window: WindowId, direction: Direction, now: Duration) -> Option<Spot> {
        let step = self.undo.pop(window, direction)?;
        let changes = step.changes(direction).clone();
        let spot = Spot::of(step.watchlist, &changes);
        match self.send_edit(window, step.watchlist, changes) {
            // The inverse is guarded by the values that this edit leaves.
            Ok((inverse, edit)) => self.undo.push(
                window,
                direction.opposite(),
                UndoStep { edit, ..step.with_changes(direction.opposite(), inverse) },
            ),
            Err(rejection) => {
                // It can be repeated once the disk has space.
                if rejection.code == Code::Unavailable {
                    self.undo.push(window, direction, step);
                }
                self.notify(format!("Cannot {direction}: {rejection}."), None, now);
            }
        }
        Some(spot)
    }

    /// Makes an edit and keeps it on disk until it is answered. Returns the changes that undo it, and its number.
    fn send_edit(
        &mut self,
        window: WindowId,
        watchlist: WatchlistId,
        changes: Vec<Change>,
    ) -> Result<(Vec<Change>, EditId), Rejection> {
        if !self.outbox.has_number() {
            let message = "this computer's disk is full and edits could be lost: free some disk space";
            return Err(Rejection::new(Code::Unavailable, message));
        }
        let (kept, inverse) = self.replica.edit(watchlist, window, changes)?;
        self.outbox.append(&kept);
        Ok((inverse, kept.edit))
    }

    /// Requests a new watchlist, to be filled and shown in a window. Returns false if offline.
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
                self.making.requested(request, Fill { window, edits: fill });
                true
            }
            None => false,
        }
    }

    /// Requests the deletion of a watchlist. Returns false if offline.
    pub fn delete(&mut self, watchlist: WatchlistId) -> bool {
        self.replica.delete(watchlist).is_some()
    }

    /// Requests the deleted watchlists that may be restored. Returns false if offline.
    pub fn request_deleted(&mut self) -> bool {
        self.replica.deleted_lists().is_some()
    }

    /// Returns the deleted watchlists that may be restored, as the server last listed them.
    pub fn deleted(&self) -> &[DeletedSummary] {
        &self.deleted
    }

    /// Requests that a deleted watchlist is restored. Returns false if offline.
    pub fn restore(&mut self, watchlist: WatchlistId) -> bool {
        self.replica.restore(watchlist).is_some()
    }

    fn handle_events(&mut self, now: Duration) {
        for event in self.replica.take_events() {
            self.handle_event(event, now);
        }
    }

    fn handle_event(&mut self, event: Event, now: Duration) {
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
                    trails.record(&effects);
                }
                self.glow_mut(watchlist).record(&effects, window, now);
            }
            Event::EditAnswered { watchlist, edit, window, outcome, changes } => {
                self.outbox.remove(edit);
                if let Outcome::Rejected(rejection) = outcome {
                    self.undo.remove_rejected(window, edit);
                    // Contains what the person typed, so it must not expire.
                    let text = rejection_text(self.watchlist(watchlist), &rejection, &changes);
                    self.notify_until_dismissed(text);
                }
            }
            Event::Unavailable { .. } => {
                self.notify(
                    "The server cannot save edits right now. Yours are kept here and will be sent again.",
                    None,
                    now,
                );
            }
            Event::NumbersReused => self.renew_client(now),
            Event::Created { request, watchlist } => self.making.created(request, watchlist),
            Event::Deleted { watchlist, .. } => {
                let name = self
                    .watchlist(watchlist)
                    .map(|watchlist| format!(" \u{201c}{}\u{201d}", watchlist.name()));
                let name = name.unwrap_or_default();
                self.notify(format!("Watchlist{name} was deleted for everyone."), Some(watchlist), now);
            }
            Event::RequestFailed { request, message, .. } => {
                self.making.failed(request);
                self.notify(sentence(&message), None, now);
            }
            Event::HistoryFailed { request } => self.reading.failed(request),
            // The top bar shows the state of the connection.
            Event::ServerError { code: ErrorCode::Restarting, .. } => {}
            Event::ServerError { code: ErrorCode::Unavailable, message, watchlist: Some(watchlist) } => {
                self.set_unserved(watchlist, &message, now);
            }
            Event::ServerError { message, .. } => self.notify(sentence(&message), None, now),
            Event::Closed { watchlist } => {
                self.unserved.remove(&watchlist);
                self.glow.remove(&watchlist);
                self.undo.forget_watchlist(watchlist);
            }
            Event::History { request, commits } => self.reading.answered(request, &commits),
            Event::Resumed { watchlist } => drop(self.unserved.remove(&watchlist)),
            Event::DeletedLists { list, .. } => self.deleted = list,
            Event::Restored { watchlist, .. } => {
                self.deleted.retain(|deleted| deleted.watchlist != watchlist);
            }
            Event::Watchlists | Event::Pending { .. } | Event::People { .. } => {}
        }
    }

    /// Handles a watchlist that was replaced by a snapshot.
    fn loaded(&mut self, watchlist: WatchlistId, is_other_history: bool, now: Duration) {
        self.reading.loaded(watchlist);
        self.unserved.remove(&watchlist);
        self.glow_mut(watchlist).clear();
        if is_other_history {
            self.undo.forget_watchlist(watchlist);
            let name = self.watchlist(watchlist).map(|watchlist| watchlist.name().to_string());
            self.notify_until_dismissed(format!(
                "The watchlist \u{201c}{}\u{201d} has been restored from a backup on the server. Changes \
                 made after the backup may be missing.",
                name.unwrap_or_default()
            ));
        }
        self.fill(watchlist, now);
    }

    /// Records why the server cannot serve a watchlist; adds a notice, once, if the watchlist is loaded.
    fn set_unserved(&mut self, watchlist: WatchlistId, message: &str, now: Duration) {
        let reason = sentence(message);
        let is_known = self.unserved.insert(watchlist, reason.as_str().into()).as_deref() == Some(&reason);
        if !is_known && self.watchlist(watchlist).is_some() {
            self.notify(reason, None, now);
        }
    }

    /// Records who changed a cell that is being edited.
    fn note_author(&mut self, watchlist: WatchlistId, name: &Arc<str>, effects: &[Effect]) {
        for Edited { cell: (list, row, column), author } in self.edited.values_mut() {
            if *list == watchlist && sets_cell(effects, *row, column) {
                *author = Some(name.clone());
            }
        }
    }

    /// Changes the client id, because the server has other edits under this client's edit numbers.
    fn renew_client(&mut self, now: Duration) {
        let client = ClientId(Uuid::now_v7());
        let renamed = self.replica.renew(client);
        for (old, kept) in &renamed {
            self.undo.renumber(*old, kept.edit);
        }
        self.is_connection_stale = true;
        let kept: Vec<KeptEdit> = renamed.into_iter().map(|(_, kept)| kept).collect();
        let next = kept.last().map_or(EditId(1), |last| last.edit.next());
        match self.outbox.renew(client, next, &kept) {
            Ok(()) => self.notify(
                "Another copy of this computer's Afterglow data has made edits under the same client id \
                 (was the data folder copied or restored from a backup?). Your edits will be sent again \
                 under a new one.",
                None,
                now,
            ),
            Err(error) => self.notify(
                format!("Offline edits cannot be saved to disk and would not survive a restart: {error}."),
                None,
                now,
            ),
        }
    }

    /// Inserts the rows of an import into its new watchlist.
    fn fill(&mut self, watchlist: WatchlistId, now: Duration) {
        let Some(Fill { window, edits }) = self.making.take_fill(watchlist) else { return };
        for changes in edits {
            if let Err(rejection) = self.send_edit(window, watchlist, changes) {
                self.notify(format!("The import stopped: {rejection}."), None, now);
                return;
            }
        }
    }
}

fn has_effect(state: &Watchlist, change: &Change) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_undone_or_redone_without_a_reserved_number_and_no_step_is_lost() {
        const WINDOW: WindowId = WindowId(1);
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let watchlist = WatchlistId(uuid::Uuid::from_u128(7));
        let rename = |name| vec![Change::rename(name)];
        let step = UndoStep { watchlist, undo: rename("a"), redo: rename("b"), edit: EditId(1) };
        store.outbox.close_writer();
        store.undo.push_new(WINDOW, step.clone());
        store.undo.push(WINDOW, Direction::Redo, step);
        for _ in 0..2 {
            assert!(store.undo(WINDOW, Duration::ZERO).is_some());
            assert!(store.redo(WINDOW, Duration::ZERO).is_some());
        }
        let notices: Vec<&str> = store.notices().iter().map(|notice| notice.text.as_str()).collect();
        assert!(notices.iter().all(|text| text.contains("disk is full")), "{notices:?}");
        assert!(notices.iter().any(|text| text.starts_with("Cannot undo")), "{notices:?}");
    }
}
