//! The dialogs: names for watchlists and columns, a new column's kind, a file to import, and what has to be read.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError, sync_channel},
    },
    thread,
};

use egui::{Id, Key, Modal, TextEdit, Ui};
use shared::{
    column::{ColumnKey, ColumnKind, check_title},
    edit::{AddColumn, Change, Rejection, SetColumn},
    ids::{WatchlistId, WindowId},
    limits::Limits,
};

use crate::{action::Action, grid::kinds};

/// A dialog that is open.
pub struct Dialog {
    kind: Kind,
    text: String,
    is_new: bool,
    browsing: Option<Receiver<Option<PathBuf>>>,
    /// The file is being read.
    is_waiting: bool,
    /// What was wrong with the file.
    refusal: Option<String>,
}

enum Kind {
    NewWatchlist,
    Rename(WatchlistId),
    AddColumn(WatchlistId, ColumnKey, NewKind),
    RenameColumn(WatchlistId, ColumnKey),
    Import,
    Told(&'static str),
}

/// What a new column is to hold.
#[derive(Default)]
struct NewKind {
    chosen: usize,
    /// What can be chosen from in it, as it is typed.
    words: String,
    /// They are to be typed next.
    wants_words: bool,
}

impl NewKind {
    fn kind(&self) -> ColumnKind {
        let words = || {
            let words = self.words.split(',').map(str::trim).filter(|word| !word.is_empty());
            words.map(Arc::from).collect()
        };
        match kinds().into_iter().nth(self.chosen) {
            Some((_, ColumnKind::Choice(_))) => ColumnKind::Choice(words()),
            Some((_, kind)) => kind,
            None => ColumnKind::Text,
        }
    }

    /// Shows what can be chosen; tells whether it has the keyboard.
    fn show(&mut self, ui: &mut Ui) -> bool {
        let mut has_keys = false;
        ui.horizontal_wrapped(|ui| {
            for (index, (name, _)) in kinds().iter().enumerate() {
                let radio = ui.radio_value(&mut self.chosen, index, *name);
                has_keys |= radio.has_focus();
                self.wants_words |= radio.changed();
            }
        });
        if let ColumnKind::Choice(words) = self.kind() {
            let field = TextEdit::singleline(&mut self.words).hint_text("buy, hold, sell");
            let response = ui.add(field.desired_width(f32::INFINITY).margin(6.0));
            has_keys |= response.lost_focus();
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("Words to choose from"));
            if std::mem::take(&mut self.wants_words) {
                response.request_focus();
            }
            if let Err(error) = ColumnKind::Choice(words).check(&Limits::default())
                && !self.words.is_empty()
            {
                ui.colored_label(ui.visuals().error_fg_color, error.message);
            }
        }
        has_keys
    }
}

impl Dialog {
    /// Asks for a new watchlist's name.
    pub fn new_watchlist() -> Self {
        Self::with(Kind::NewWatchlist, "")
    }

    /// Asks for another name.
    pub fn rename(watchlist: WatchlistId, name: &str) -> Self {
        Self::with(Kind::Rename(watchlist), name)
    }

    /// Asks for a new column's title and kind.
    pub fn add_column(watchlist: WatchlistId, after: ColumnKey) -> Self {
        Self::with(Kind::AddColumn(watchlist, after, NewKind::default()), "")
    }

    /// Asks for a column's title.
    pub fn rename_column(watchlist: WatchlistId, key: ColumnKey, title: &str) -> Self {
        Self::with(Kind::RenameColumn(watchlist, key), title)
    }

    /// Says something that has to be read before anything is typed.
    pub fn told(title: &'static str, text: String) -> Self {
        Self::with(Kind::Told(title), &text)
    }

    /// Asks for a CSV file.
    pub fn import() -> Self {
        Self::with(Kind::Import, "")
    }

    fn with(kind: Kind, text: &str) -> Self {
        Self { kind, text: text.to_owned(), is_new: true, browsing: None, is_waiting: false, refusal: None }
    }

    /// Whether it waits for a file to be read.
    pub fn is_importing(&self) -> bool {
        self.is_waiting
    }

    /// The file was not imported: it stays open, to name another.
    pub fn refused(self, why: String) -> Self {
        Self { is_waiting: false, is_new: true, refusal: Some(why), ..self }
    }

