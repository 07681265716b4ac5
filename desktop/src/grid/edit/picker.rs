//! The popup beside the editor: the list of a choice column, or a calendar. It writes into the editor's text,
//! which is what is committed.

use egui::{Align2, Area, Button, Order, Rect, Ui, vec2};
use jiff::civil::Date;
use shared::column::ColumnKind;

use super::calendar;
use crate::{
    command::{PickerCommand, Scope},
    grid::view::GridView,
    theme,
};

/// Maximum height of the popup, in points: the height of a month.
const HEIGHT: f32 = 200.0;

/// The popup that is open beside the editor.
#[derive(Clone, Debug)]
pub(super) enum Picker {
    /// The options of a choice column; the index of the one that the text matches.
    Options(Option<usize>),
    /// A calendar with the month of this day.
    Month(Date),
}

impl Picker {
    /// Returns the picker for a column kind and a text; `None` if the kind has no choices.
    pub(super) fn for_kind(kind: &ColumnKind, text: &str, view: &GridView<'_>) -> Option<Self> {
        match kind {
            ColumnKind::Choice(options) => Some(Picker::Options(matching_option(options, text))),
            ColumnKind::Time => Some(Picker::Month(calendar::day_of(text, view).unwrap_or(view.today))),
            ColumnKind::Text | ColumnKind::Number { .. } | ColumnKind::Percent { .. } | ColumnKind::Flag => {
                None
            }
        }
    }

    /// Updates the selected item to match the typed text.
    pub(super) fn update_from_text(&mut self, kind: &ColumnKind, text: &str, view: &GridView<'_>) {
        match (self, kind) {
            (Picker::Options(chosen), ColumnKind::Choice(options)) => {
                *chosen = matching_option(options, text)
            }
            (Picker::Month(day), _) => *day = calendar::day_of(text, view).unwrap_or(*day),
            (Picker::Options(chosen), _) => *chosen = None,
        }
    }

    /// Returns where the keys of the picker work.
    pub(super) fn scope(&self) -> Scope {
        match self {
            Picker::Options(_) => Scope::List,
            Picker::Month(_) => Scope::Calendar,
        }
    }

    /// Moves the choice and writes the chosen item into the text.
    pub(super) fn execute(
        &mut self,
        command: PickerCommand,
        kind: &ColumnKind,
        text: &mut String,
        view: &GridView<'_>,
    ) {
        match (self, command) {
            (Picker::Options(chosen), PickerCommand::Choose { is_next }) => {
                let ColumnKind::Choice(options) = kind else { return };
                let last = options.len().saturating_sub(1);
                let next = if is_next {
                    chosen.map_or(0, |chosen| (chosen + 1).min(last))
                } else {
                    chosen.map_or(last, |chosen| chosen.saturating_sub(1))
                };
                *chosen = Some(next);
                *text = options.get(next).map_or_else(String::new, |option| option.to_string());
            }
            (Picker::Month(day), command) => {
                if let Some(other) = calendar::day_after(*day, command) {
                    *day = other;
                    *text = calendar::format_day(other, text, view);
                }
            }
            (Picker::Options(_), PickerCommand::Days(_) | PickerCommand::Months(_)) => {}
        }
    }

    /// Whether the popup is shown above the editor, because there is no room below.
    pub(super) fn is_above(&self, editor: Rect, room: Rect) -> bool {
        editor.bottom() + HEIGHT + 16.0 > room.bottom() && editor.top() - HEIGHT - 16.0 > room.top()
    }

    /// Completes the text to the first option that starts with it.
    pub(super) fn complete(&self, kind: &ColumnKind, text: &mut String) {
        // The options may have changed since the list was opened.
        if let (Picker::Options(_), ColumnKind::Choice(options)) = (self, kind)
            && let Some(option) = matching_option(options, text).and_then(|chosen| options.get(chosen))
        {
            *text = option.to_string();
        }
    }

    /// Shows the popup. Returns true if a click chose a option, which the caller commits.
    pub(super) fn show(
        &mut self,
        ui: &Ui,
        editor: Rect,
        kind: &ColumnKind,
        text: &mut String,
        view: &GridView<'_>,
    ) -> bool {
        let mut is_chosen = false;
        let (pivot, at) = if self.is_above(editor, ui.max_rect()) {
            (Align2::LEFT_BOTTOM, editor.left_top() - vec2(0.0, 4.0))
        } else {
            (Align2::LEFT_TOP, editor.left_bottom() + vec2(0.0, 4.0))
        };
        Area::new(ui.scope_id().with("editor picker"))
            .order(Order::Foreground)
            .fade_in(false)
            .pivot(pivot)
            .fixed_pos(at)
            .constrain_to(ui.max_rect())
            .show(ui.ctx(), |ui| {
                egui::Frame::popup(&ui.global_style()).inner_margin(4).show(ui, |ui| match self {
                    Picker::Options(chosen) => {
                        let ColumnKind::Choice(options) = kind else { return };
                        ui.set_width(list_width(ui, options).max(editor.width() - 8.0));
                        ui.spacing_mut().item_spacing.y = 0.0;
                        egui::ScrollArea::vertical().max_height(HEIGHT).show(ui, |ui| {
                            for (index, option) in options.iter().enumerate() {
                                let button = Button::selectable(*chosen == Some(index), &**option)
                                    .min_size(vec2(ui.available_width(), 0.0));
                                let response = ui.add(button);
                                if *chosen == Some(index) {
                                    response.scroll_to_me(None);
                                }
                                if response.clicked() {
                                    (*chosen, is_chosen) = (Some(index), true);
                                    *text = option.to_string();
                                }
                            }
                        });
                    }
                    Picker::Month(day) => {
                        if let Some(other) = calendar::show(ui, *day, view) {
                            *day = other;
                            *text = calendar::format_day(other, text, view);
                        }
                    }
                });
            });
        is_chosen
    }
}

/// Returns the width of the list of options, in points: that of the longest.
fn list_width(ui: &Ui, options: &[std::sync::Arc<str>]) -> f32 {
    let width = |option: &std::sync::Arc<str>| {
        ui.painter().layout_no_wrap(option.to_string(), theme::text(), egui::Color32::PLACEHOLDER).size().x
    };
    let padding = 2.0 * ui.spacing().button_padding.x + ui.spacing().scroll.allocated_width();
    options.iter().map(width).fold(0.0, f32::max).ceil() + padding
}

/// Returns the index of the option that equals the text, or else of the first one that starts with it.
fn matching_option(options: &[std::sync::Arc<str>], text: &str) -> Option<usize> {
    let typed = text.trim().to_lowercase();
    if typed.is_empty() {
        return None;
    }
    let exact = options.iter().position(|option| option.to_lowercase() == typed);
    exact.or_else(|| options.iter().position(|option| option.to_lowercase().starts_with(&typed)))
}
