//! The state that all windows share, and the only place that changes it: from network events and actions.

use std::{
    io::ErrorKind,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use egui::Context;
use shared::{
    ids::{RowId, WatchlistId, WindowId},
    limits::Limits,
    sheet::{Table, csv},
};
use uuid::Uuid;

use crate::{
    Wake,
    action::Action,
    follow::Links,
    less_motion::ReducedMotion,
    net::{Net, NetEvent},
    servers::Joining,
    settings::{GlowChoice, ThemeChoice, Workspace, WorkspaceFile},
    store::{Connection, Store},
    updates::Updates,
    window::Window,
};

/// Maximum number of network events per frame, so that the windows stay responsive.
const MAX_EVENTS_PER_FRAME: usize = 2_000;
/// Notice for an action that needs a connection.
const OFFLINE: &str = "This is not possible while offline. Try again once you are connected.";
/// Minimum interval between two writes of the workspace file.
const SAVE_INTERVAL: Duration = Duration::from_millis(500);
/// How long a notice is shown.
const NOTICE_DURATION: Duration = Duration::from_secs(12);

/// The state that all windows of this process share.
pub struct Core {
    /// The shared data: watchlists, glow, undo and notices.
    pub store: Store,
    /// Open windows. The root's is the first.
    pub windows: Vec<Arc<std::sync::Mutex<Window>>>,
    /// Chosen theme.
    pub theme: ThemeChoice,
    /// Whether the colour-blind palette is used.
    pub colour_blind: bool,
    /// Settings of the glow.
    pub glow: GlowChoice,
    /// Watchlists that were deleted here and can be restored.
    pub deleted: Vec<(WatchlistId, Arc<str>)>,
    /// Positions of the linked windows.
    pub links: Links,
    /// The system's reduced-motion setting.
    pub reduced_motion: ReducedMotion,
    is_motion_reduced: bool,
    /// The server that is being joined, until its welcome.
    pub joining: Option<Joining>,
    /// The check for newer versions, if an administrator enabled it.
    pub updates: Option<Updates>,
    /// Bits of the zoom factor of the last frame.
    zoom: u32,
    net: Net,
    file: WorkspaceFile,
    saved: Workspace,
    saved_at: Duration,
    imports: (mpsc::SyncSender<Import>, mpsc::Receiver<Import>),
    next_window: u64,
    /// Whether the program is quitting with its windows as they are.
    pub is_quitting: bool,
    /// Results of imports that their windows have not taken yet: `None` on success, or the error.
    imported: Vec<(WindowId, Option<String>)>,
    ctx: Context,
    wake: Wake,
}

/// A CSV file that was read on another thread.
struct Import {
    window: WindowId,
    name: String,
    table: Result<Table, String>,
}

impl Core {
    /// Creates the shared state, without windows.
    pub fn new(
        mut store: Store,
        net: Net,
        file: WorkspaceFile,
        saved: Workspace,
        ctx: Context,
        wake: Wake,
    ) -> Self {
        store.set_glow(saved.glow.style(false));
        Self {
            store,
            windows: Vec::new(),
            theme: saved.theme,
            colour_blind: saved.colour_blind,
            glow: saved.glow,
            deleted: saved.deleted.clone(),
            links: Links::default(),
            reduced_motion: ReducedMotion::default(),
            is_motion_reduced: false,
            joining: None,
            updates: None,
            zoom: ctx.zoom_factor().to_bits(),
            net,
            file,
            saved,
            saved_at: Duration::ZERO,
            imports: mpsc::sync_channel(4),
            next_window: 1,
            is_quitting: false,
            imported: Vec::new(),
            ctx,
            wake,
        }
    }

    /// Returns a new window id.
    pub fn next_window(&mut self) -> WindowId {
        let id = WindowId(self.next_window);
        self.next_window += 1;
        id
    }

    /// Repaints every window.
    pub fn wake_windows(&self) {
        (self.wake)();
    }

    /// Handles everything that has arrived from the network and other threads, and sends queued messages.
    pub fn drain(&mut self, now: Duration) {
        for _ in 0..MAX_EVENTS_PER_FRAME {
            match self.net.poll() {
                None => break,
                Some(NetEvent::Connecting) => self.store.connecting(),
                Some(NetEvent::Connected) => self.store.connected(),
                Some(NetEvent::Message(message)) => self.store.receive(*message, now),
                Some(NetEvent::RoundTrip(took)) => self.store.set_round_trip(took),
                Some(NetEvent::Down { reason, retry_at }) => self.store.disconnected(reason, retry_at, now),
            }
        }
        while let Ok(import) = self.imports.1.try_recv() {
            self.create_imported(import);
        }
        self.save_joined_server(now);
        if let Some(text) = self.updates.as_ref().and_then(Updates::take_notice) {
            self.store.notify_until_dismissed(text);
        }
        if self.reduced_motion.is_on() != self.is_motion_reduced {
            self.is_motion_reduced = !self.is_motion_reduced;
            self.store.set_glow(self.glow.style(self.is_motion_reduced));
        }
        let zoom = self.ctx.zoom_factor().to_bits();
        if std::mem::replace(&mut self.zoom, zoom) != zoom {
            self.wake_windows();
        }
        self.store.tick(now);
        self.store.expire_notices(now, NOTICE_DURATION);
        self.flush();
    }

    /// Saves the server that is being joined once it has accepted the token.
    fn save_joined_server(&mut self, now: Duration) {
        if matches!(self.store.connection(), Connection::Up { .. })
            && let Some(joining) = self.joining.take()
            && let Err(error) = joining.save()
        {
            self.store.notify(
                format!("Cannot save the token file of this server for next time: {error}."),
                None,
                now,
            );
        }
    }

    /// Returns the time until the next timed change: a retry, the countdown or the end of a notice.
    pub fn wake_after(&self, now: Duration) -> Option<Duration> {
        let millis = |at: u64| Duration::from_millis(at).saturating_sub(now);
        let retry = self.store.replica().wake_at().map(millis);
        let countdown =
            matches!(self.store.connection(), Connection::Down { .. }).then_some(Duration::from_secs(1));
        let notice = self
            .store
            .notices()
            .iter()
            .find_map(|notice| notice.at)
            .map(|at| (at + NOTICE_DURATION).saturating_sub(now));
        [retry, countdown, notice].into_iter().flatten().min()
    }

    fn flush(&mut self) {
        if self.net.has_room() && self.store.take_stale_connection() {
            self.net.reconnect();
        }
        while self.net.has_room() {
            match self.store.poll_send() {
                Some(message) => self.net.send(message),
                None => break,
            }
        }
    }

    /// Executes an action. `window` is the one that emitted it and is already locked.
    pub fn execute(&mut self, action: Action, window: &mut Window, now: Duration) {
        match action {
            Action::Edit { watchlist, window, changes } => {
                if let Err(rejection) = self.store.edit(watchlist, window, changes) {
                    self.store.notify(format!("Cannot apply this edit: {rejection}."), None, now);
                }
            }
            Action::Undo(id) => match self.store.undo(id, now) {
                Some(spot) => window.go_to(spot),
                None => self.store.notify("Nothing to undo in this window.", None, now),
            },
            Action::Redo(id) => match self.store.redo(id, now) {
                Some(spot) => window.go_to(spot),
                None => self.store.notify("Nothing to redo in this window.", None, now),
            },
            Action::Quit => self.quit(now),
            Action::RequestCellHistory { watchlist, window, row, column } => {
                self.store.request_cell_history(watchlist, window, row, column);
            }
            Action::RequestLog { window, older } => self.store.request_log(window, older),
            Action::Show(_, watchlist) => window.show_list(watchlist),
            Action::Create(id, name) => {
                let watchlist = WatchlistId(Uuid::now_v7());
                let is_requested = self.store.create(id, watchlist, &name, None, Vec::new());
                self.notify_offline_unless(is_requested, now);
            }
            Action::Delete(watchlist) => {
                let name = self.list_name(watchlist);
                let is_requested = self.store.delete(watchlist);
                if is_requested {
                    self.deleted.retain(|(id, _)| *id != watchlist);
                    self.deleted.push((watchlist, name));
                }
                self.notify_offline_unless(is_requested, now);
            }
            Action::Restore(watchlist) => {
                let is_requested = self.store.restore(watchlist);
                if is_requested {
                    self.deleted.retain(|(id, _)| *id != watchlist);
                }
                self.notify_offline_unless(is_requested, now);
            }
            Action::Import(window, path) => self.import(window, path),
            Action::Notify(text) => self.store.notify(text, None, now),
            Action::Reconnect => self.net.retry_now(),
            Action::Join => {
                self.joining.iter().for_each(Joining::give_consent);
                self.net.retry_now();
            }
            Action::OpenWindow => {
                let id = self.next_window();
                let opened = Window::new(id, window.list(), None);
                self.windows.push(Arc::new(std::sync::Mutex::new(opened)));
                crate::app::wake_root(&self.ctx);
            }
            Action::SetTheme(choice) => {
                self.theme = choice;
                crate::theme::set_preference(&self.ctx, choice);
                self.wake_windows();
            }
            Action::SetColourBlind(colour_blind) => {
                self.colour_blind = colour_blind;
                crate::theme::set_palette(&self.ctx, colour_blind);
                self.wake_windows();
            }
            Action::SetGlow(choice) => {
                self.glow = choice;
                self.store.set_glow(choice.style(self.is_motion_reduced));
                self.wake_windows();
            }
            Action::DismissNotice(notice) => self.store.dismiss(notice),
        }
        self.flush();
    }

    /// Quits the program with all windows as they are, unless another window has an open editor.
    fn quit(&mut self, now: Duration) {
        let is_edited = |window: &Arc<std::sync::Mutex<Window>>| {
            window.try_lock().is_ok_and(|window| window.grid.editor().is_some())
        };
        if self.windows.iter().any(is_edited) {
            self.store.notify(
                "A cell is being edited in another window. Commit or discard the edit first.",
                None,
                now,
            );
            return;
        }
        self.is_quitting = true;
        self.ctx.send_viewport_cmd_to(egui::ViewportId::ROOT, egui::ViewportCommand::Close);
        crate::app::wake_root(&self.ctx);
    }

    fn notify_offline_unless(&mut self, is_requested: bool, now: Duration) {
        if !is_requested {
            self.store.notify(OFFLINE, None, now);
        }
    }

    fn list_name(&self, watchlist: WatchlistId) -> Arc<str> {
        let summaries = self.store.replica().summaries().unwrap_or_default();
        let found = summaries.iter().find(|summary| summary.watchlist == watchlist);
        found.map_or_else(|| "watchlist".into(), |summary| summary.name.clone())
    }

    /// Reads a CSV file on its own thread, because it may be large or on a slow disk.
    fn import(&mut self, window: WindowId, path: PathBuf) {
        let (done, wake) = (self.imports.0.clone(), self.wake.clone());
        let read = move || {
            let name = path
                .file_stem()
                .map_or_else(|| "Import".to_owned(), |stem| stem.to_string_lossy().into_owned());
            let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => format!("{} does not exist.", path.display()),
                ErrorKind::PermissionDenied => {
                    format!("You do not have permission to read {}.", path.display())
                }
                ErrorKind::IsADirectory => format!("{} is a folder.", path.display()),
                _ => format!("Cannot read {}: {error}.", path.display()),
            });
            let table = bytes.and_then(|bytes| {
                csv::read(&bytes, &Limits::default())
                    .map_err(|error| format!("Cannot import {}: {error}.", path.display()))
            });
            // Fails if the program is ending.
            drop(done.send(Import { window, name, table }));
            wake();
        };
        if let Err(error) = thread::Builder::new().name("afterglow-import".to_owned()).spawn(read) {
            self.imported.push((window, Some(format!("Cannot start the import: {error}."))));
        }
    }

    fn create_imported(&mut self, import: Import) {
        let Import { window, name, table } = import;
        let made = table.and_then(|table| {
            let fill = table.inserts(&Limits::default(), || RowId(Uuid::now_v7()));
            let id = WatchlistId(Uuid::now_v7());
            let is_requested = self.store.create(window, id, &name, Some(table.columns), fill);
            is_requested.then_some(()).ok_or_else(|| OFFLINE.to_owned())
        });
        self.imported.push((window, made.err()));
    }

    /// Takes the result of an import of a window: `Some(None)` on success, `Some(Some(error))` on failure.
    pub fn take_import_result(&mut self, window: WindowId) -> Option<Option<String>> {
        let index = self.imported.iter().position(|(of, _)| *of == window)?;
        Some(self.imported.remove(index).1)
    }

    /// Saves the windows and preferences if they changed. `own` is the window that the caller has locked.
    /// Returns the time until they can be saved, if the last save is too recent.
    pub fn save_workspace(&mut self, own: Option<&Window>, now: Duration, at_once: bool) -> Option<Duration> {
        let windows = self.windows.iter().filter_map(|window| match (window.try_lock(), own) {
            (Ok(window), _) => Some(window.saved()),
            (Err(_), own) => own.map(Window::saved),
        });
        let mut workspace = self.saved.clone();
        (workspace.theme, workspace.colour_blind, workspace.glow) =
            (self.theme, self.colour_blind, self.glow);
        (workspace.zoom, workspace.windows) = (self.ctx.zoom_factor(), windows.collect());
        workspace.deleted.clone_from(&self.deleted);
        if workspace == self.saved {
            return None;
        }
        let due = self.saved_at + SAVE_INTERVAL;
        if !at_once && now < due {
            return Some(due - now);
        }
        self.saved_at = now;
        if let Err(error) = self.file.write(&workspace) {
            tracing::warn!(%error, "failed to save the windows");
        }
        self.saved = workspace;
        None
    }
}