    /// Shows the dialog; gives it back while it stays open, and what was asked.
    pub fn show(mut self, ui: &Ui, window: WindowId) -> (Option<Self>, Option<Action>) {
        if let Kind::Told(title) = self.kind {
            return (self.tell(ui, title), None);
        }
        self.take_browsed();
        let (title, hint, done) = match self.kind {
            Kind::NewWatchlist => ("New watchlist", "Name", "Create"),
            Kind::Rename(_) => ("Rename watchlist", "Name", "Rename"),
            Kind::AddColumn(..) => ("Add a column", "Title", "Add"),
            Kind::RenameColumn(..) => ("Rename column", "Title", "Rename"),
            Kind::Import => {
                ("Import a CSV file", "Path of the file; its first line names the columns", "Import")
            }
            Kind::Told(title) => (title, "", "Close"),
        };
        let error = self.wrong();
        let is_sound = match &self.kind {
            Kind::AddColumn(_, _, kind) => kind.kind().check(&Limits::default()).is_ok(),
            _ => true,
        };
        let is_ready = is_sound && error.is_none() && !self.text.trim().is_empty() && !self.is_waiting;
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
                }
                if field.changed() {
                    self.refusal = None;
                }
                if let Some(refusal) = &self.refusal {
                    ui.colored_label(ui.visuals().error_fg_color, refusal);
                }
                if self.is_waiting {
                    ui.label("Reading\u{2026}");
                }
                if let Some(error) = error.filter(|_| !self.text.is_empty()) {
                    ui.colored_label(ui.visuals().error_fg_color, error.message);
                }
                let is_kind_meant = match &mut self.kind {
                    Kind::AddColumn(_, _, kind) => kind.show(ui),
                    _ => false,
                };
                let enter = ui.input(|input| input.key_pressed(Key::Enter));
                // Whoever has clicked on a kind means the dialog, too.
                let has_no_focus = ui.memory(|memory| memory.focused().is_none());
                confirmed = enter && (field.lost_focus() || is_kind_meant || has_no_focus);
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
                self.is_waiting = true;
                let action = Action::Import(window, PathBuf::from(self.text.trim()));
                return (Some(self), Some(action));
            }
            return (None, self.action(window));
        }
        if modal.should_close() { (None, None) } else { (Some(self), None) }
    }

    /// What is wrong with the name that is typed.
    fn wrong(&self) -> Option<Rejection> {
        match self.kind {
            Kind::Import | Kind::Told(_) => None,
            Kind::NewWatchlist | Kind::Rename(_) | Kind::AddColumn(..) | Kind::RenameColumn(..) => {
                check_title("the name", self.text.trim()).err()
            }
        }
    }

    /// Closed by a click alone: whoever is typing does not see it yet.
    fn tell(self, ui: &Ui, title: &str) -> Option<Self> {
        let mut is_read = false;
        Modal::new(Id::unique("told")).frame(egui::Frame::popup(&ui.global_style()).inner_margin(16)).show(
            ui,
            |ui| {
                ui.set_width(400.0);
                ui.heading(title);
                ui.add(egui::Label::new(&self.text).selectable(true).wrap());
                is_read = ui.button("Close").clicked();
            },
        );
        (!is_read).then_some(self)
    }

    fn action(self, window: WindowId) -> Option<Action> {
        let text = self.text.trim().to_owned();
        Some(match self.kind {
            Kind::NewWatchlist => Action::Create(window, text),
            Kind::Rename(watchlist) => {
                let changes = vec![Change::rename(&text)];
                Action::Edit { watchlist, window, changes }
            }
            Kind::AddColumn(watchlist, after, kind) => {
                let kind = kind.kind();
                let key = ColumnKey(slug(&text).into());
                let title = text.as_str().into();
                let add = AddColumn { key, title, kind, after: Some(Some(after)) };
                Action::Edit { watchlist, window, changes: vec![Change::AddColumn(add)] }
            }
            Kind::RenameColumn(watchlist, key) => {
                let title = Some(text.as_str().into());
                let set = SetColumn { key, title, kind: None, after: None };
                Action::Edit { watchlist, window, changes: vec![Change::SetColumn(set)] }
            }
            Kind::Import | Kind::Told(_) => return None,
        })
    }

    /// Opens the system's own file dialog, on a thread: it may take its time.
    fn browse(&mut self, ui: &Ui) {
        let (sender, receiver) = sync_channel(1);
        let ctx = ui.ctx().clone();
        let viewport = ctx.viewport_id();
        let ask = move || {
            let file = rfd::FileDialog::new().add_filter("CSV", &["csv", "CSV", "txt"]).pick_file();
            // The dialog was closed where nobody takes it.
            drop(sender.send(file));
            ctx.request_repaint_of(viewport);
        };
        let started = thread::Builder::new().name("afterglow-browse".to_owned()).spawn(ask);
        self.browsing = started.is_ok().then_some(receiver);
    }

    fn take_browsed(&mut self) {
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

/// A column's key from its title, and never one that another column has.
fn slug(title: &str) -> String {
    let mut slug: String = title.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    slug.make_ascii_lowercase();
    let [.., a, b, c, d] = uuid::Uuid::new_v4().into_bytes();
    format!("{}{:08x}", if slug.is_empty() { "column" } else { &slug }, u32::from_be_bytes([a, b, c, d]))
}
