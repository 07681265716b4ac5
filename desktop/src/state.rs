//! The state that all windows share, and what changes it: network events, and commands that concern no
//! window's own state.

mod joined;
mod saver;
mod transfers;
mod windows;

use std::{sync::Arc, time::Duration};

use egui::Context;
use shared::{
    edit::Change,
    ids::{RowId, WatchlistId, WindowId},
    limits::Limits,
    sheet::csv::{Extent, Separator},
    watchlist::Row,
};
use uuid::Uuid;

pub use self::{
    joined::{Joined, OpenStore},
    windows::{Draft, OpenWindows, wake_root},
};
use self::{
    saver::WorkspaceSaver,
    transfers::{Finished, Import, Transfers},
};
use crate::{
    command::{AppCommand, Export, When},
    less_motion::ReducedMotion,
    net::{Net, NetEvent},
    preferences::Preferences,
    region::Region,
    settings::{self, SavedWindow, Workspace, WorkspaceFile},
    store::{Connection, Store},
    theme,
    updates::Updates,
    wake::Wake,
};

/// Maximum number of network events per frame, so that the windows stay responsive.
const MAX_EVENTS_PER_FRAME: usize = 2_000;
/// Why something waits for the editor of another window.
pub const ANOTHER_EDITS: &str = "A cell is being edited in another window. Commit or discard the edit first.";
/// Why a request that needs the server is refused.
pub const OFFLINE: &str = "Not available offline. Try again when connected.";
/// How long a notice is shown.
const NOTICE_DURATION: Duration = Duration::from_secs(12);

/// Opens windows on the server at an address, in a process of its own.
pub type OpenServer = Box<dyn Fn(&str) -> std::io::Result<()> + Send>;

/// The state that all windows of this process share.
pub struct AppState {
    /// The shared data: watchlists, glow, undo and notices.
    pub store: Store,
    /// The open windows.
    pub windows: OpenWindows,
    preferences: Preferences,
    /// The system's regional settings.
    pub region: Region,
    /// The system's reduced-motion setting.
    pub reduced_motion: ReducedMotion,
    /// The processor time that the program has used, where the system tells it.
    pub cpu_time: Option<Duration>,
    /// The server outside this user's processes, if one was joined.
    pub joined: Option<Joined>,
    /// Opens windows on another server, in a process of its own.
    pub open_server: Option<OpenServer>,
    /// The servers that were joined before this process was started.
    pub joined_servers: Vec<String>,
    /// The check for newer versions, if an administrator enabled it.
    pub updates: Option<Updates>,
    net: Net,
    saver: WorkspaceSaver,
    transfers: Transfers,
    ctx: Context,
    wake: Wake,
}

impl AppState {
    /// Creates the shared state, without windows.
    pub fn new(
        mut store: Store,
        net: Net,
        file: WorkspaceFile,
        saved: Workspace,
        ctx: Context,
        wake: Wake,
    ) -> Self {
        let Workspace { theme, colour_blind, glow, announces, .. } = saved;
        store.set_glow(glow.style(false));
        Self {
            store,
            windows: OpenWindows::default(),
            preferences: Preferences { theme, colour_blind, glow, announces },
            region: Region::default(),
            reduced_motion: ReducedMotion::default(),
            cpu_time: None,
            joined: None,
            open_server: None,
            joined_servers: Vec::new(),
            updates: None,
            net,
            saver: WorkspaceSaver::new(file, saved),
            transfers: Transfers::default(),
            ctx,
            wake,
        }
    }

