//! Texts for the person, made from the server's rejections and errors.

use std::sync::Arc;

use shared::{
    column::ColumnKey,
    edit::{Change, Insert},
    ids::RowId,
    rejection::{Code, Rejection},
    value::Literal,
    watchlist::Watchlist,
};

use super::{
    rest::{Cause, Dropped, RejectedValue},
    undo::Direction,
};
use crate::shortened::shortened;

/// Maximum number of characters shown of a value or the name of a row.
const MAX_CHARS: usize = 60;

/// What names the cells and rows of a watchlist.
pub(super) struct Names<'s> {
    /// The watchlist, if it is loaded.
    pub(super) state: Option<&'s Watchlist>,
    /// Returns the name of a row, also of a removed one.
    pub(super) row_name: &'s dyn Fn(RowId) -> Option<Arc<str>>,
}

impl Names<'_> {
    /// Describes a change as the person's: "72 for MMM Price".
    fn own(&self, change: &Change) -> Option<String> {
        Some(match change {
            Change::Set(set) => format!("{} for {}", brief(&set.value), self.cell(set.row, &set.column)),
            Change::Insert(insert) => format!("row {}", shortened(&self.inserted(insert)?, MAX_CHARS)),
            Change::Remove(removed) => format!("removal of {}", self.short_row_name(removed.row)?),
            Change::Move(moved) => format!("move of {}", self.short_row_name(moved.row)?),
            _ => return None,
        })
    }

    /// Describes a change that cannot be made any more.
    pub(super) fn dropped(&self, (change, cause): &Dropped) -> String {
        let own = self.own(change).unwrap_or_else(|| "another change".to_owned());
        match cause {
            Cause::Changed(current) => format!("{own} (now {})", brief(current)),
            Cause::Removed => format!("{own} (removed)"),
            Cause::Edit => own,
        }
    }

    /// Returns the values that a change sets.
    pub(super) fn values_of(&self, change: &Change) -> Vec<RejectedValue> {
        let value = |row: Option<Arc<str>>, column: &ColumnKey, value: &Literal| RejectedValue {
            row: row.as_deref().unwrap_or_default().to_owned(),
            column: self.title(column),
            value: if *value == Literal::Empty { String::new() } else { plain(value) },
        };
        match change {
            Change::Set(set) => vec![value((self.row_name)(set.row), &set.column, &set.value)],
            Change::Insert(insert) => {
                let cells = insert.cells.iter();
                cells.map(|(column, cell)| value(self.inserted(insert), column, cell)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the name of a cell: that of its row and the title of its column.
    pub(super) fn cell(&self, row: RowId, column: &ColumnKey) -> String {
        let title = self.title(column);
        self.short_row_name(row).map_or_else(|| title.clone(), |name| format!("{name} {title}"))
    }

    fn short_row_name(&self, row: RowId) -> Option<String> {
        (self.row_name)(row).map(|name| shortened(&name, MAX_CHARS))
    }

    fn title(&self, column: &ColumnKey) -> String {
        let entry = self.state.and_then(|state| state.columns().get(column));
        entry.map_or_else(|| column.to_string(), |entry| entry.column.title.to_string())
    }

    /// Returns the name of a row that was to be inserted: the first of its texts.
    fn inserted(&self, insert: &Insert) -> Option<Arc<str>> {
        let mut keys: Vec<&ColumnKey> = match self.state {
            Some(state) => state.columns().iter().map(|entry| &entry.column.key).collect(),
            None => Vec::new(),
        };
        keys.extend(insert.cells.keys());
        let mut texts = keys.into_iter().filter_map(|key| match insert.cells.get(key)? {
            Literal::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        });
        texts.next()
    }
}

/// Describes a rejected edit, with the value that the person entered, unless the edit `repeated` a step.
pub(super) fn rejection_text(
    names: &Names<'_>,
    rejection: &Rejection,
    changes: &[Change],
    repeated: Option<Direction>,
) -> String {
    let rejected = rejection.change.and_then(|index| changes.get(index));
    let change = rejected.or(changes.first());
    let by = rejection.by.as_deref().unwrap_or("someone else");
    let current = rejection.current.as_ref().filter(|_| rejection.code == Code::Conflict).map(brief);
    let name = rejected.and_then(Change::row).and_then(|row| names.short_row_name(row));
    let why = match (rejection.code, rejected, &name) {
        (Code::UnknownRow, ..) => "the row was removed".to_owned(),
        (Code::UnknownWatchlist, ..) => {
            "its watchlist was deleted, or you no longer have access to it".to_owned()
        }
        (Code::Conflict, Some(Change::Remove(_)), Some(name)) => format!("{by} has changed {name} since"),
        _ => rejection.message.to_string(),
    };
    if let Some(direction) = repeated {
        let done = done(direction);
        return match (change, current) {
            (Some(Change::Set(set)), Some(current)) => {
                format!("Not {done}: {by} changed {} to {current}.", names.cell(set.row, &set.column))
            }
            _ => format!("Not {done}: {why}."),
        };
    }
    let own = change.and_then(|change| names.own(change));
    let own = own.unwrap_or_else(|| "edit".to_owned());
    match current {
        Some(current) => format!("Your {own} was rejected: {by} changed it to {current} first."),
        None => format!("Your {own} was rejected: {why}."),
    }
}

/// Describes what was typed and not entered, because another account has signed in.
pub(super) fn not_entered_text(names: &Names<'_>, typed: &Change) -> String {
    let own = names.own(typed).unwrap_or_else(|| "edit".to_owned());
    format!("Your {own} was not entered: another account signed in while you were typing.")
}

/// Describes what was not undone or redone, because somebody removed its rows.
pub(super) fn removed_rows_text(names: &[String], further: usize, direction: Direction) -> String {
    let done = done(direction);
    let rows = match (names, further) {
        ([], 1) => "1 row".to_owned(),
        ([], _) => format!("{further} rows"),
        (names, 0) => names.join(", "),
        (names, 1) => format!("{} and 1 other row", names.join(", ")),
        (names, _) => format!("{} and {further} other rows", names.join(", ")),
    };
    format!("Not {done} in {rows}: removed in the meantime.")
}

/// Describes what becomes of the other changes of a rejected edit: those that cannot be made and are
/// `listed`, the number of further ones, and of those that are sent again.
pub(super) fn rest_text(
    listed: &[String],
    further: usize,
    made: usize,
    repeated: Option<Direction>,
) -> String {
    let doing = repeated.map_or("made", done);
    let others = |count: usize| match count {
        1 => "1 other change was".to_owned(),
        _ => format!("{count} other changes were"),
    };
    let mut rejected = match listed {
        [] => String::new(),
        listed => format!(" Also rejected: {}.", listed.join(", ")),
    };
    if further > 0 {
        rejected += &format!(" {} rejected as well.", others(further));
    }
    let sent = match made {
        0 => String::new(),
        1 => format!(" 1 change is {doing} without it."),
        _ => format!(" {made} changes are {doing} without it."),
    };
    rejected + &sent
}

fn done(direction: Direction) -> &'static str {
    match direction {
        Direction::Undo => "undone",
        Direction::Redo => "redone",
    }
}

/// Returns a value as a person types it, shortened.
fn brief(literal: &Literal) -> String {
    shortened(&plain(literal), MAX_CHARS)
}

/// Returns a value as a person types it.
fn plain(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) if !text.is_empty() => text.to_string(),
        Literal::Text(_) | Literal::Empty => "empty".to_owned(),
        Literal::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Literal::Foreign(_) => literal.to_string(),
    }
}

