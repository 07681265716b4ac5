//! The modal dialogs: naming watchlists and columns, adding a column, importing and exporting a file, and
//! messages.

mod browse;
mod messages;

use std::{path::PathBuf, sync::Arc, time::Duration};

use egui::{Id, Key, Modal, PointerButton, Response, TextEdit, Ui};
use shared::{
    address::address,
    column::{Column, ColumnKey, ColumnKind, check_title},
    edit::{AddColumn, Change, SetColumn},
    ids::WatchlistId,
    limits::{Limits, NAME_BYTES},
    rejection::Code,
};

pub use self::messages::Deleted;
use self::{
    browse::{Browse, Purpose},
    messages::Answer,
};
use super::choice::radio_buttons;
use crate::{
    command::{AppCommand, ColumnCommand, Command, DialogKind, GridCommand, entry_of},
    files::typed_path,
    grid::new_column_kinds,
    store::{Absence, sentence},
    text_field::select_all,
    theme::{dialog_title, fit_width},
};

/// An open dialog.
pub struct Dialog {
    kind: Kind,
    text: String,
    is_new: bool,
    browse: Browse,
    /// The file is being read or written.
    is_transferring: bool,
    /// Why the last file could not be read or written, or none can be chosen.
    error: Option<String>,
}

enum Kind {
    NewWatchlist,
    /// Asks for the address of another server; the servers that were joined before.
    Connect(Vec<String>),
    Rename(WatchlistId),
    AddColumn(WatchlistId, ColumnKey, NewKind),
    RenameColumn(WatchlistId, ColumnKey),
    /// With the title that the column had.
    ColumnType(WatchlistId, ColumnKey, NewKind, Arc<str>),
    Import,
    Export {
        only_shown: bool,
        /// The existing file that may be replaced, once the person knows of it.
        replaced: Option<PathBuf>,
    },
    /// Asks whether to delete a watchlist; the question.
    Delete(WatchlistId, String),
    /// A watchlist was deleted while a text for it was typed.
    Deleted(Deleted),
}

impl Kind {
    /// Returns the title of the dialog, which is the one of the command that opens it if there is one.
    fn title(&self) -> &'static str {
        let command = match self {
            Self::NewWatchlist => Command::OpenDialog(DialogKind::NewWatchlist),
            Self::Connect(_) => Command::OpenDialog(DialogKind::Connect),
            Self::Rename(_) => Command::RenameShownList,
            Self::AddColumn(..) => ColumnCommand::Add.into(),
            Self::RenameColumn(..) => ColumnCommand::Rename.into(),
            Self::ColumnType(..) => ColumnCommand::ChangeType.into(),
            Self::Import => Command::OpenDialog(DialogKind::Import),
            Self::Export { .. } => Command::OpenDialog(DialogKind::Export),
            Self::Delete(..) => Command::DeleteShownList,
            Self::Deleted(deleted) => {
                return match deleted.absence {
                    Absence::Deleted => "Watchlist deleted",
                    Absence::Forbidden => "Watchlist no longer shared",
                    Absence::Unknown => "Watchlist gone",
                };
            }
        };
        entry_of(&command).dialog_title()
    }

    /// Returns the hint of the text field, and the title of the button that confirms.
    fn texts(&self) -> (&'static str, &'static str) {
        match self {
            Self::NewWatchlist => ("Name", "Create"),
            Self::Connect(_) => ("Address, as https://desk.example:7878", "Connect"),
            Self::Rename(_) => ("Name", "Rename"),
            Self::AddColumn(..) => ("Title", "Add"),
            Self::RenameColumn(..) => ("Title", "Rename"),
            Self::ColumnType(..) => ("Title", "Change"),
            Self::Import => ("Path to a CSV file with a header row", "Import"),
            Self::Export { replaced: Some(_), .. } => ("Path of the file", "Replace"),
            Self::Export { .. } => ("Path of the file", "Export"),
            Self::Delete(..) | Self::Deleted(..) => ("", ""),
        }
    }
}

