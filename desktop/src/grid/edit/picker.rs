//! What can be chosen from beside the editor: the words of a choice, or the days of a month. The text stays what is
//! committed; the picker writes into it.

use egui::{Align2, Area, Button, InputState, Key, Modifiers, Order, Rect, Ui, vec2};
use jiff::civil::Date;
use shared::column::ColumnKind;

use super::calendar;
use crate::grid::GridView;

/// How high it may be, in points: a month is as high.
const HEIGHT: f32 = 200.0;

/// What is open under the editor.
#[derive(Clone, Debug)]
pub(super) enum Picker {
    /// The words of a choice; the place of the one that the text means, where it means one.
    Words(Option<usize>),
    /// The month of a day.
    Month(Date),
}

impl Picker {
    /// For a column and what is typed; nothing where there is nothing to choose from.
    pub(super) fn of(kind: &ColumnKind, text: &str, view: &GridView<'_>) -> Option<Self> {
        match kind {
            ColumnKind::Choice(words) => Some(Picker::Words(meant(words, text))),
            ColumnKind::Time => Some(Picker::Month(calendar::day_of(text, view).unwrap_or(view.today))),
            ColumnKind::Text | ColumnKind::Number { .. } | ColumnKind::Percent { .. } | ColumnKind::Flag => {
                None
            }
        }
    }

    /// Something else is typed.
    pub(super) fn follow(&mut self, kind: &ColumnKind, text: &str, view: &GridView<'_>) {
        match (self, kind) {
            (Picker::Words(chosen), ColumnKind::Choice(words)) => *chosen = meant(words, text),
            (Picker::Month(day), _) => *day = calendar::day_of(text, view).unwrap_or(*day),
            (Picker::Words(chosen), _) => *chosen = None,
        }
    }

    /// Takes the keys that choose, and writes what they choose into the text.
    pub(super) fn take_keys(
        &mut self,
        input: &mut InputState,
        kind: &ColumnKind,
        text: &mut String,
        view: &GridView<'_>,
    ) {
        let mut take = |key| input.consume_key(Modifiers::NONE, key);
        match (self, kind) {
            (Picker::Words(chosen), ColumnKind::Choice(words)) => {
                let last = words.len().saturating_sub(1);
                let next = match (take(Key::ArrowUp), take(Key::ArrowDown)) {
                    (true, _) => chosen.map_or(last, |chosen| chosen.saturating_sub(1)),
                    (_, true) => chosen.map_or(0, |chosen| (chosen + 1).min(last)),
                    (false, false) => return,
                };
                *chosen = Some(next);
                *text = words.get(next).map_or_else(String::new, |word| word.to_string());
            }
            (Picker::Month(day), _) => {
                if let Some(other) = calendar::step(*day, take) {
                    *day = other;
                    *text = calendar::write(other, text, view);
                }
            }
            (Picker::Words(_), _) => {}
        }
    }

    /// Whether it is shown above the editor, as there is no room under it.
    pub(super) fn is_above(&self, editor: Rect, room: Rect) -> bool {
        editor.bottom() + HEIGHT + 16.0 > room.bottom() && editor.top() - HEIGHT - 16.0 > room.top()
    }

    /// Makes the word that the text begins with of it.
    pub(super) fn complete(&self, kind: &ColumnKind, text: &mut String) {
        // The words may be others than when the list was opened.
        if let (Picker::Words(_), ColumnKind::Choice(words)) = (self, kind)
            && let Some(word) = meant(words, text).and_then(|chosen| words.get(chosen))
        {
            *text = word.to_string();
        }
    }

    /// Shows it; true where something was chosen that is to be committed.
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
                    Picker::Words(chosen) => {
                        ui.set_min_width(editor.width() - 8.0);
                        ui.spacing_mut().item_spacing.y = 0.0;
                        let ColumnKind::Choice(words) = kind else { return };
                        egui::ScrollArea::vertical().max_height(HEIGHT).show(ui, |ui| {
                            for (index, word) in words.iter().enumerate() {
                                let button = Button::selectable(*chosen == Some(index), &**word)
                                    .min_size(vec2(ui.available_width(), 0.0));
                                let response = ui.add(button);
                                if *chosen == Some(index) {
                                    response.scroll_to_me(None);
                                }
                                if response.clicked() {
                                    (*chosen, is_chosen) = (Some(index), true);
                                    *text = word.to_string();
                                }
                            }
                        });
                    }
                    Picker::Month(day) => {
                        if let Some(other) = calendar::show(ui, *day, view) {
                            *day = other;
                            *text = calendar::write(other, text, view);
                        }
                    }
                });
            });
        is_chosen
    }
}

/// The word that a text is, or else the first that begins with it.
fn meant(words: &[std::sync::Arc<str>], text: &str) -> Option<usize> {
    let typed = text.trim().to_lowercase();
    if typed.is_empty() {
        return None;
    }
    let exact = words.iter().position(|word| word.to_lowercase() == typed);
    exact.or_else(|| words.iter().position(|word| word.to_lowercase().starts_with(&typed)))
}
