//! The note beside the open editor: a validation error, a conflicting change with its choices, or the meaning
//! of a shorthand.

use egui::{Align, Align2, Area, Button, Color32, Event, Order, Rect, RichText, Ui, pos2, vec2};
use shared::value::Value;

use super::editor::{Editor, Problem};
use crate::{
    command::{EditorCommand, GridCommand, OVERWRITE, Step, entry_of},
    grid::{
        filter,
        metrics::{ARROW, PADDING},
        typed::{Meaning, meaning, read_typed},
        view::GridView,
    },
    theme,
};

/// Space between the text of a note and its left and right edge, in points.
const MARGIN: f32 = 8.0;

/// The user's choice in a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Replaces the other user's value with the typed text.
    Overwrite,
    /// Discards the typed text.
    Discard,
    /// Copies the typed text to the clipboard, or all that were refused.
    Copy,
    /// Inserts the removed row again, with the typed text.
    BringBack,
    /// Commits the text that was typed in place of a refused one.
    Commit,
}

struct Note {
    text: String,
    /// A remark before the text, whose right edge is that of the number.
    hint: Option<String>,
    /// Whether the text ends with a number in the format of the cell.
    is_number: bool,
    color: Color32,
    answers: &'static [Choice],
}

impl Note {
    fn new(text: impl Into<String>, color: Color32) -> Self {
        Self { text: text.into(), hint: None, is_number: false, color, answers: &[] }
    }

    fn with_answers(self, answers: &'static [Choice]) -> Self {
        Self { answers, ..self }
    }
}

