//! The only place that acts: what the windows share, fed by the network and by actions.

use std::{
    io::ErrorKind,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use egui::Context;
use shared::{
    csv_table::CsvTable,
    ids::{RowId, WatchlistId, WindowId},
    limits::Limits,
};
use uuid::Uuid;

use crate::{
    Wake,
    action::Action,
    follow::Links,
    less_motion::LessMotion,
    net::{Net, NetEvent},
    servers::Joining,
    settings::{GlowChoice, ThemeChoice, Workspace, WorkspaceFile},
    store::{Connection, Store},
    updates::Updates,
    window::Window,
};

/// Messages that one frame takes at most; the rest waits for the next one, so that the windows stay usable.
const MESSAGES_A_FRAME: usize = 2_000;
/// Said of what only the server can do.
const OFFLINE: &str = "This needs the server, and there is no connection to it at present.";
/// How often the windows are remembered, at most.
const REMEMBER: Duration = Duration::from_millis(500);
/// How long a notice stays.
const NOTICE: Duration = Duration::from_secs(12);

/// What every window of this process shares.
pub struct Core {
    /// What is shown.
    pub store: Store,
    /// The open windows, the first of which is the root's.
    pub windows: Vec<Arc<std::sync::Mutex<Window>>>,
    /// Which colours.
    pub theme: ThemeChoice,
    /// Whether up and down are in colours for colour-blind people.
    pub colour_blind: bool,
    /// How changes by others are shown.
    pub glow: GlowChoice,
    /// Watchlists that were deleted here and can be brought back.
    pub deleted: Vec<(WatchlistId, Arc<str>)>,
    /// Where the linked windows are.
    pub links: Links,
    /// What the system wishes of motion.
    pub less_motion: LessMotion,
    is_motion_less: bool,
    /// The server that is being joined, until it is.
    pub joining: Option<Joining>,
    /// Whether there is a newer version, where an administrator wants that known.
    pub updates: Option<Updates>,
    /// How large everything was when it was last drawn, by its bits.
    zoom: u32,
    net: Net,
    file: WorkspaceFile,
    saved: Workspace,
    saved_at: Duration,
    imports: (mpsc::SyncSender<Import>, mpsc::Receiver<Import>),
    next_window: u64,
    /// The program ends, with its windows as they are.
    pub is_quitting: bool,
    /// What became of files that dialogs asked for.
    imported: Vec<(WindowId, Option<String>)>,
    ctx: Context,
    wake: Wake,
}

/// A CSV file that was read on its own thread.
struct Import {
    window: WindowId,
    name: String,
    table: Result<CsvTable, String>,
}

impl Core {
    /// Everything that the windows share, with no window open yet.
    pub fn new(
        mut store: Store,
        net: Net,
        file: WorkspaceFile,
        saved: Workspace,
        ctx: Context,
        wake: Wake,
    ) -> Self {
        store.set_glow(saved.glow.shape(false));
        Self {
            store,
            windows: Vec::new(),
            theme: saved.theme,
            colour_blind: saved.colour_blind,
            glow: saved.glow,
            deleted: saved.deleted.clone(),
            links: Links::default(),
            less_motion: LessMotion::default(),
            is_motion_less: false,
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

    /// An id for another window.
    pub fn next_window(&mut self) -> WindowId {
        let id = WindowId(self.next_window);
        self.next_window += 1;
        id
    }

    /// Has every window drawn again.
    pub fn wake_windows(&self) {
        (self.wake)();
    }

    /// Takes what the network brought and sends what waits.
    pub fn drain(&mut self, now: Duration) {
        for _ in 0..MESSAGES_A_FRAME {
            match self.net.poll() {
                None => break,
                Some(NetEvent::Connecting) => self.store.connecting(),
                Some(NetEvent::Connected) => self.store.connected(),
                Some(NetEvent::Message(message)) => self.store.receive(*message, now),
                Some(NetEvent::RoundTrip(took)) => self.store.round_trip(took),
                Some(NetEvent::Down { reason, retry_at }) => self.store.down(reason, retry_at, now),
            }
        }
        while let Ok(import) = self.imports.1.try_recv() {
            self.take_import(import);
        }
        self.note_joined(now);
        if let Some(text) = self.updates.as_ref().and_then(Updates::take) {
            self.store.say_until_read(text);
        }
        if self.less_motion.is_wished() != self.is_motion_less {
            self.is_motion_less = !self.is_motion_less;
            self.store.set_glow(self.glow.shape(self.is_motion_less));
        }
        let zoom = self.ctx.zoom_factor().to_bits();
        if std::mem::replace(&mut self.zoom, zoom) != zoom {
            self.wake_windows();
        }
        self.store.tick(now);
        self.store.expire_notices(now, NOTICE);
        self.flush();
    }

    /// A server that has taken the token is remembered.
    fn note_joined(&mut self, now: Duration) {
        if matches!(self.store.connection(), Connection::Up { .. })
            && let Some(joining) = self.joining.take()
            && let Err(error) = joining.welcomed()
        {
            self.store.say(
                format!("The file with this server's token is not remembered: {error}."),
                None,
                now,
            );
        }
    }

    /// How long until a window has something new to show by itself.
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
            .map(|at| (at + NOTICE).saturating_sub(now));
        [retry, countdown, notice].into_iter().flatten().min()
    }

    fn flush(&mut self) {
        if self.net.has_room() && self.store.take_stale_connection() {
            self.net.renew();
        }
        while self.net.has_room() {
            match self.store.poll_send() {
                Some(message) => self.net.send(message),
                None => break,
            }
        }
    }

    /// Does what was asked. `window` is the one that asks, already taken apart from the others.
    pub fn act(&mut self, action: Action, window: &mut Window, now: Duration) {
        match action {
            Action::Edit { watchlist, window, changes } => {
                if let Err(rejection) = self.store.edit(watchlist, window, changes) {
                    self.store.say(format!("This cannot be done: {rejection}."), None, now);
                }
            }
            Action::Undo(id) => match self.store.undo(id, now) {
                Some(spot) => window.look_at(spot),
                None => self.store.say("There is nothing to undo in this window.", None, now),
            },
            Action::Redo(id) => match self.store.redo(id, now) {
                Some(spot) => window.look_at(spot),
                None => self.store.say("There is nothing to redo in this window.", None, now),
            },
            Action::Quit => self.quit(now),
            Action::AskHistory { watchlist, window, row, column } => {
                self.store.ask_history(watchlist, window, row, column);
            }
            Action::AskLog { window, older } => self.store.ask_log(window, older),
            Action::Show(_, watchlist) => window.show_list(watchlist),
            Action::Create(id, name) => {
                let watchlist = WatchlistId(Uuid::now_v7());
                let asked = self.store.create(id, watchlist, &name, None, Vec::new());
                self.say_offline_unless(asked, now);
            }
            Action::Delete(watchlist) => {
                let name = self.name_of(watchlist);
                let asked = self.store.delete(watchlist);
                if asked {
                    self.deleted.retain(|(id, _)| *id != watchlist);
                    self.deleted.push((watchlist, name));
                }
                self.say_offline_unless(asked, now);
            }
            Action::Restore(watchlist) => {
                let asked = self.store.restore(watchlist);
                if asked {
                    self.deleted.retain(|(id, _)| *id != watchlist);
                }
                self.say_offline_unless(asked, now);
            }
            Action::Import(window, path) => self.import(window, path),
            Action::Say(text) => self.store.say(text, None, now),
            Action::Reconnect => self.net.try_now(),
            Action::Join => {
                self.joining.iter().for_each(Joining::agree);
                self.net.try_now();
            }
            Action::OpenWindow => {
                let id = self.next_window();
                let opened = Window::new(id, window.list(), None);
                self.windows.push(Arc::new(std::sync::Mutex::new(opened)));
                crate::app::wake_root(&self.ctx);
            }
            Action::SetTheme(choice) => {
                self.theme = choice;
                crate::theme::choose(&self.ctx, choice);
                self.wake_windows();
            }
            Action::SetColourBlind(colour_blind) => {
                self.colour_blind = colour_blind;
                crate::theme::paint(&self.ctx, colour_blind);
                self.wake_windows();
            }
            Action::SetGlow(choice) => {
                self.glow = choice;
                self.store.set_glow(choice.shape(self.is_motion_less));
                self.wake_windows();
            }
            Action::DismissNotice(notice) => self.store.dismiss(notice),
        }
        self.flush();
    }

    /// Ends the program with all windows as they are; a cell that is edited in one of them has to be done with first.
    fn quit(&mut self, now: Duration) {
        let is_edited = |window: &Arc<std::sync::Mutex<Window>>| {
            window.try_lock().is_ok_and(|window| window.grid.editor.is_some())
        };
        if self.windows.iter().any(is_edited) {
            self.store.say(
                "A cell is being edited in another window: commit or discard it first.",
                None,
                now,
            );
            return;
        }
        self.is_quitting = true;
        self.ctx.send_viewport_cmd_to(egui::ViewportId::ROOT, egui::ViewportCommand::Close);
        crate::app::wake_root(&self.ctx);
    }

    fn say_offline_unless(&mut self, asked: bool, now: Duration) {
        if !asked {
            self.store.say(OFFLINE, None, now);
        }
    }

    fn name_of(&self, watchlist: WatchlistId) -> Arc<str> {
        let summaries = self.store.replica().summaries().unwrap_or_default();
        let found = summaries.iter().find(|summary| summary.watchlist == watchlist);
        found.map_or_else(|| "watchlist".into(), |summary| summary.name.clone())
    }

    /// Reads a CSV file on a thread of its own: it may be large, or on a slow disk.
    fn import(&mut self, window: WindowId, path: PathBuf) {
        let (done, wake) = (self.imports.0.clone(), self.wake.clone());
        let read = move || {
            let name = path
                .file_stem()
                .map_or_else(|| "Import".to_owned(), |stem| stem.to_string_lossy().into_owned());
            let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => format!("There is no file {}.", path.display()),
                ErrorKind::PermissionDenied => format!("You may not read {}.", path.display()),
                ErrorKind::IsADirectory => format!("{} is a folder.", path.display()),
                _ => format!("{} cannot be read: {error}.", path.display()),
            });
            let table = bytes.and_then(|bytes| {
                CsvTable::read(&bytes, &Limits::default())
                    .map_err(|error| format!("{} was not imported: {error}.", path.display()))
            });
            // The windows are gone where nobody takes it.
            drop(done.send(Import { window, name, table }));
            wake();
        };
        if let Err(error) = thread::Builder::new().name("afterglow-import".to_owned()).spawn(read) {
            self.imported.push((window, Some(format!("The import cannot start: {error}."))));
        }
    }

    fn take_import(&mut self, import: Import) {
        let Import { window, name, table } = import;
        let made = table.and_then(|table| {
            let fill = table.inserts(&Limits::default(), || RowId(Uuid::now_v7()));
            let id = WatchlistId(Uuid::now_v7());
            let is_asked = self.store.create(window, id, &name, Some(table.columns), fill);
            is_asked.then_some(()).ok_or_else(|| OFFLINE.to_owned())
        });
        self.imported.push((window, made.err()));
    }

    /// What became of a file that a window had imported: what was wrong with it, or nothing.
    pub fn take_imported(&mut self, window: WindowId) -> Option<Option<String>> {
        let index = self.imported.iter().position(|(of, _)| *of == window)?;
        Some(self.imported.remove(index).1)
    }

    /// Remembers the windows, where anything is other than what was remembered. `own` is a window that the
    /// caller holds. Gives when to ask again.
    pub fn remember(&mut self, own: Option<&Window>, now: Duration, at_once: bool) -> Option<Duration> {
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
        let due = self.saved_at + REMEMBER;
        if !at_once && now < due {
            return Some(due - now);
        }
        self.saved_at = now;
        if let Err(error) = self.file.write(&workspace) {
            tracing::warn!(%error, "the windows cannot be remembered");
        }
        self.saved = workspace;
        None
    }
}