/// The kind chosen for a column.
#[derive(Default)]
struct NewKind {
    chosen: usize,
    /// Comma-separated options of a choice column, as typed.
    options: String,
}

/// What the widgets below the text field received.
#[derive(Default)]
struct Choices {
    /// Whether Enter in one of them confirms the dialog.
    has_keys: bool,
    /// Whether one of them confirms it.
    is_confirmed: bool,
    /// Whether a radio button was clicked: what is typed next is for the text field.
    is_clicked: bool,
    /// The field with the options of a choice.
    options: Option<Id>,
}

impl Choices {
    fn add_radio_buttons(&mut self, buttons: &[Response]) {
        self.has_keys |= buttons.iter().any(Response::has_focus);
        self.is_clicked |= buttons.iter().any(|button| button.clicked_by(PointerButton::Primary));
    }
}

impl NewKind {
    /// Returns the choice of a kind that a column has.
    fn of(kind: &ColumnKind) -> Self {
        let is_same =
            |(_, other): &(_, ColumnKind)| std::mem::discriminant(other) == std::mem::discriminant(kind);
        let chosen = new_column_kinds().iter().position(is_same).unwrap_or_default();
        let options = match kind {
            ColumnKind::Choice(options) => options.join(", "),
            _ => String::new(),
        };
        Self { chosen, options }
    }

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

    /// Draws the kinds, and the options of a choice.
    fn show(&mut self, ui: &mut Ui) -> Choices {
        let mut shown = Choices::default();
        ui.horizontal_wrapped(|ui| {
            let kinds = new_column_kinds().into_iter().enumerate().map(|(index, (name, _))| (index, name));
            let radios = radio_buttons(ui, &mut self.chosen, kinds);
            shown.add_radio_buttons(&radios);
        });
        if let ColumnKind::Choice(options) = self.kind() {
            let field = TextEdit::singleline(&mut self.options).hint_text("buy, hold, sell");
            let response = ui.add(field.desired_width(f32::INFINITY).margin(6.0));
            shown.has_keys |= response.lost_focus();
            shown.options = Some(response.id);
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("Options"));
            if let Err(error) = ColumnKind::Choice(options).check(&Limits::default())
                && !self.options.is_empty()
            {
                ui.colored_label(ui.visuals().error_fg_color, sentence(&error.message));
            }
        }
        shown
    }
}

impl Dialog {
    /// Creates a dialog that asks for the name of a new watchlist.
    pub fn new_watchlist() -> Self {
        Self::with(Kind::NewWatchlist, "")
    }

