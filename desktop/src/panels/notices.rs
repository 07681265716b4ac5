//! Notices at the lower right of the grid, shown until they are dismissed or expire.

use egui::{Align2, Area, Frame, Id, Order, ScrollArea, Stroke, Ui, accesskit::Live, vec2};
use shared::ids::{WatchlistId, WindowId};

use crate::{
    command::{AppCommand, COPY_VALUES, Command, DISMISS, OVERWRITE, RESTORE, entry_of},
    focus::{self, Region},
    grid::split_into_edits,
    state::AppState,
    store::{Notice, Offer, RejectedValue},
    theme::{self, Palette},
    tsv,
};

/// Maximum number of notices shown at once: the newest.
const MAX_SHOWN: usize = 4;
/// Width of a notice, in points, where there is room.
const WIDTH: f32 = 360.0;
/// Distance of the notices from the edges of the grid, and their inner margin, in points.
const MARGIN: f32 = 20.0;
const INNER_MARGIN: i8 = 12;
/// Height of the window that each notice needs, in points: more of them would cover the rows.
const ROOM: f32 = 160.0;

/// Part of the window's height that a text takes at most: the buttons below it have to be reachable.
const MAX_TEXT_HEIGHT: f32 = 0.3;

/// Which notices a window shows: its own, and those for all that were added after it was opened.
#[derive(Clone, Copy, Debug)]
pub struct Addressee {
    /// The window.
    pub window: WindowId,
    /// The newest notice when the window was opened.
    pub opened_after: u64,
}

impl Addressee {
    /// Returns the notices that the window shows, oldest first.
    pub fn notices<'s>(&self, state: &'s AppState) -> impl DoubleEndedIterator<Item = &'s Notice> + use<'s> {
        let Self { window, opened_after } = *self;
        let is_for = move |notice: &&Notice| match notice.window {
            Some(only) => only == window,
            // What was rejected must not be missed.
            None => notice.id > opened_after || !notice.rejected.is_empty(),
        };
        state.store.notices().iter().filter(is_for)
    }
}

/// Draws the notices over the grid, which ends at `right`, without covering the panels beside it.
pub fn show(
    ui: &Ui,
    right: f32,
    state: &AppState,
    (addressee, shown_list): (Addressee, Option<WatchlistId>),
    palette: &Palette,
) -> Vec<Command> {
    let mut commands = Vec::new();
    let window = ui.ctx().content_rect();
    let fitting = (1..MAX_SHOWN).filter(|count| ROOM * (*count as f32 + 1.0) <= window.height()).count() + 1;
    let mut shown: Vec<&Notice> = addressee.notices(state).rev().take(fitting).collect();
    shown.reverse();
    if shown.is_empty() {
        return commands;
    }
    let corner = vec2(right - window.right() - MARGIN, -theme::STATUS_BAR - 16.0);
    let width = WIDTH.min(right - 2.0 * (MARGIN + f32::from(INNER_MARGIN)));
    let mut newest = None;
    let area = Area::new(Id::unique("notices"))
        .order(Order::Foreground)
        .anchor(Align2::RIGHT_BOTTOM, corner)
        .show(ui, |ui| {
            for notice in shown {
                // The focus on a button must not go over to another notice in its place.
                ui.push_id(notice.id, |ui| {
                    let frame = Frame::new()
                        .fill(palette.raised)
                        .stroke(Stroke::new(1.0, palette.hairline))
                        .corner_radius(theme::RADIUS)
                        .inner_margin(INNER_MARGIN);
                    frame.show(ui, |ui| {
                        ui.set_width(width);
                        let text = ScrollArea::vertical()
                            .max_height(window.height() * MAX_TEXT_HEIGHT)
                            .show(ui, |ui| ui.label(text_of(notice, shown_list, state)))
                            .inner;
                        // A screen reader reads it when it appears.
                        ui.ctx().accesskit_node_builder(text.id, |node| node.set_live(Live::Polite));
                        ui.horizontal(|ui| {
                            let (first, chosen) = show_buttons(ui, notice);
                            newest = Some(first);
                            commands.extend(chosen);
                        });
                    });
                });
            }
        });
    if let Some(first) = newest {
        focus::record(ui, Region::Notices, area.response.rect, first);
    }
    commands
}

/// Returns the text of a notice, with the name of the watchlist that its button changes if another one is shown.
fn text_of(notice: &Notice, shown_list: Option<WatchlistId>, state: &AppState) -> String {
    match &notice.offer {
        Some(Offer::Overwrite(watchlist, _)) if Some(*watchlist) != shown_list => {
            format!("In \u{201c}{}\u{201d}: {}", state.list_name(*watchlist), notice.text)
        }
        _ => notice.text.clone(),
    }
}

/// Shows what a notice offers, and the button that dismisses it. Returns the first button and what was
/// chosen.
fn show_buttons(ui: &mut Ui, notice: &Notice) -> (Id, Vec<Command>) {
    let mut commands = Vec::new();
    let offer: Option<(String, Vec<Command>)> = match &notice.offer {
        None => None,
        Some(Offer::Restore(watchlist)) => {
            Some((RESTORE.to_owned(), vec![AppCommand::Restore(*watchlist).into()]))
        }
        Some(Offer::Overwrite(watchlist, changes)) => {
            let (notice, watchlist, edits) = (notice.id, *watchlist, split_into_edits(changes.clone()));
            let overwrite = AppCommand::Overwrite { notice, watchlist, edits };
            // The notice may not name all of them.
            let title = match changes.len() {
                1 => OVERWRITE.to_owned(),
                count => format!("{OVERWRITE} all {count}"),
            };
            Some((title, vec![overwrite.into()]))
        }
        Some(Offer::Undo { steps, .. }) => {
            Some((entry_of(&Command::Undo).title.to_owned(), vec![Command::Undo; *steps]))
        }
    };
    let mut first = None;
    if !notice.rejected.is_empty() {
        let button = ui.button(COPY_VALUES);
        first = Some(button.id);
        if button.clicked() {
            ui.copy_text(tsv::write(notice.rejected.iter().map(RejectedValue::cells)));
        }
    }
    if let Some((title, accepted)) = offer {
        let button = ui.button(title);
        first = first.or(Some(button.id));
        if button.clicked() {
            commands = accepted;
        }
    }
    let dismiss = ui.button(DISMISS);
    let dismisses_itself = matches!(notice.offer, Some(Offer::Overwrite(..)));
    if dismiss.clicked() || !commands.is_empty() && !dismisses_itself {
        commands.push(AppCommand::DismissNotice(notice.id).into());
    }
    (first.unwrap_or(dismiss.id), commands)
}
