//! The dialog about the person's own account: its sessions and its password.

use egui::{Align, Grid, Id, Key, Layout, Modal, ScrollArea, Ui};
use jiff::tz::TimeZone;
use shared::{
    time::Timestamp,
    wire::account_api::{Hidden, OwnSession},
};

use super::sign_in::field;
use crate::{
    account::{Account, AccountCommand, PasswordChange},
    command::{AppCommand, Command, entry_of},
    store::sentence,
    theme::{dialog_title, fit_width},
};

/// Maximum height of the list of sessions, in points.
const MAX_HEIGHT: f32 = 220.0;

/// What a person has entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDialog {
    old: Hidden,
    new: Hidden,
    again: Hidden,
    /// Whether the sessions were not requested yet.
    is_new: bool,
    /// Whether the first control has not had the focus yet.
    needs_focus: bool,
    /// Whether the fields for another password are shown.
    is_changing: bool,
    /// Whether the server has not answered the last change.
    is_waiting: bool,
}

impl Default for AccountDialog {
    fn default() -> Self {
        let empty = || Hidden(String::new());
        Self {
            old: empty(),
            new: empty(),
            again: empty(),
            is_new: true,
            needs_focus: true,
            is_changing: false,
            is_waiting: false,
        }
    }
}

/// Draws the dialog. Returns whether it stays open, and the command that the person has chosen.
pub fn show(ui: &Ui, dialog: &mut AccountDialog, account: &Account, zone: &TimeZone) -> (bool, Vec<Command>) {
    let mut chosen = Vec::new();
    if std::mem::take(&mut dialog.is_new) {
        chosen.push(AccountCommand::RequestSessions);
    }
    let mut is_closed = false;
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(16);
    let modal = Modal::new(Id::unique("account")).frame(frame).show(ui, |ui| {
        fit_width(ui, 520.0);
        let name = account.user().map_or("", |user| &user.name);
        dialog_title(ui, name);
        let role = if account.is_admin() { "Administrator of" } else { "Signed in to" };
        ui.weak(format!("{role} {}", account.server().base));
        ui.add_space(8.0);
        ui.strong("Where you are signed in");
        match account.sessions() {
            None => drop(ui.weak("Loading\u{2026}")),
            Some(Err(why)) => drop(ui.colored_label(ui.visuals().error_fg_color, sentence(why))),
            Some(Ok(own)) => {
                ScrollArea::vertical().max_height(MAX_HEIGHT).show(ui, |ui| {
                    sessions(ui, &own.sessions, zone, &mut chosen);
                });
            }
        }
        ui.add_space(8.0);
        if dialog.is_changing {
            ui.strong("Change password");
            change_password(ui, dialog, account.password(), &mut chosen);
        }
        ui.add_space(8.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let close = ui.button("Close");
            is_closed = close.clicked();
            if !dialog.is_changing && std::mem::take(&mut dialog.needs_focus) {
                close.request_focus();
            }
            let sign_out = AppCommand::Account(AccountCommand::SignOut).into();
            if ui.button(entry_of(&sign_out).title).clicked() {
                chosen.push(AccountCommand::SignOut);
                is_closed = true;
            }
            if !dialog.is_changing && ui.button("Change password\u{2026}").clicked() {
                (dialog.is_changing, dialog.needs_focus) = (true, true);
            }
        });
    });
    let commands = chosen.into_iter().map(|command| AppCommand::Account(command).into()).collect();
    (!is_closed && !modal.should_close(), commands)
}

fn sessions(ui: &mut Ui, sessions: &[OwnSession], zone: &TimeZone, chosen: &mut Vec<AccountCommand>) {
    let time = |at: Timestamp| at.to_jiff().to_zoned(zone.clone()).strftime("%-d %b %Y, %H:%M").to_string();
    Grid::new("sessions").num_columns(4).spacing([16.0, 6.0]).striped(true).show(ui, |ui| {
        for heading in ["Program", "Address", "Last used", ""] {
            ui.weak(heading);
        }
        ui.end_row();
        for session in sessions.iter().rev() {
            ui.label(&session.app).on_hover_text(format!("Signed in {}", time(session.created)));
            ui.label(&session.address);
            ui.label(time(session.last_used));
            if session.current {
                ui.weak("This one");
            } else if ui.button("Revoke").on_hover_text("Ends the session there").clicked() {
                chosen.push(AccountCommand::EndSession(session.id));
            }
            ui.end_row();
        }
    });
}

fn change_password(
    ui: &mut Ui,
    dialog: &mut AccountDialog,
    state: &PasswordChange,
    chosen: &mut Vec<AccountCommand>,
) {
    if std::mem::replace(&mut dialog.is_waiting, *state == PasswordChange::Busy)
        && *state == PasswordChange::Done
    {
        *dialog = AccountDialog { is_new: false, is_changing: true, ..AccountDialog::default() };
    }
    let AccountDialog { old, new, again, needs_focus, .. } = dialog;
    let first = field(ui, "Old password", &mut old.0, true);
    if std::mem::take(needs_focus) {
        first.request_focus();
    }
    field(ui, "New password", &mut new.0, true);
    let last = field(ui, "New password again", &mut again.0, true);
    let is_entered = last.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let differs = !again.0.is_empty() && new != again;
    if differs {
        ui.colored_label(ui.visuals().error_fg_color, "The new passwords differ.");
    }
    match state {
        PasswordChange::None | PasswordChange::Busy => {}
        PasswordChange::Done => {
            ui.label("The password is changed. Your other sessions have ended.");
        }
        PasswordChange::Failed(why) => {
            ui.colored_label(ui.visuals().error_fg_color, sentence(why));
        }
    }
    let is_ready = !old.0.is_empty() && !new.0.is_empty() && new == again && *state != PasswordChange::Busy;
    let is_clicked = ui.add_enabled(is_ready, egui::Button::new("Change")).clicked();
    if is_clicked || is_entered && is_ready {
        chosen.push(AccountCommand::ChangePassword { old: old.clone(), new: new.clone() });
    }
}
