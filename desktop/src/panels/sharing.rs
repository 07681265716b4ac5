//! The dialog in which an owner shares a watchlist. Others see who may use it.

use std::sync::Arc;

use egui::{Align, Grid, Id, Key, Layout, Modal, ScrollArea, TextEdit, Ui};
use shared::{
    account::ListRole,
    ids::{UserId, WatchlistId},
    wire::account_api::{AccessEntry, PersonRef},
};

use super::choice::choose;
use crate::{
    account::{Account, AccountCommand},
    command::{AppCommand, Command},
    store::sentence,
    text_field::keep_focus,
    theme::{dialog_title, fit_width},
};

/// Maximum height of each list, in points.
const MAX_HEIGHT: f32 = 180.0;
/// Maximum number of found people that are shown.
const MAX_FOUND: usize = 8;

/// An open dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharingDialog {
    watchlist: WatchlistId,
    name: Arc<str>,
    /// Part of a name to look for.
    query: String,
    /// The role for the person who is found.
    role: ListRole,
    /// Whether the roles were not requested yet.
    is_new: bool,
    /// Whether the field has not had the focus yet.
    needs_focus: bool,
    /// Whether Enter was pressed and the people of that name are not known yet.
    is_entered: bool,
}

impl SharingDialog {
    /// Opens the dialog for a watchlist.
    pub fn new(watchlist: WatchlistId, name: Arc<str>) -> Self {
        Self {
            watchlist,
            name,
            query: String::new(),
            role: ListRole::Editor,
            is_new: true,
            needs_focus: true,
            is_entered: false,
        }
    }

    /// Returns the watchlist.
    pub fn watchlist(&self) -> WatchlistId {
        self.watchlist
    }
}

/// Returns what a role may do, as a person reads it.
pub fn role_name(role: ListRole) -> &'static str {
    match role {
        ListRole::Viewer => "Can view",
        ListRole::Editor => "Can edit",
        ListRole::Owner => "Owner",
    }
}

/// Draws the dialog. Returns whether it stays open, and the commands that the person has chosen.
pub fn show(
    ui: &Ui,
    dialog: &mut SharingDialog,
    account: &Account,
    role: Option<ListRole>,
) -> (bool, Vec<Command>) {
    let mut chosen = Vec::new();
    if std::mem::take(&mut dialog.is_new) {
        chosen.push(AccountCommand::RequestAccess(dialog.watchlist));
    }
    let is_owner = account.is_admin() || role == Some(ListRole::Owner);
    let mut is_closed = false;
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(16);
    let modal = Modal::new(Id::unique("sharing")).frame(frame).show(ui, |ui| {
        fit_width(ui, 460.0);
        dialog_title(ui, &format!("Share \u{201c}{}\u{201d}", dialog.name));
        if !is_owner {
            ui.weak("Only owners can change who may use this watchlist.");
        }
        ui.add_space(4.0);
        match account.access(dialog.watchlist) {
            None => drop(ui.weak("Loading\u{2026}")),
            Some(Err(why)) => drop(ui.colored_label(ui.visuals().error_fg_color, sentence(why))),
            Some(Ok(entries)) => {
                if is_owner {
                    find_people(ui, dialog, account, entries, &mut chosen);
                    ui.add_space(8.0);
                }
                ui.strong("Who may use it");
                ScrollArea::vertical().id_salt("entries").max_height(MAX_HEIGHT).show(ui, |ui| {
                    show_entries(ui, dialog.watchlist, entries, is_owner, &mut chosen);
                });
            }
        }
        if let Some(why) = account.refusal(dialog.watchlist) {
            ui.colored_label(ui.visuals().error_fg_color, sentence(why));
        }
        ui.add_space(8.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            is_closed = ui.button("Close").clicked();
        });
    });
    let commands = chosen.into_iter().map(|command| AppCommand::Account(command).into()).collect();
    (!is_closed && !modal.should_close(), commands)
}

