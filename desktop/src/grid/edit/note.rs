//! The note beside the open editor: a validation error, a conflicting change with its choices, or the meaning
//! of a shorthand.

use egui::{Area, Button, Color32, Order, Rect, RichText, Ui, pos2, vec2};
use shared::value::Value;

use super::editor::{Editor, Problem};
use crate::{
    command::{EditorCommand, GridCommand, Step, entry_of},
    grid::{filter, typed::read_typed, view::GridView},
    theme,
};

/// The user's choice in a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Replaces the other user's value with the typed text.
    Overwrite,
    /// Discards the typed text.
    Discard,
    /// Copies the typed text to the clipboard.
    Copy,
    /// Inserts the typed text as a new row.
    NewRow,
}

struct Note {
    text: String,
    color: Color32,
    answers: &'static [Choice],
}

/// A button of a note: its title, the command whose key gives the same answer, and the answer.
type Choice = (&'static str, Option<EditorCommand>, Answer);

const COMMIT: Option<EditorCommand> = Some(EditorCommand::Commit(Step::Down));
const DISCARD: Option<EditorCommand> = Some(EditorCommand::Discard);

const CHANGED: &[Choice] =
    &[("Overwrite", COMMIT, Answer::Overwrite), ("Keep their value", DISCARD, Answer::Discard)];
const ROW_REMOVED: &[Choice] = &[
    ("New row", COMMIT, Answer::NewRow),
    ("Copy text", None, Answer::Copy),
    ("Discard", DISCARD, Answer::Discard),
];
const COLUMN_REMOVED: &[Choice] = &[("Copy text", None, Answer::Copy), ("Discard", DISCARD, Answer::Discard)];

/// Shows the note below or above the editor. Returns the user's choice.
pub(super) fn show(ui: &Ui, editor: &Editor, view: &GridView<'_>, rect: Rect) -> Option<Answer> {
    let note = note_for(editor, view)?;
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(egui::Margin::symmetric(8, 4));
    let room = ui.max_rect();
    // The picker is on the other side of the editor.
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
                    for (title, same, choice) in note.answers {
                        let mut button = Button::new(RichText::new(*title).font(theme::small()));
                        if let Some(command) = same {
                            button =
                                button.shortcut_text(entry_of(&GridCommand::Editor(*command).into()).key());
                        }
                        if ui.add(button).clicked() {
                            answer = Some(*choice);
                        }
                    }
                });
            });
        });
    answer
}

fn note_for(editor: &Editor, view: &GridView<'_>) -> Option<Note> {
    let palette = view.palette;
    let Ok(entry) = view.watchlist.columns().visible_column(&editor.column) else {
        let text = "This column was removed".to_owned();
        return Some(Note { text, color: palette.down, answers: COLUMN_REMOVED });
    };
    let row = editor.cursor.row;
    let current = row.map_or(Value::Empty, |row| view.watchlist.cell(row, &editor.column));
    let is_removed = row.is_some_and(|row| view.watchlist.rows().get(row).is_none());
    let by = view.author.as_ref().map(|name| format!(" \u{b7} {name}")).unwrap_or_default();
    let now = filter::display_text(&current, view.value_format(&entry.column.kind));
    let now = if now.is_empty() { "empty".to_owned() } else { now };
    let muted = |text: String| Some(Note { text, color: palette.muted, answers: &[] });
    match &editor.problem {
        Some(Problem::Invalid(why)) => Some(Note { text: why.clone(), color: palette.down, answers: &[] }),
        Some(Problem::RowRemoved) => {
            let text = "This row was removed. Add a new row with your text?".to_owned();
            Some(Note { text, color: palette.down, answers: ROW_REMOVED })
        }
        None if is_removed => {
            let text = "This row was removed".to_owned();
            Some(Note { text, color: palette.down, answers: ROW_REMOVED })
        }
        Some(Problem::Changed(asked)) if current == *asked => {
            Some(Note { text: format!("Overwrite {now}{by}?"), color: palette.down, answers: CHANGED })
        }
        Some(Problem::Changed(_)) | None if current != editor.seen => {
            Some(Note { text: format!("Now {now}{by}"), color: palette.accent, answers: CHANGED })
        }
        Some(Problem::Changed(_)) | None => {
            match read_typed(&entry.column.kind, &editor.text, &editor.seen, view) {
                Ok(Value::Number(number)) if is_shorthand(&editor.text) => {
                    muted(format!("= {}", view.separators.write(number)))
                }
                Ok(Value::Time(time)) if editor.picker.is_none() => {
                    let local = time.to_jiff().to_zoned(view.zone.clone());
                    muted(local.strftime("%A %-d %B %Y, %H:%M:%S %:z").to_string())
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
