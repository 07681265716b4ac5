//! The modal dialogs: naming watchlists and columns, adding a column, importing a file, and a message.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError, sync_channel},
    },
    thread,
    time::Duration,
};

use egui::{Id, Key, Modal, TextEdit, Ui};
use shared::{
    column::{ColumnKey, ColumnKind, check_title},
    edit::{AddColumn, Change, SetColumn},
    ids::WatchlistId,
    limits::{Limits, NAME_BYTES},
    rejection::Code,
};

use crate::{
    command::{AppCommand, ColumnCommand, Command, DialogKind, RESTORE_WATCHLIST, entry_of},
    grid::new_column_kinds,
    store::sentence,
    text_field::select_all,
};

/// Time after which keys close a message that has interrupted typing.
const READING_TIME: Duration = Duration::from_secs(1);

/// An open dialog.
pub struct Dialog {
    kind: Kind,
    text: String,
    is_new: bool,
    browsing: Option<Receiver<Option<PathBuf>>>,
    /// The file is being read.
    is_reading: bool,
    /// Why the last file could not be imported.
    import_error: Option<String>,
}

enum Kind {
    NewWatchlist,
    Rename(WatchlistId),
    AddColumn(WatchlistId, ColumnKey, NewKind),
    RenameColumn(WatchlistId, ColumnKey),
    Import,
    /// A watchlist was deleted while a text for it was typed.
    Deleted(Deleted),
}

/// A watchlist that was deleted.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The watchlist.
    pub watchlist: WatchlistId,
    /// Its name, if it was known.
    pub name: Option<Arc<str>>,
    /// When the window learnt of it, on the clock of the windows.
    pub at: Duration,
}

impl Kind {
    /// Returns the title of the dialog, which is the one of the command that opens it if there is one.
    fn title(&self) -> &'static str {
        let command = match self {
            Self::NewWatchlist => Command::OpenDialog(DialogKind::NewWatchlist),
            Self::Rename(_) => Command::RenameShownList,
            Self::AddColumn(..) => ColumnCommand::Add.into(),
            Self::RenameColumn(..) => ColumnCommand::Rename.into(),
            Self::Import => Command::OpenDialog(DialogKind::Import),
            Self::Deleted(..) => return "Watchlist deleted",
        };
        entry_of(&command).dialog_title()
    }
}

/// The kind chosen for a new column.
#[derive(Default)]
struct NewKind {
    chosen: usize,
    /// Comma-separated options of a choice column, as typed.
    options: String,
    /// Whether the options field requests focus in the next frame.
    focus_options: bool,
}

impl NewKind {
    fn kind(&self) -> ColumnKind {
        let options = || {
            let options = self.options.split(',').map(str::trim).filter(|word| !word.is_empty());
            options.map(Arc::from).collect()
        };
        match new_column_kinds().into_iter().nth(self.chosen) {
            Some((_, ColumnKind::Choice(_))) => ColumnKind::Choice(options()),
            Some((_, kind)) => kind,
            None => ColumnKind::Text,
        }
    }

    /// Draws the kinds; returns whether one of its widgets has or just lost the focus.
    fn show(&mut self, ui: &mut Ui) -> bool {
        let mut has_keys = false;
        ui.horizontal_wrapped(|ui| {
            for (index, (name, _)) in new_column_kinds().iter().enumerate() {
                let radio = ui.radio_value(&mut self.chosen, index, *name);
                has_keys |= radio.has_focus();
                self.focus_options |= radio.changed();
            }
        });
        if let ColumnKind::Choice(options) = self.kind() {
            let field = TextEdit::singleline(&mut self.options).hint_text("buy, hold, sell");
            let response = ui.add(field.desired_width(f32::INFINITY).margin(6.0));
            has_keys |= response.lost_focus();
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("Options"));
            if std::mem::take(&mut self.focus_options) {
                response.request_focus();
            }
            if let Err(error) = ColumnKind::Choice(options).check(&Limits::default())
                && !self.options.is_empty()
            {
                ui.colored_label(ui.visuals().error_fg_color, sentence(&error.message));
            }
        }
        has_keys
    }
}

impl Dialog {
    /// Creates a dialog that asks for the name of a new watchlist.
    pub fn new_watchlist() -> Self {
        Self::with(Kind::NewWatchlist, "")
    }

    /// Creates a dialog that renames a watchlist.
    pub fn rename(watchlist: WatchlistId, name: &str) -> Self {
        Self::with(Kind::Rename(watchlist), name)
    }

    /// Creates a dialog that asks for the title and kind of a new column.
    pub fn add_column(watchlist: WatchlistId, after: ColumnKey) -> Self {
        Self::with(Kind::AddColumn(watchlist, after, NewKind::default()), "")
    }