/// Draws the field that finds people by their names, and those who are found.
fn find_people(
    ui: &mut Ui,
    dialog: &mut SharingDialog,
    account: &Account,
    entries: &[AccessEntry],
    chosen: &mut Vec<AccountCommand>,
) {
    let watchlist = dialog.watchlist;
    ui.horizontal(|ui| {
        let combo_width = 110.0;
        let width = ui.available_width() - combo_width - ui.spacing().item_spacing.x;
        let field = TextEdit::singleline(&mut dialog.query).hint_text("Add a person by name").margin(6.0);
        let response = ui.add(field.desired_width(width));
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("Add a person by name"));
        if std::mem::take(&mut dialog.needs_focus) {
            response.request_focus();
        }
        if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            dialog.is_entered = true;
            response.request_focus();
        }
        keep_focus(ui, response.id);
        if response.changed() {
            dialog.is_entered = false;
        }
        if response.changed() && !dialog.query.trim().is_empty() {
            chosen.push(AccountCommand::FindPeople(dialog.query.trim().to_owned()));
        }
        roles(ui, "Role of the added person", combo_width, &mut dialog.role);
    });
    let query = dialog.query.trim();
    if query.is_empty() {
        return;
    }
    let has_role = |person: &PersonRef| {
        entries.iter().any(|entry| entry.user.as_ref().is_some_and(|user| user.id == person.id))
    };
    let mut added = false;
    match account.people(query) {
        None => {}
        Some(Err(why)) => drop(ui.colored_label(ui.visuals().error_fg_color, sentence(why))),
        Some(Ok(people)) => {
            let new: Vec<&PersonRef> = people.iter().filter(|person| !has_role(person)).collect();
            let is_exact = |person: &&&PersonRef| person.name.to_lowercase() == query.to_lowercase();
            let best = new.iter().find(is_exact).or(new.first().filter(|_| new.len() == 1));
            let entered = best.filter(|_| std::mem::take(&mut dialog.is_entered)).map(|person| person.id);
            if new.is_empty() {
                let is_listed = !people.is_empty();
                ui.weak(if is_listed { "Already on the list above." } else { "No matching person." });
            }
            let mut add = entered;
            ScrollArea::vertical().id_salt("found").max_height(MAX_HEIGHT).show(ui, |ui| {
                for person in new.into_iter().take(MAX_FOUND) {
                    if ui.button(&*person.name).clicked() {
                        add = Some(person.id);
                    }
                }
            });
            if let Some(user) = add {
                let role = Some(dialog.role);
                chosen.push(AccountCommand::SetAccess { watchlist, user: Some(user), role });
                added = true;
            }
        }
    }
    if added {
        dialog.query.clear();
    }
}

/// Draws the people with their roles, and everyone.
fn show_entries(
    ui: &mut Ui,
    watchlist: WatchlistId,
    entries: &[AccessEntry],
    is_owner: bool,
    chosen: &mut Vec<AccountCommand>,
) {
    let everyone = entries.iter().find(|entry| entry.user.is_none()).map(|entry| entry.role);
    let mut set = |user: Option<UserId>, role: Option<ListRole>| {
        chosen.push(AccountCommand::SetAccess { watchlist, user, role });
    };
    Grid::new("entries").num_columns(3).spacing([16.0, 6.0]).min_col_width(110.0).show(ui, |ui| {
        for entry in entries {
            let Some(user) = &entry.user else { continue };
            ui.label(&*user.name);
            if !is_owner {
                ui.label(role_name(entry.role));
                ui.end_row();
                continue;
            }
            let mut role = entry.role;
            roles(ui, &format!("Role of {}", user.name), 110.0, &mut role);
            if role != entry.role {
                set(Some(user.id), Some(role));
            }
            let remove = ui.button("Remove");
            ui.ctx()
                .accesskit_node_builder(remove.id, |node| node.set_label(format!("Remove {}", user.name)));
            if remove.clicked() {
                set(Some(user.id), None);
            }
            ui.end_row();
        }
        ui.label("Everyone who is signed in");
        let name = |role: Option<ListRole>| role.map_or("No access", role_name);
        if is_owner {
            let mut role = everyone;
            let choices =
                [None, Some(ListRole::Viewer), Some(ListRole::Editor)].map(|role| (role, name(role)));
            choose(ui, "Role of everyone who is signed in", Some(110.0), &mut role, &choices);
            if role != everyone {
                set(None, role);
            }
        } else {
            ui.label(name(everyone));
        }
        ui.end_row();
    });
}

fn roles(ui: &mut Ui, label: &str, width: f32, role: &mut ListRole) {
    let choices =
        [ListRole::Viewer, ListRole::Editor, ListRole::Owner].map(|choice| (choice, role_name(choice)));
    choose(ui, label, Some(width), role, &choices);
}
