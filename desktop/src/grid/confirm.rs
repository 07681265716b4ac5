//! Turns changes into edits, with a confirmation where needed.

use shared::{edit::Change, ids::WatchlistId, limits::Limits, number::Separators, wire::codec::Encoding};

use super::view::GridView;
use crate::command::{AppCommand, Command, Confirmation, GridCommand, entry_of};

/// Bytes reserved in an edit's message for everything but the changes.
const ENVELOPE_BYTES: usize = 4 * 1024;

/// Returns the edits of a command's changes, or a command that asks for confirmation if there are messages or
/// the changes are too many for one edit.
pub(super) fn edit_or_confirm(
    command: &GridCommand,
    lines: Vec<String>,
    changes: Vec<Change>,
    view: &GridView<'_>,
) -> Vec<Command> {
    let entry = entry_of(&command.clone().into());
    edits_or_question((entry.title, entry.short), lines, changes, (view.id, view.separators))
}

/// Returns the edits of changes, or a command that asks for confirmation, with a title and the text of its
/// button, if there are messages or the changes are too many for one edit.
pub fn edits_or_question(
    (title, confirm_label): (&'static str, &'static str),
    mut lines: Vec<String>,
    changes: Vec<Change>,
    (watchlist, separators): (WatchlistId, Separators),
) -> Vec<Command> {
    let edits = split_into_edits(changes);
    if edits.len() > 1 {
        let changes: usize = edits.iter().map(Vec::len).sum();
        lines.push(format!(
            "{} changes are too many for one step: they are sent as {} edits, and undo takes as many steps.",
            separators.format(changes.into(), 0),
            edits.len()
        ));
    }
    if lines.is_empty() {
        let edit = |changes| AppCommand::Edit { watchlist, changes }.into();
        return edits.into_iter().map(edit).collect();
    }
    let confirm_label = if edits.is_empty() { "Close" } else { confirm_label };
    let confirmation = Confirmation { title, lines, confirm_label, edits, is_new: true };
    vec![GridCommand::Confirm(confirmation).into()]
}

/// Splits changes into as few edits as the limits allow, in order.
pub fn split_into_edits(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let limits = Limits::default();
    let max_bytes = limits.message_bytes - ENVELOPE_BYTES;
    let mut edits: Vec<Vec<Change>> = Vec::new();
    let mut bytes = usize::MAX;
    for change in changes {
        let size = Encoding::Json.size(&change) + 1;
        match edits.last_mut().filter(|edit| edit.len() < limits.changes && bytes + size <= max_bytes) {
            Some(edit) => {
                edit.push(change);
                bytes += size;
            }
            None => {
                edits.push(vec![change]);
                bytes = size;
            }
        }
    }
    edits
}