/// A button of a note: its title, the command whose key gives the same answer, and the answer.
type Choice = (&'static str, Option<GridCommand>, Answer);

const COMMIT: Option<GridCommand> = Some(GridCommand::Editor(EditorCommand::Commit(Step::Down)));
const DISCARD: Option<GridCommand> = Some(GridCommand::Editor(EditorCommand::Discard));
const COPY: Option<GridCommand> = Some(GridCommand::Copy);

/// The cell has changed; a key that commits asks first.
const CHANGED: &[Choice] =
    &[(OVERWRITE, None, Answer::Overwrite), ("Keep their value", DISCARD, Answer::Discard)];
/// The same, once the person was asked.
const ASKED: &[Choice] =
    &[(OVERWRITE, COMMIT, Answer::Overwrite), ("Keep their value", DISCARD, Answer::Discard)];
const REPLACED: &[Choice] = &[("Yes", COMMIT, Answer::Commit), ("Discard", DISCARD, Answer::Discard)];
const REPLACED_SEVERAL: &[Choice] = &[
    ("Yes", COMMIT, Answer::Commit),
    ("Copy all", COPY, Answer::Copy),
    ("Discard", DISCARD, Answer::Discard),
];
const ROW_REMOVED: &[Choice] = &[
    ("Bring it back", COMMIT, Answer::BringBack),
    ("Copy text", COPY, Answer::Copy),
    ("Discard", DISCARD, Answer::Discard),
];
const COLUMN_REMOVED: &[Choice] = &[("Copy text", COPY, Answer::Copy), ("Discard", DISCARD, Answer::Discard)];

/// Shows the note below or above the editor. An editor whose cell is out of view has the name of its `cell`. Returns
/// the user's choice.
pub(super) fn show(
    ui: &Ui,
    (editor, cell): (&Editor, Option<String>),
    view: &GridView<'_>,
    rect: Rect,
) -> Option<Answer> {
    let note = match (note_for(editor, view), cell) {
        (note, None) => note?,
        (None, Some(cell)) => Note::new(cell, view.palette.muted),
        (Some(note), Some(cell)) => Note { text: format!("{cell}: {}", note.text), is_number: false, ..note },
    };
    let frame = egui::Frame::popup(&ui.global_style()).inner_margin(vec2(MARGIN, 4.0));
    let room = ui.max_rect();
    // The picker is on the other side of the editor.
    let is_above = match &editor.picker {
        Some(picker) => !picker.is_above(rect, room),
        None => rect.bottom() + 40.0 > room.bottom(),
    };
    let (vertical, y) =
        if is_above { (Align::BOTTOM, rect.top() - 4.0) } else { (Align::TOP, rect.bottom() + 4.0) };
    // The digits of a number are below those of the cell.
    let (horizontal, x, font) = if note.is_number {
        (Align::RIGHT, rect.right() - PADDING - ARROW + MARGIN, theme::text())
    } else {
        (Align::LEFT, rect.left(), theme::small())
    };
    let mut answer = None;
    if note.answers.iter().any(|(_, _, choice)| *choice == Answer::Copy) {
        // The whole text, whatever of it is selected.
        let is_copy = |event: &mut Event| matches!(event, Event::Copy);
        let is_pressed = ui.input_mut(|input| input.events.extract_if(.., is_copy).count() > 0);
        answer = is_pressed.then_some(Answer::Copy);
    }
    Area::new(ui.scope_id().with("editor note"))
        .order(Order::Foreground)
        .fade_in(false)
        .pivot(Align2([horizontal, vertical]))
        .fixed_pos(pos2(x, y))
        .constrain_to(room)
        .show(ui.ctx(), |ui| {
            frame.show(ui, |ui| {
                ui.set_max_width(room.width() - 2.0 * MARGIN);
                ui.horizontal_wrapped(|ui| {
                    ui.spacing_mut().button_padding = vec2(6.0, 2.0);
                    if let Some(hint) = &note.hint {
                        ui.label(RichText::new(hint).font(theme::small()).color(view.palette.muted));
                        ui.add_space(4.0);
                    }
                    ui.label(RichText::new(&note.text).font(font).color(note.color));
                    for (title, same, choice) in note.answers {
                        let mut button = Button::new(RichText::new(*title).font(theme::small()));
                        if let Some(command) = same {
                            button = button.shortcut_text(entry_of(&command.clone().into()).key());
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
        return Some(Note::new(text, palette.down).with_answers(COLUMN_REMOVED));
    };
    let row = editor.cursor.row;
    let current = row.map_or(Value::Empty, |row| view.watchlist.cell(row, &editor.column));
    let is_removed = row.is_some_and(|row| view.watchlist.rows().get(row).is_none());
    let by = view.author.as_ref().map(|name| format!(" \u{b7} {name}")).unwrap_or_default();
    let now = filter::display_text(&current, view.value_format(&entry.column.kind));
    let now = if now.is_empty() { "empty".to_owned() } else { now };
    match &editor.problem {
        Some(Problem::Invalid(why)) => Some(Note::new(why, palette.down)),
        Some(Problem::RowRemoved) => {
            let text = "This row was removed. Bring it back with your text?";
            Some(Note::new(text, palette.down).with_answers(ROW_REMOVED))
        }
        None if is_removed => Some(Note::new("This row was removed", palette.down).with_answers(ROW_REMOVED)),
        Some(Problem::Changed(asked)) if current == *asked => {
            let theirs = match &view.author {
                Some(name) => format!("{name}\u{2019}s {now}"),
                None => now,
            };
            // A relative number is a change of the other person's value.
            let kind = &entry.column.kind;
            let own = read_typed(kind, &editor.text, editor.current_number(), view).ok();
            let own = own.map(|value| filter::display_text(&value, view.value_format(kind)));
            let question = match own.filter(|own| !own.is_empty()) {
                Some(own) => format!("Replace {theirs} with {own}?"),
                None => format!("Replace {theirs}?"),
            };
            Some(Note::new(question, palette.down).with_answers(ASKED))
        }
        Some(Problem::Replaced) => {
            let refused = editor.refused.first().map(String::as_str).unwrap_or_default();
            let text = editor.text.trim();
            // A person who types a list without looking has typed several.
            match editor.refused.len() {
                0..=2 => {
                    let question = format!("{text} in place of \u{201c}{refused}\u{201d}?");
                    Some(Note::new(question, palette.down).with_answers(REPLACED))
                }
                count => {
                    let question = format!(
                        "{text} in place of \u{201c}{refused}\u{201d}? You have typed {count} values here."
                    );
                    Some(Note::new(question, palette.down).with_answers(REPLACED_SEVERAL))
                }
            }
        }
        Some(Problem::Signed) => {
            let kind = &entry.column.kind;
            let value = read_typed(kind, &editor.text, None, view).unwrap_or(Value::Empty);
            let value = filter::display_text(&value, view.value_format(kind));
            let question = format!("Change {now} to {value}?");
            Some(Note::new(question, palette.down).with_answers(REPLACED))
        }
        Some(Problem::Changed(_)) | None if current != editor.seen => {
            Some(Note::new(format!("Now {now}{by}"), palette.accent).with_answers(CHANGED))
        }
        Some(Problem::Changed(_)) | None => {
            let (kind, current) = (&entry.column.kind, editor.current_number());
            if editor.has_own_sign()
                && editor.seen.as_number().is_some()
                && let Ok(value) = read_typed(kind, &editor.text, None, view)
            {
                let text = format!("= {}", filter::display_text(&value, view.value_format(kind)));
                return Some(Note { is_number: true, ..Note::new(text, palette.text) });
            }
            if let Some(Meaning { text, hint }) = meaning(kind, &editor.text, current, view.separators) {
                return Some(Note { hint, is_number: true, ..Note::new(text, palette.text) });
            }
            match read_typed(kind, &editor.text, current, view) {
                Ok(Value::Time(time)) if editor.picker.is_none() => {
                    let local = time.to_jiff().to_zoned(view.zone.clone());
                    let text = local.strftime("%A %-d %B %Y, %H:%M:%S %:z").to_string();
                    Some(Note::new(text, palette.muted))
                }
                _ => None,
            }
        }
    }
}