    /// Creates a dialog that asks for the address of another server, and offers those that were joined
    /// before.
    pub fn connect(joined: Vec<String>) -> Self {
        Self::with(Kind::Connect(joined), "https://")
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

    /// Creates a dialog that asks for another type, and perhaps title, of a column.
    pub fn column_type(watchlist: WatchlistId, column: &Column) -> Self {
        let (kind, title) = (NewKind::of(&column.kind), column.title.clone());
        Self::with(Kind::ColumnType(watchlist, column.key.clone(), kind, title), &column.title)
    }

    /// Creates a message that a watchlist was deleted while `typed` was typed into it.
    pub fn deleted(deleted: Deleted, typed: &str) -> Self {
        Self::with(Kind::Deleted(deleted), typed)
    }

    /// Creates a dialog that asks for a CSV file to import.
    pub fn import() -> Self {
        Self::with(Kind::Import, "")
    }

    /// Creates a dialog that asks for the file to export a watchlist to.
    pub fn export(name: &str) -> Self {
        let name: String =
            name.chars().map(|c| if c.is_control() || "/\\:*?\"<>|".contains(c) { '-' } else { c }).collect();
        let path = format!("~/{name}.csv");
        Self::with(Kind::Export { only_shown: true, replaced: None }, &path)
    }

    /// Creates a question whether to delete a watchlist, with the number of its rows in words.
    pub fn delete(watchlist: WatchlistId, name: &str, rows: String) -> Self {
        let question = format!(
            "This deletes \u{201c}{name}\u{201d} with {rows} for everyone. A deleted watchlist can be restored for \
             some time."
        );
        Self::with(Kind::Delete(watchlist, question), "")
    }

    fn with(kind: Kind, text: &str) -> Self {
        Self {
            kind,
            text: text.to_owned(),
            is_new: true,
            browse: Browse::default(),
            is_transferring: false,
            error: None,
        }
    }

    /// Returns the watchlist that the dialog says to be gone.
    pub fn gone_list(&self) -> Option<WatchlistId> {
        match &self.kind {
            Kind::Deleted(deleted) if !deleted.is_back => Some(deleted.watchlist),
            _ => None,
        }
    }

    /// Returns the dialog of a watchlist that is there again. It stays if it has a typed text.
    pub fn with_list_back(mut self) -> Option<Self> {
        if let Kind::Deleted(deleted) = &mut self.kind {
            deleted.is_back = true;
        }
        Some(self).filter(|dialog| !dialog.text.is_empty())
    }

    /// Returns whether a file is being read or written.
    pub fn is_transferring(&self) -> bool {
        self.is_transferring
    }

    /// Reports that the file could not be read or written and lets the person choose another one.
    pub fn with_error(self, error: String) -> Self {
        Self { is_transferring: false, is_new: true, error: Some(error), ..self }
    }

    /// Draws the dialog; returns it while it stays open, and the confirmed command. `offline` says why
    /// nothing can be created, if the server is not connected.
    pub fn show(mut self, ui: &Ui, now: Duration, offline: Option<&str>) -> (Option<Self>, Option<Command>) {
        let title = self.kind.title();
        let answer = match &mut self.kind {
            Kind::Deleted(deleted) => messages::show_deleted(ui, title, deleted, &self.text, now),
            Kind::Delete(watchlist, question) => {
                messages::show_delete(ui, title, std::mem::take(&mut self.is_new), (*watchlist, question))
            }
            _ => return self.show_field(ui, offline),
        };
        match answer {
            None => (Some(self), None),
            Some(Answer::Close) => (None, None),
            Some(Answer::Execute(command)) => (None, Some(command.into())),
            Some(Answer::Ask(command)) => (Some(self), Some(command.into())),
        }
    }

    /// Draws a dialog with a text field.
    fn show_field(mut self, ui: &Ui, offline: Option<&str>) -> (Option<Self>, Option<Command>) {
        self.take_browsed();
        if offline.is_none() && matches!(self.kind, Kind::NewWatchlist) {
            self.error = None;
        }
        let title = self.kind.title();
        let (hint, done) = self.kind.texts();
        let (mut confirmed, mut is_ready) = (false, false);
        let modal = Modal::new(Id::unique("dialog"))
            .frame(egui::Frame::popup(&ui.global_style()).inner_margin(16))
            .show(ui, |ui| {
                fit_width(ui, 400.0);
                dialog_title(ui, title);
                let field = ui.add(
                    TextEdit::singleline(&mut self.text)
                        .hint_text(hint)
                        .desired_width(f32::INFINITY)
                        .margin(6.0),
                );
                ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(hint));
                if std::mem::take(&mut self.is_new) {
                    field.request_focus();
                    select_all(ui, field.id, &self.text);
                }
                if field.changed() {
                    self.text_changed();
                }
                // Enter may arrive together with the text before it.
                let error = self.title_error();
                let is_text_valid = error.is_none() && !self.text.trim().is_empty();
                if let Some(error) = &self.error {
                    ui.colored_label(ui.visuals().error_fg_color, error);
                }
                if self.is_transferring {
                    let is_import = matches!(self.kind, Kind::Import);
                    ui.label(if is_import { "Reading\u{2026}" } else { "Writing\u{2026}" });
                }
                if let Some(error) = error.filter(|_| !self.text.is_empty()) {
                    ui.colored_label(ui.visuals().error_fg_color, error);
                }
                let choices = self.show_choices(ui);
                is_ready = self.is_kind_valid() && is_text_valid && !self.is_transferring;
                confirmed = choices.is_confirmed;
                let enter = ui.input(|input| input.key_pressed(Key::Enter));
                confirmed |= enter && (field.lost_focus() || choices.has_keys);
                // Enter and a click take the focus from a field. It goes to the one that still needs a text.
                let is_pressed = ui.input(|input| input.pointer.any_pressed());
                let is_lost = ui.memory(|memory| memory.focused().is_none()) && (enter || is_pressed);
                if is_lost || choices.is_clicked {
                    let options = choices.options.filter(|_| is_text_valid && !self.is_kind_valid());
                    ui.memory_mut(|memory| memory.request_focus(options.unwrap_or(field.id)));
                }
                ui.horizontal(|ui| {
                    self.show_browse(ui);
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        confirmed |= ui.add_enabled(is_ready, egui::Button::new(done)).clicked();
                        if ui.button("Cancel").clicked() {
                            ui.close();
                        }
                    });
                });
            });
        if confirmed && is_ready {
            return self.confirm(offline);
        }
        if modal.should_close() { (None, None) } else { (Some(self), None) }
    }

    /// Whether the kind of a new column is complete.
    fn is_kind_valid(&self) -> bool {
        match &self.kind {
            Kind::AddColumn(_, _, kind) | Kind::ColumnType(_, _, kind, _) => {
                kind.kind().check(&Limits::default()).is_ok()
            }
            _ => true,
        }
    }

    /// Draws what is chosen beside the text.
    fn show_choices(&mut self, ui: &mut Ui) -> Choices {
        match &mut self.kind {
            Kind::Connect(joined) => {
                let chosen = show_joined(ui, joined);
                let is_confirmed = chosen.is_some();
                self.text = chosen.unwrap_or_else(|| std::mem::take(&mut self.text));
                Choices { is_confirmed, ..Choices::default() }
            }
            Kind::AddColumn(_, _, kind) | Kind::ColumnType(_, _, kind, _) => kind.show(ui),
            Kind::Export { only_shown, replaced } => show_extent(ui, only_shown, replaced.is_some()),
            _ => Choices::default(),
        }
    }

    /// Executes what was entered; returns the dialog while it stays open, and the command.
    fn confirm(mut self, offline: Option<&str>) -> (Option<Self>, Option<Command>) {
        if let (Kind::NewWatchlist, Some(reason)) = (&self.kind, offline) {
            // The name is kept.
            return (Some(self.with_error(reason.to_owned())), None);
        }
        if let Some(error) = self.address_error() {
            return (Some(self.with_error(error)), None);
        }
        if self.would_replace_file() {
            return (Some(self), None);
        }
        let command = self.command();
        // The dialog stays open until the file is read or written.
        self.is_transferring = matches!(self.kind, Kind::Import | Kind::Export { .. });
        let kept = self.is_transferring.then_some(self);
        (kept, command)
    }

    /// Returns why the typed name is invalid, if it is.
    fn title_error(&self) -> Option<String> {
        match self.kind {
            Kind::Import | Kind::Export { .. } | Kind::Delete(..) | Kind::Deleted(..) => None,
            // Half an address is no error yet.
            Kind::Connect(_) => None,
            Kind::NewWatchlist
            | Kind::Rename(_)
            | Kind::AddColumn(..)
            | Kind::RenameColumn(..)
            | Kind::ColumnType(..) => {
                let rejection = check_title("the name", self.text.trim()).err()?;
                Some(match rejection.code {
                    Code::TooLong => format!("The name is too long. Use at most {NAME_BYTES} bytes."),
                    _ => sentence(&rejection.message),
                })
            }
        }
    }

    /// Returns why the typed address is invalid, if the dialog asks for one.
    fn address_error(&self) -> Option<String> {
        let Kind::Connect(_) = self.kind else { return None };
        address(self.text.trim()).err().map(|error| sentence(&error))
    }

    /// Draws the button that opens the system's file dialog, if the dialog asks for a file.
    fn show_browse(&mut self, ui: &mut Ui) {
        let purpose = match self.kind {
            Kind::Import => Purpose::Read,
            Kind::Export { .. } => Purpose::Write(typed_path(&self.text)),
            _ => return,
        };
        if ui.button("Browse…").clicked() {
            self.browse.start(ui, purpose);
        }
    }

    /// Whether the export would replace a file that the person does not know of. The dialog says so from then
    /// on.
    fn would_replace_file(&mut self) -> bool {
        let path = typed_path(&self.text);
        match &mut self.kind {
            Kind::Export { replaced, .. } if replaced.as_ref() != Some(&path) && path.is_file() => {
                *replaced = Some(path);
                self.is_new = true;
                true
            }
            _ => false,
        }
    }

    /// Handles another text in the field.
    fn text_changed(&mut self) {
        self.error = None;
        if let Kind::Export { replaced, .. } = &mut self.kind {
            *replaced = None;
        }
    }

    /// Takes the file that was chosen in the system's dialog.
    fn take_browsed(&mut self) {
        match self.browse.take() {
            None => {}
            Some(Ok(file)) => {
                self.text = file.to_string_lossy().into_owned();
                self.text_changed();
            }
            Some(Err(error)) => self.error = Some(error),
        }
    }

    fn command(&self) -> Option<Command> {
        let text = self.text.trim().to_owned();
        let command = match &self.kind {
            Kind::NewWatchlist => AppCommand::Create(text),
            Kind::Connect(_) => AppCommand::Connect(text),
            Kind::Rename(watchlist) => {
                let changes = vec![Change::rename(&text)];
                AppCommand::Edit { watchlist: *watchlist, changes }
            }
            Kind::AddColumn(watchlist, after, kind) => {
                let kind = kind.kind();
                let key = ColumnKey(slug(&text).into());
                let title = text.as_str().into();
                let add = AddColumn { key, title, kind, after: Some(Some(after.clone())) };
                AppCommand::Edit { watchlist: *watchlist, changes: vec![Change::AddColumn(add)] }
            }
            Kind::RenameColumn(watchlist, key) => {
                let title = Some(text.as_str().into());
                let set = SetColumn { key: key.clone(), title, kind: None, after: None };
                AppCommand::Edit { watchlist: *watchlist, changes: vec![Change::SetColumn(set)] }
            }
            Kind::ColumnType(watchlist, key, kind, before) => {
                // Others may have renamed the column in the meantime.
                let title = (text != **before).then(|| text.as_str().into());
                let set = SetColumn { key: key.clone(), title, kind: Some(kind.kind()), after: None };
                return Some(GridCommand::SetColumn(*watchlist, set).into());
            }
            Kind::Import => AppCommand::Import(typed_path(&text)),
            Kind::Export { only_shown, .. } => {
                return Some(GridCommand::Export { path: typed_path(&text), only_shown: *only_shown }.into());
            }
            Kind::Delete(..) | Kind::Deleted(..) => return None,
        };
        Some(command.into())
    }
}

/// Offers the servers that were joined before. Returns the one that was chosen.
fn show_joined(ui: &mut Ui, joined: &[String]) -> Option<String> {
    if !joined.is_empty() {
        ui.weak("Joined before:");
    }
    joined.iter().find(|base| ui.button(base.as_str()).clicked()).cloned()
}

/// Asks what is exported.
fn show_extent(ui: &mut Ui, only_shown: &mut bool, exists: bool) -> Choices {
    let extents = [(true, "Shown rows and columns, in their order"), (false, "Everything")];
    let mut shown = Choices::default();
    shown.add_radio_buttons(&radio_buttons(ui, only_shown, extents));
    ui.weak("A name that ends in .tsv is written with tabs, any other as CSV.");
    if exists {
        ui.colored_label(ui.visuals().warn_fg_color, "This file exists. It will be replaced.");
    }
    shown
}

/// Returns a column key that starts with the title's letters and has a random suffix to be unique.
fn slug(title: &str) -> String {
    let mut slug: String = title.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    slug.make_ascii_lowercase();
    let [.., a, b, c, d] = uuid::Uuid::new_v4().into_bytes();
    format!("{}{:08x}", if slug.is_empty() { "column" } else { &slug }, u32::from_be_bytes([a, b, c, d]))
}
