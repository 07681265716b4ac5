//! The view in which a person signs in to a shared server.

use egui::{Align, Button, Id, Key, Layout, Modal, TextEdit, Ui};
use shared::{address::Parts, wire::account_api::Hidden};

use super::security::{Security, lock};
use crate::{
    account::{Account, AccountCommand},
    command::{AppCommand, Command, entry_of},
    store::sentence,
    text_field::{keep_focus, select_all},
    theme::{Palette, dialog_title, fit_width},
};

/// What a person has entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInForm {
    name: String,
    password: Hidden,
    stays: bool,
    is_new: bool,
    /// Whether the last try was not answered yet.
    is_waiting: bool,
}

impl Default for SignInForm {
    fn default() -> Self {
        Self {
            name: String::new(),
            password: Hidden(String::new()),
            stays: true,
            is_new: true,
            is_waiting: false,
        }
    }
}

/// Draws the view; returns the command that the person has chosen.
pub fn show(ui: &Ui, form: &mut SignInForm, account: &Account, palette: &Palette) -> Option<Command> {
    let mut chosen = None;
    let state = account.sign_in();
    let base = &account.server().base;
    let host = Parts::of(base).map_or_else(|_| base.clone(), |parts| parts.authority());
    let security = Security::of(base);
    let title = entry_of(&AppCommand::Account(AccountCommand::OpenSignIn).into()).dialog_title();
    if form.is_new && form.name.is_empty() {
        form.name = account.last_name().unwrap_or_default().to_owned();
    }
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(16);
    let modal = Modal::new(Id::unique("sign in")).frame(frame).show(ui, |ui| {
        fit_width(ui, 360.0);
        dialog_title(ui, &format!("{title} to {host}"));
        ui.horizontal_wrapped(|ui| {
            if lock(ui, security, palette).is_some() {
                ui.weak(security.sentence());
            }
        });
        if state.is_ended {
            ui.label("Your session has ended. Your changes are kept here and will be sent once you have signed in.");
        }
        ui.add_space(4.0);
        let has_name = !form.name.is_empty();
        let name = field(ui, "Name", &mut form.name, false);
        let password = field(ui, "Password", &mut form.password.0, true);
        if std::mem::take(&mut form.is_new) {
            if has_name { password.request_focus() } else { name.request_focus() }
        }
        if std::mem::replace(&mut form.is_waiting, state.is_busy) && !state.is_busy {
            // The next try replaces the password.
            password.request_focus();
            select_all(ui, password.id, &form.password.0);
        }
        keep_focus(ui, if form.name.is_empty() { name.id } else { password.id });
        ui.checkbox(&mut form.stays, "Stay signed in on this computer");
        if let Some(error) = &state.error {
            ui.colored_label(ui.visuals().error_fg_color, sentence(error));
        }
        ui.add_space(8.0);
        let is_ready = !form.name.trim().is_empty() && !form.password.0.is_empty() && !state.is_busy;
        let enter = ui.input(|input| input.key_pressed(Key::Enter));
        if enter && name.lost_focus() && form.password.0.is_empty() {
            password.request_focus();
        }
        let entered = enter && (name.lost_focus() || password.lost_focus());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let text = if state.is_busy { "Signing in\u{2026}" } else { title };
            let is_clicked = ui.add_enabled(is_ready, Button::new(text)).clicked();
            if is_ready && (is_clicked || entered) {
                let password = form.password.clone();
                let name = form.name.trim().to_owned();
                chosen = Some(AccountCommand::SignIn { name, password, stays: form.stays });
            }
            let later = entry_of(&AppCommand::Account(AccountCommand::CloseSignIn).into());
            if ui.button(later.title).on_hover_text(&*later.description).clicked() {
                chosen = Some(AccountCommand::CloseSignIn);
            }
        });
    });
    if chosen.is_none() && ui.input(|input| input.key_pressed(Key::Escape)) && modal.should_close() {
        chosen = Some(AccountCommand::CloseSignIn);
    }
    chosen.map(|command| AppCommand::Account(command).into())
}

/// Draws a field with a label above it.
pub(super) fn field(ui: &mut Ui, label: &str, text: &mut String, is_secret: bool) -> egui::Response {
    ui.label(label);
    let field = TextEdit::singleline(text).password(is_secret).desired_width(f32::INFINITY).margin(6.0);
    let response = ui.add(field);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(label));
    response
}
