//! Texts for the person, made from the server's rejections and errors.

use std::sync::Arc;

use shared::{
    edit::{Change, Set},
    ids::RowId,
    rejection::{Code, Rejection},
    value::Literal,
    watchlist::Watchlist,
};

use super::undo::Direction;

/// Describes a rejected edit, with the value that the person entered, unless the edit `repeated` a step.
/// `row_name` also knows the names of removed rows.
pub(super) fn rejection_text(
    state: Option<&Watchlist>,
    row_name: &dyn Fn(RowId) -> Option<Arc<str>>,
    rejection: &Rejection,
    changes: &[Change],
    repeated: Option<Direction>,
) -> String {
    let change = rejection.change.and_then(|index| changes.get(index));
    let only = changes.first().filter(|_| changes.len() == 1);
    let set = match change.or(only) {
        Some(Change::Set(set)) => Some((set, cell_name(state, row_name, set))),
        _ => None,
    };
    let by = rejection.by.as_deref().unwrap_or("someone else");
    let current = rejection.current.as_ref().filter(|_| rejection.code == Code::Conflict).map(plain);
    let name = change.and_then(Change::row).and_then(row_name);
    let why = match (rejection.code, change, &name) {
        (Code::UnknownRow, ..) => "the row was removed".to_owned(),
        (Code::UnknownWatchlist, ..) => {
            "its watchlist was deleted, or you no longer have access to it".to_owned()
        }
        (Code::Conflict, Some(Change::Remove(_)), Some(name)) => format!("{by} has changed {name} since"),
        _ => rejection.message.to_string(),
    };
    if let Some(direction) = repeated {
        let done = done(direction);
        return match (set, current) {
            (Some((_, cell)), Some(current)) => format!("Not {done}: {by} changed {cell} to {current}."),
            _ => format!("Not {done}: {why}."),
        };
    }
    let place = set.map_or_else(
        || "Your edit".to_owned(),
        |(set, cell)| format!("Your {} for {cell}", plain(&set.value)),
    );
    match current {
        Some(current) => format!("{place} was rejected: {by} changed it to {current} first."),
        None => format!("{place} was rejected: {why}."),
    }
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

/// Describes a change that cannot be made any more, with the value of its cell if somebody else has set it.
pub(super) fn dropped_text(
    state: Option<&Watchlist>,
    row_name: &dyn Fn(RowId) -> Option<Arc<str>>,
    (change, current): (&Change, Option<&Literal>),
) -> String {
    let name = match change {
        Change::Set(set) => Some(cell_name(state, row_name, set)),
        _ => change.row().and_then(row_name).map(|name| name.to_string()),
    };
    let name = name.unwrap_or_else(|| "another change".to_owned());
    match current {
        Some(current) => format!("{name} (now {})", plain(current)),
        None => format!("{name} (removed)"),
    }
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

/// Returns a value as a person types it.
fn plain(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) if !text.is_empty() => text.to_string(),
        Literal::Text(_) | Literal::Empty => "empty".to_owned(),
        Literal::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Literal::Foreign(_) => literal.to_string(),
    }
}

/// Returns the name of a cell: the first text of its row, and the title of its column.
fn cell_name(
    state: Option<&Watchlist>,
    row_name: &dyn Fn(RowId) -> Option<Arc<str>>,
    Set { row, column, .. }: &Set,
) -> String {
    let title = state.and_then(|state| state.columns().get(column));
    let title = title.map_or_else(|| column.to_string(), |entry| entry.column.title.to_string());
    match row_name(*row) {
        Some(name) => format!("{name} {title}"),
        None => title,
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
