//! What is said beside the open editor: what is wrong, what changed underneath and what can be done about it, or what a
//! shorthand means.

use egui::{Area, Button, Color32, Order, Rect, RichText, Ui, pos2, vec2};
use shared::value::Value;

use super::{Editor, Problem, plain, read_typed};
use crate::{
    grid::{GridView, filter},
    theme,
};

/// What the person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// What is typed takes the place of what came.
    Overwrite,
    /// What is typed is thrown away.
    Discard,
    /// What is typed goes to the clipboard.
    Copy,
    /// What is typed becomes a new row.
    NewRow,
}

struct Note {
    text: String,
    color: Color32,
    answers: &'static [(&'static str, &'static str, Answer)],
}

const CHANGED: &[(&str, &str, Answer)] =
    &[("Overwrite", "Enter", Answer::Overwrite), ("Take theirs", "Esc", Answer::Discard)];
const GONE: &[(&str, &str, Answer)] = &[
    ("New row", "Enter", Answer::NewRow),
    ("Copy the text", "", Answer::Copy),
    ("Discard", "Esc", Answer::Discard),
];

const COLUMN_GONE: &[(&str, &str, Answer)] =
    &[("Copy the text", "", Answer::Copy), ("Discard", "Esc", Answer::Discard)];

/// Shows what there is to say, under the editor or above it; gives what was answered.
pub(super) fn show(ui: &Ui, editor: &Editor, view: &GridView<'_>, rect: Rect) -> Option<Answer> {
    let note = of(editor, view)?;
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(egui::Margin::symmetric(8, 4));
    let room = ui.max_rect();
    // On the other side of the editor is what can be chosen from.
    let is_above = match &editor.picker {
        Some(picker) => !picker.is_above(rect, room),
        None => rect.bottom() + 40.0 > room.bottom(),
    };
    let (pivot, y) = if is_above {
        (egui::Align2::LEFT_BOTTOM, rect.top() - 4.0)
    } else {
        (egui::Align2::LEFT_TOP, rect.bottom() + 4.0)
    };
    let mut answer = None;
    Area::new(ui.scope_id().with("editor note"))
        .order(Order::Foreground)
        .fade_in(false)
        .pivot(pivot)
        .fixed_pos(pos2(rect.left(), y))
        .constrain_to(room)
        .show(ui.ctx(), |ui| {
            frame.show(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.spacing_mut().button_padding = vec2(6.0, 2.0);
                    ui.label(RichText::new(&note.text).font(theme::small()).color(note.color));
                    for (title, key, meant) in note.answers {
                        let text = RichText::new(*title).font(theme::small());
                        let button = Button::new(text);
                        let button = if key.is_empty() { button } else { button.shortcut_text(*key) };
                        if ui.add(button).clicked() {
                            answer = Some(*meant);
                        }
                    }
                });
            });
        });
    answer
}

fn of(editor: &Editor, view: &GridView<'_>) -> Option<Note> {
    let palette = view.palette;
    let Ok(entry) = view.watchlist.columns().visible_column(&editor.column) else {
        let text = "this column was removed".to_owned();
        return Some(Note { text, color: palette.down, answers: COLUMN_GONE });
    };
    let row = editor.cursor.row;
    let present = row.map_or(Value::Empty, |row| view.watchlist.cell(row, &editor.column));
    let is_gone = row.is_some_and(|row| view.watchlist.rows().get(row).is_none());
    let by = view.author.as_ref().map(|name| format!(" \u{b7} {name}")).unwrap_or_default();
    let now = filter::shown(&present, view.reading(&entry.column.kind));
    let now = if now.is_empty() { "empty".to_owned() } else { now };
    let quiet = |text: String| Some(Note { text, color: palette.muted, answers: &[] });
    match &editor.problem {
        Some(Problem::Wrong(why)) => Some(Note { text: why.clone(), color: palette.down, answers: &[] }),
        Some(Problem::Gone) => {
            let text = "this row was removed: a new row with your text?".to_owned();
            Some(Note { text, color: palette.down, answers: GONE })
        }
        None if is_gone => {
            let text = "this row was removed".to_owned();
            Some(Note { text, color: palette.down, answers: GONE })
        }
        Some(Problem::Changed) if present == editor.seen => {
            Some(Note { text: format!("overwrite {now}{by}?"), color: palette.down, answers: CHANGED })
        }
        Some(Problem::Changed) | None if present != editor.seen => {
            Some(Note { text: format!("now {now}{by}"), color: palette.accent, answers: CHANGED })
        }
        Some(Problem::Changed) | None => {
            match read_typed(&entry.column.kind, &editor.text, &editor.seen, view) {
                Ok(value @ Value::Number(_)) if is_shorthand(&editor.text) => {
                    quiet(format!("= {}", view.separators.localized(plain(&value))))
                }
                Ok(Value::Time(time)) if editor.picker.is_none() => {
                    let local = time.to_jiff().to_zoned(view.zone.clone());
                    quiet(local.strftime("%A %-d %B %Y, %H:%M:%S %:z").to_string())
                }
                _ => None,
            }
        }
    }
}

fn is_shorthand(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('+') || text.ends_with(['%', 'k', 'K', 'm', 'M'])
}