    /// Creates a dialog that renames a column.
    pub fn rename_column(watchlist: WatchlistId, key: ColumnKey, title: &str) -> Self {
        Self::with(Kind::RenameColumn(watchlist, key), title)
    }

    /// Creates a message that a watchlist was deleted while `typed` was typed into it.
    pub fn deleted(deleted: Deleted, typed: &str) -> Self {
        Self::with(Kind::Deleted(deleted), typed)
    }

    /// Creates a dialog that asks for a CSV file to import.
    pub fn import() -> Self {
        Self::with(Kind::Import, "")
    }

    fn with(kind: Kind, text: &str) -> Self {
        Self {
            kind,
            text: text.to_owned(),
            is_new: true,
            browsing: None,
            is_reading: false,
            import_error: None,
        }
    }

    /// Returns whether a file is being read.
    pub fn is_importing(&self) -> bool {
        self.is_reading
    }

    /// Reports that the file could not be imported and lets the person choose another one.
    pub fn with_import_error(self, error: String) -> Self {
        Self { is_reading: false, is_new: true, import_error: Some(error), ..self }
    }

    /// Draws the dialog; returns it while it stays open, and the confirmed command.
    pub fn show(mut self, ui: &Ui, now: Duration) -> (Option<Self>, Option<AppCommand>) {
        if let Kind::Deleted(deleted) = &self.kind {
            let deleted = deleted.clone();
            return self.show_deleted(ui, &deleted, now);
        }
        self.poll_browsed();
        let title = self.kind.title();
        let (hint, done) = match self.kind {
            Kind::NewWatchlist => ("Name", "Create"),
            Kind::Rename(_) => ("Name", "Rename"),
            Kind::AddColumn(..) => ("Title", "Add"),
            Kind::RenameColumn(..) => ("Title", "Rename"),
            Kind::Import => ("Path to a CSV file with a header row", "Import"),
            Kind::Deleted(..) => ("", "Close"),
        };
        let error = self.title_error();
        let is_kind_valid = match &self.kind {
            Kind::AddColumn(_, _, kind) => kind.kind().check(&Limits::default()).is_ok(),
            _ => true,
        };
        let is_ready = is_kind_valid && error.is_none() && !self.text.trim().is_empty() && !self.is_reading;
        let mut confirmed = false;
        let modal = Modal::new(Id::unique("dialog"))
            .frame(egui::Frame::popup(&ui.global_style()).inner_margin(16))
            .show(ui, |ui| {
                ui.set_width(400.0);
                ui.heading(title);
                let field = ui.add(
                    TextEdit::singleline(&mut self.text)
                        .hint_text(hint)
                        .desired_width(f32::INFINITY)
                        .margin(6.0),
                );
                if std::mem::take(&mut self.is_new) {
                    field.request_focus();
                    select_all(ui, field.id, &self.text);
                }
                if field.changed() {
                    self.import_error = None;
                }
                if let Some(import_error) = &self.import_error {
                    ui.colored_label(ui.visuals().error_fg_color, import_error);
                }
                if self.is_reading {
                    ui.label("Reading\u{2026}");
                }
                if let Some(error) = error.filter(|_| !self.text.is_empty()) {
                    ui.colored_label(ui.visuals().error_fg_color, error);
                }
                let has_kind_focus = match &mut self.kind {
                    Kind::AddColumn(_, _, kind) => kind.show(ui),
                    _ => false,
                };
                let enter = ui.input(|input| input.key_pressed(Key::Enter));
                // A click on a kind leaves nothing focused; Enter then confirms the dialog, too.
                let has_no_focus = ui.memory(|memory| memory.focused().is_none());
                confirmed = enter && (field.lost_focus() || has_kind_focus || has_no_focus);
                ui.horizontal(|ui| {
                    if matches!(self.kind, Kind::Import) && ui.button("Browse…").clicked() {
                        self.browse(ui);
                    }
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        confirmed |= ui.add_enabled(is_ready, egui::Button::new(done)).clicked();
                        if ui.button("Cancel").clicked() {
                            ui.close();
                        }
                    });
                });
            });
        if confirmed && is_ready {
            if matches!(self.kind, Kind::Import) {
                self.is_reading = true;
                let command = AppCommand::Import(PathBuf::from(self.text.trim()));
                return (Some(self), Some(command));
            }
            return (None, self.command());
        }
        if modal.should_close() { (None, None) } else { (Some(self), None) }
    }

    /// Returns why the typed name is invalid, if it is.
    fn title_error(&self) -> Option<String> {
        match self.kind {
            Kind::Import | Kind::Deleted(..) => None,
            Kind::NewWatchlist | Kind::Rename(_) | Kind::AddColumn(..) | Kind::RenameColumn(..) => {
                let rejection = check_title("the name", self.text.trim()).err()?;
                Some(match rejection.code {
                    Code::TooLong => format!("The name is too long. Use at most {NAME_BYTES} bytes."),
                    _ => sentence(&rejection.message),
                })
            }
        }
    }

    /// Says that a watchlist was deleted, and offers to keep the typed text and to restore the watchlist. Keys close
    /// the message once the person has had the time to see it: they may still be typing.
    fn show_deleted(self, ui: &Ui, deleted: &Deleted, now: Duration) -> (Option<Self>, Option<AppCommand>) {
        let (mut is_read, mut command) = (false, None);
        let name = deleted.name.as_ref().map(|name| format!(" \u{201c}{name}\u{201d}")).unwrap_or_default();
        Modal::new(Id::unique("message"))
            .frame(egui::Frame::popup(&ui.global_style()).inner_margin(16))
            .show(ui, |ui| {
                ui.set_width(400.0);
                ui.heading(self.kind.title());
                let text = format!(
                    "Watchlist{name} was deleted while you were typing \u{201c}{}\u{201d}.",
                    self.text
                );
                ui.add(egui::Label::new(text).selectable(true).wrap());
                ui.horizontal(|ui| {
                    if ui.button("Copy text").clicked() {
                        ui.copy_text(self.text.clone());
                    }
                    if ui.button(RESTORE_WATCHLIST).clicked() {
                        (is_read, command) = (true, Some(AppCommand::Restore(deleted.watchlist)));
                    }
                    is_read |= ui.button("Close").clicked();
                });
                let may_close = now.saturating_sub(deleted.at) >= READING_TIME;
                let keys = ui.input_mut(|input| {
                    [Key::Enter, Key::Escape].map(|key| input.consume_key(egui::Modifiers::NONE, key))
                });
                is_read |= may_close && keys.contains(&true);
            });
        ((!is_read).then_some(self), command)
    }

    fn command(self) -> Option<AppCommand> {
        let text = self.text.trim().to_owned();
        Some(match self.kind {
            Kind::NewWatchlist => AppCommand::Create(text),
            Kind::Rename(watchlist) => {
                let changes = vec![Change::rename(&text)];
                AppCommand::Edit { watchlist, changes }
            }
            Kind::AddColumn(watchlist, after, kind) => {
                let kind = kind.kind();
                let key = ColumnKey(slug(&text).into());
                let title = text.as_str().into();
                let add = AddColumn { key, title, kind, after: Some(Some(after)) };
                AppCommand::Edit { watchlist, changes: vec![Change::AddColumn(add)] }
            }
            Kind::RenameColumn(watchlist, key) => {
                let title = Some(text.as_str().into());
                let set = SetColumn { key, title, kind: None, after: None };
                AppCommand::Edit { watchlist, changes: vec![Change::SetColumn(set)] }
            }
            Kind::Import | Kind::Deleted(..) => return None,
        })
    }

    /// Opens the system's file dialog on a thread, because it blocks until a file is chosen.
    fn browse(&mut self, ui: &Ui) {
        let (sender, receiver) = sync_channel(1);
        let ctx = ui.ctx().clone();
        let viewport = ctx.viewport_id();
        let ask = move || {
            let file = rfd::FileDialog::new().add_filter("CSV", &["csv", "CSV", "txt"]).pick_file();
            // Fails if the dialog was closed in the meantime.
            drop(sender.send(file));
            ctx.request_repaint_of(viewport);
        };
        let started = thread::Builder::new().name("afterglow-browse".to_owned()).spawn(ask);
        self.browsing = started.is_ok().then_some(receiver);
    }

    fn poll_browsed(&mut self) {
        match self.browsing.as_ref().map(Receiver::try_recv) {
            Some(Ok(file)) => {
                self.text = file.map_or_else(
                    || std::mem::take(&mut self.text),
                    |file| file.to_string_lossy().into_owned(),
                );
                self.browsing = None;
            }
            Some(Err(TryRecvError::Disconnected)) => self.browsing = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
    }
}

/// Returns a column key that starts with the title's letters and has a random suffix to be unique.
fn slug(title: &str) -> String {
    let mut slug: String = title.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    slug.make_ascii_lowercase();
    let [.., a, b, c, d] = uuid::Uuid::new_v4().into_bytes();
    format!("{}{:08x}", if slug.is_empty() { "column" } else { &slug }, u32::from_be_bytes([a, b, c, d]))
}
