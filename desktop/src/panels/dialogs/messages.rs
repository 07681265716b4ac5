//! Questions and messages without a text field: whether to delete a watchlist, and that one was deleted.

use std::{sync::Arc, time::Duration};

use egui::{Align, Id, Key, Layout, Modal, Modifiers, Ui};
use shared::ids::WatchlistId;

use crate::{
    command::{AppCommand, Command, RESTORE_WATCHLIST, entry_of},
    store::Absence,
    theme::{dialog_title, fit_width},
};

/// Time after which keys close a message that has interrupted typing.
const READING_TIME: Duration = Duration::from_secs(1);

/// A shown watchlist that somebody else deleted, or that the person may no longer use.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The watchlist.
    pub watchlist: WatchlistId,
    /// Its name, if it was known.
    pub name: Option<Arc<str>>,
    /// Why it is gone. Only a deleted one can be restored.
    pub absence: Absence,
    /// Whether it is there again.
    pub is_back: bool,
    /// When the window was told, or the person has typed since, on the clock of the windows.
    pub at: Duration,
}

/// What a person answers to a question or a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// Executes a command and closes the dialog.
    Execute(AppCommand),
    /// Executes a command; the dialog stays.
    Ask(AppCommand),
    /// Closes the dialog.
    Close,
}

/// Asks whether to delete a watchlist.
pub(super) fn show_delete(
    ui: &Ui,
    title: &str,
    is_new: bool,
    (watchlist, question): (WatchlistId, &str),
) -> Option<Answer> {
    let (mut is_confirmed, mut is_cancelled) = (false, false);
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(16);
    let modal = Modal::new(Id::unique("dialog")).frame(frame).show(ui, |ui| {
        fit_width(ui, 400.0);
        dialog_title(ui, title);
        ui.label(question);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            is_confirmed = ui.button(entry_of(&Command::DeleteShownList).short).clicked();
            let cancel = ui.button("Cancel");
            if is_new {
                // The key that has opened the dialog may be pressed again by mistake.
                cancel.request_focus();
            }
            is_cancelled = cancel.clicked();
        });
    });
    if is_confirmed {
        return Some(Answer::Execute(AppCommand::Delete(watchlist)));
    }
    (is_cancelled || modal.should_close()).then_some(Answer::Close)
}

/// Says that the shown watchlist is gone, and offers to keep the text `typed` that was typed in it and to
/// restore the watchlist. Escape closes the message once the person has typed nothing for a while; Enter
/// never does, because it may end a value that was typed without looking.
pub(super) fn show_deleted(
    ui: &Ui,
    title: &str,
    deleted: &mut Deleted,
    typed: &str,
    now: Duration,
) -> Option<Answer> {
    let mut answer = None;
    let name = deleted.name.as_ref().map(|name| format!(" \u{201c}{name}\u{201d}")).unwrap_or_default();
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(16);
    Modal::new(Id::unique("message")).frame(frame).show(ui, |ui| {
        fit_width(ui, 400.0);
        dialog_title(ui, title);
        let what = match deleted.absence {
            Absence::Deleted => "was deleted",
            Absence::Forbidden => "is no longer shared with you",
            Absence::Unknown => "was deleted or is no longer shared with you",
        };
        let during = match typed {
            "" => String::new(),
            typed => format!(" while you were typing \u{201c}{typed}\u{201d}"),
        };
        let back = if deleted.is_back { " It is there again." } else { "" };
        let text = format!("Watchlist{name} {what}{during}.{back}");
        ui.add(egui::Label::new(text).selectable(true).wrap());
        let mut first = None;
        ui.horizontal(|ui| {
            if !typed.is_empty() {
                let copy = ui.button("Copy text");
                first = Some(copy.id);
                if copy.clicked() {
                    ui.copy_text(typed.to_owned());
                }
            }
            if deleted.absence == Absence::Deleted
                && !deleted.is_back
                && ui.button(RESTORE_WATCHLIST).clicked()
            {
                // The message stays until the watchlist is there again: it has the typed text.
                answer = Some(Answer::Ask(AppCommand::Restore(deleted.watchlist)));
            }
            if ui.button("Close").clicked() {
                answer = Some(Answer::Close);
            }
        });
        let may_close = now.saturating_sub(deleted.at) >= READING_TIME;
        let is_typing = ui.input(|input| {
            let is_text = |event: &egui::Event| matches!(event, egui::Event::Text(_) | egui::Event::Paste(_));
            input.events.iter().any(is_text)
        });
        if is_typing {
            deleted.at = now;
        }
        // Enter may end a value that is typed without looking: a button has the focus only while nothing is
        // typed.
        ui.memory_mut(|memory| match (memory.focused(), first) {
            (Some(focused), _) if is_typing => memory.surrender_focus(focused),
            (None, Some(first)) if may_close => memory.request_focus(first),
            _ => {}
        });
        let is_escaped = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        if may_close && !is_typing && is_escaped {
            answer.get_or_insert(Answer::Close);
        }
    });
    answer
}