/// Returns the first text of a row.
pub(super) fn row_name(state: &Watchlist, row: RowId) -> Option<Arc<str>> {
    let row = state.rows().get(row)?;
    row.first_text(state.columns()).map(|(_, text)| text.clone())
}

/// Describes edits that cannot be written to this machine's disk.
pub(super) fn outbox_fault_text(fault: &str) -> String {
    format!(
        "Edits cannot be saved to this computer's disk ({fault}). They are still sent to the server, but pending \
         ones are lost if Afterglow quits. Check the disk for free space."
    )
}

/// Describes the change to a new client id.
pub(super) fn renewal_text(renewed: &std::io::Result<()>) -> String {
    match renewed {
        Ok(()) => "This data folder seems to be a copy: its edits have the same ids as those of another. Your edits \
                   will be sent again under a new id."
            .to_owned(),
        Err(error) => {
            format!("Offline edits cannot be saved to disk and would not survive a restart: {error}.")
        }
    }
}

/// Describes the deletion of a watchlist, whose name is known if it is loaded.
pub(super) fn deletion_text(name: Option<&str>) -> String {
    let name = name.map(|name| format!(" \u{201c}{name}\u{201d}")).unwrap_or_default();
    format!("Watchlist{name} was deleted for everyone.")
}

/// Describes watchlists that were restored from a backup on the server.
pub(super) fn restored_text(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\u{201c}{name}\u{201d}")).collect();
    let restored = match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => {
            format!("watchlists {} and {last} have", others.join(", "))
        }
        _ => format!("watchlist {} has", quoted.concat()),
    };
    format!(
        "The {restored} been restored from a backup on the server. Changes made after the backup may be missing."
    )
}

/// Turns the message of a rejection into a sentence.
pub fn sentence(message: &str) -> String {
    let mut text = message.to_owned();
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}