    /// Returns what the person has chosen for all windows.
    pub fn preferences(&self) -> Preferences {
        self.preferences
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
                Some(NetEvent::Silent(silence)) => self.store.set_silence(silence, now),
                Some(NetEvent::Down { reason, retry_in }) => {
                    self.store.disconnected(reason, Some(now + retry_in), now)
                }
                Some(NetEvent::SignIn { is_ended }) => {
                    if let Some(joined) = &mut self.joined {
                        joined.require_sign_in(is_ended, &mut self.store, now);
                        (self.wake)();
                    }
                }
            }
        }
        while let Some(finished) = self.transfers.poll() {
            match finished {
                Finished::Import(import) => self.create_imported(import),
                Finished::Export(window, result) => {
                    let error = result.map(|done| self.store.notify_in(window, done, now)).err();
                    self.transfers.finish(window, error);
                }
            }
        }
        self.drain_account(now);
        if let Some(text) = self.updates.as_ref().and_then(Updates::take_notice) {
            self.store.notify_all_accounts(text);
        }
        self.store.set_glow(self.preferences.glow.style(self.reduced_motion.is_on()));
        self.store.set_announcing(self.preferences.announces);
        self.store.tick(now);
        self.store.keep_copies(false, now);
        self.store.expire_notices(now, NOTICE_DURATION);
        self.flush();
    }

    /// Handles what has arrived about the account on the joined server.
    fn drain_account(&mut self, now: Duration) {
        let Some(joined) = &mut self.joined else { return };
        let drained = joined.drain(&mut self.store, &mut self.windows, self.region.separators, now);
        if drained.has_answers {
            (self.wake)();
        }
        if drained.connects {
            self.net.retry_now();
        }
        if drained.disconnects {
            self.net.reconnect();
        }
    }

    /// Returns the time until the next timed change: a retry, the countdown or the end of a notice.
    pub fn wake_after(&self, now: Duration) -> Option<Duration> {
        let millis = |at: u64| Duration::from_millis(at).saturating_sub(now);
        let retry = self.store.replica().wake_at().map(millis);
        let is_counting = matches!(
            self.store.connection(),
            Connection::Down { retry_at: Some(_), .. } | Connection::Up { silent_since: Some(_), .. }
        );
        let countdown = is_counting.then_some(Duration::from_secs(1));
        let notice = self
            .store
            .notices()
            .iter()
            .find_map(|notice| notice.at)
            .map(|at| (at + NOTICE_DURATION).saturating_sub(now));
        let delayed = self.store.has_delayed_edits().then_some(Duration::from_secs(1));
        let (copy, announcement) = (self.store.next_copy_in(now), self.store.next_announcement_in(now));
        [retry, countdown, notice, delayed, copy, announcement].into_iter().flatten().min()
    }

    /// Sends queued messages.
    pub fn flush(&mut self) {
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

    fn edit(&mut self, watchlist: WatchlistId, changes: Vec<Change>, window: WindowId, now: Duration) {
        let (changes, lost) = self.store.without_removed_rows(watchlist, changes);
        match self.store.edit(watchlist, window, changes) {
            Ok(act) => self.store.offer_undo(window, act, self.region.separators, now),
            Err(rejection) => {
                self.store.notify_in(window, format!("Cannot apply this edit: {rejection}."), now);
            }
        }
        if lost > 0 {
            self.notify_removed(lost, window, now);
        }
    }

    /// Sets the cells that a notice is about, and dismisses it once they are set.
    fn overwrite(
        &mut self,
        notice: u64,
        (watchlist, edits): (WatchlistId, Vec<Vec<Change>>),
        window: WindowId,
        now: Duration,
    ) {
        let mut removed = 0;
        for changes in edits {
            let (changes, lost) = self.store.without_removed_rows(watchlist, changes);
            removed += lost;
            if let Err(rejection) = self.store.edit(watchlist, window, changes) {
                // The notice has the values.
                let text = format!("Cannot overwrite: {rejection}.");
                return self.store.notify_in(window, text, now);
            }
        }
        if removed == 0 {
            self.store.dismiss(notice);
        } else {
            self.notify_removed(removed, window, now);
        }
    }

    fn notify_removed(&mut self, count: usize, window: WindowId, now: Duration) {
        let changes = self.region.separators.format_count(count, "change", "changes");
        self.store.notify_in(window, format!("Somebody removed rows: {changes} could not be made."), now);
    }

    /// Executes a command that concerns no window's own state.
    pub fn execute(&mut self, command: AppCommand, window: WindowId, now: Duration) {
        match command {
            AppCommand::Edit { watchlist, changes } => self.edit(watchlist, changes, window, now),
            AppCommand::Quit => self.quit(window, now),
            AppCommand::RequestCellHistory { watchlist, row, column } => {
                self.store.request_cell_history(watchlist, window, row, column);
            }
            AppCommand::RequestLog { older } => self.store.request_log(window, older),
            AppCommand::Create(name) => {
                let watchlist = WatchlistId(Uuid::now_v7());
                let is_requested = self.store.create(window, watchlist, &name, None, Vec::new());
                self.notify_offline_unless(is_requested, now);
            }
            AppCommand::Delete(watchlist) => {
                let is_requested = self.store.delete(watchlist);
                self.notify_offline_unless(is_requested, now);
            }
            // While offline, the last known ones are offered.
            AppCommand::RequestDeleted => drop(self.store.request_deleted()),
            AppCommand::Restore(watchlist) => {
                let is_requested = self.store.restore(watchlist);
                self.notify_offline_unless(is_requested, now);
            }
            AppCommand::Import(path) => self.transfers.import(window, path, self.wake.clone()),
            AppCommand::Export(export) => self.export(export, window),
            AppCommand::Notify(text) => self.store.notify_in(window, text, now),
            AppCommand::Reconnect => self.net.retry_now(),
            AppCommand::Join => {
                self.joined.iter().for_each(|joined| joined.joining.give_consent());
                self.net.retry_now();
            }
            AppCommand::Account(command) => match &mut self.joined {
                Some(joined) => joined.account.execute(command),
                None => self.store.notify("The watchlists of this computer need no account.", now),
            },
            AppCommand::Connect(base) => {
                let opened = self.open_server.as_ref().map(|open| open(&base));
                if let Some(Err(error)) = opened {
                    self.store.notify(format!("Cannot open windows on {base}: {error}."), now);
                }
            }
            AppCommand::Zoom(by) => self.set_zoom(self.ctx.zoom_factor() + by),
            AppCommand::ResetZoom => self.set_zoom(1.0),
            AppCommand::SetTheme(choice) => {
                self.preferences.theme = choice;
                theme::set_preference(&self.ctx, choice);
                self.wake_windows();
            }
            AppCommand::ToggleColourBlind => {
                self.preferences.colour_blind = !self.preferences.colour_blind;
                theme::set_palette(&self.ctx, self.preferences.colour_blind);
                self.wake_windows();
            }
            AppCommand::ToggleAnnouncements => {
                self.preferences.announces = !self.preferences.announces;
                self.wake_windows();
            }
            AppCommand::SetGlow(setting) => {
                self.preferences.glow = self.preferences.glow.with(setting);
                self.store.set_glow(self.preferences.glow.style(self.reduced_motion.is_on()));
                self.wake_windows();
            }
            AppCommand::Overwrite { notice, watchlist, edits } => {
                self.overwrite(notice, (watchlist, edits), window, now);
            }
            AppCommand::DismissNotice(notice) => self.store.dismiss(notice),
        }
    }

    /// Sets the zoom factor of all windows.
    fn set_zoom(&self, factor: f32) {
        self.ctx.set_zoom_factor(settings::clamp_zoom(factor));
        self.wake_windows();
    }

    /// Quits the program with all windows as they are, unless another window has an open editor.
    fn quit(&mut self, window: WindowId, now: Duration) {
        if self.windows.is_another_editing(window) {
            self.store.notify_in(window, ANOTHER_EDITS, now);
            return;
        }
        self.windows.quit();
        self.ctx.send_viewport_cmd_to(egui::ViewportId::ROOT, egui::ViewportCommand::Close);
        wake_root(&self.ctx);
    }

    fn notify_offline_unless(&mut self, is_requested: bool, now: Duration) {
        if !is_requested {
            self.store.notify(OFFLINE, now);
        }
    }

    /// Returns the name of a watchlist.
    pub fn list_name(&self, watchlist: WatchlistId) -> Arc<str> {
        let known = self.store.known_lists().into_iter().find(|(known, _)| *known == watchlist);
        known.map_or_else(|| "watchlist".into(), |(_, name)| name)
    }

    /// Returns a name that no watchlist has: this one, or with a number.
    fn unused_name(&self, name: String) -> String {
        let known = self.store.known_lists();
        let is_known = |name: &str| known.iter().any(|(_, known)| &**known == name);
        let numbered = (2..).map(|number| format!("{name} ({number})"));
        std::iter::once(name.clone()).chain(numbered).find(|name| !is_known(name)).unwrap_or(name)
    }

    fn create_imported(&mut self, import: Import) {
        let Import { window, name, table } = import;
        let name = self.unused_name(name);
        let made = table.and_then(|table| {
            let fill = table.inserts(&Limits::default(), || RowId(Uuid::now_v7()));
            let id = WatchlistId(Uuid::now_v7());
            let is_requested = self.store.create(window, id, &name, Some(table.columns), fill);
            is_requested.then_some(()).ok_or_else(|| OFFLINE.to_owned())
        });
        self.transfers.finish(window, made.err());
    }

    /// Writes rows and columns of a watchlist to a file.
    fn export(&mut self, export: Export, window: WindowId) {
        let Export { watchlist, path, rows, columns } = export;
        let Some(watchlist) = self.store.watchlist(watchlist) else {
            return self.transfers.finish(window, Some(When::List.reason().to_owned()));
        };
        let frozen = watchlist.freeze();
        // Without sections, as the status bar counts.
        let sections = frozen.columns.sections();
        let is_counted = |row: &&Arc<Row>| row.section(sections).is_none();
        let count = match &rows {
            Some(rows) => rows.iter().filter_map(|id| watchlist.rows().get(*id)).filter(is_counted).count(),
            None => frozen.rows().filter(is_counted).count(),
        };
        let count = self.region.separators.format_count(count, "row was", "rows were");
        let done = format!("{count} exported to {}.", path.display());
        let has_tabs = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
        let extent =
            Extent { rows, columns, separator: if has_tabs { Separator::Tab } else { Separator::Comma } };
        self.transfers.export(window, path, (frozen, extent), done, self.wake.clone());
    }

    /// Takes the result of an import or an export of a window: `Some(None)` on success, `Some(Some(error))`
    /// on failure.
    pub fn take_transfer_result(&mut self, window: WindowId) -> Option<Option<String>> {
        self.transfers.take_result(window)
    }

    /// Opens another window, which shows this watchlist.
    pub fn open_window(&mut self, window: SavedWindow) {
        self.windows.request(window);
        wake_root(&self.ctx);
    }

    /// Closes a window. The last one is saved first, so that it opens again at the next start.
    pub fn close_window(&mut self, window: WindowId, now: Duration) {
        if self.windows.len() == 1 {
            self.save_workspace(now, true);
        }
        self.windows.close(window);
        self.store.forget_window(window);
    }

    /// Saves the windows and preferences if they changed. Returns the time until they can be saved, if the
    /// last save is too recent.
    pub fn save_workspace(&mut self, now: Duration, at_once: bool) -> Option<Duration> {
        let zoom = self.ctx.zoom_factor();
        self.saver.save(&self.preferences, zoom, &mut self.windows, now, at_once)
    }
}
