//! Texts for the person, made from the server's rejections and errors.

use shared::{
    edit::Change,
    rejection::{Code, Rejection},
    value::Value,
    watchlist::Watchlist,
};

/// Describes a rejected edit, with the value that the person entered.
pub(super) fn rejection_text(state: Option<&Watchlist>, rejection: &Rejection, changes: &[Change]) -> String {
    let change = rejection.change.and_then(|index| changes.get(index));
    let place = match (change, state) {
        (Some(Change::Set(set)), Some(state)) => {
            let title = state
                .columns()
                .get(&set.column)
                .map_or_else(|| set.column.to_string(), |entry| entry.column.title.to_string());
            let first = state.columns().visible().next().map(|entry| state.cell(set.row, &entry.column.key));
            let row = match first {
                Some(Value::Text(text)) => format!("{text} "),
                _ => String::new(),
            };
            format!("Your {} for {row}{title}", set.value)
        }
        _ => "Your edit".to_owned(),
    };
    match (rejection.code, &rejection.current) {
        (Code::Conflict, Some(current)) => {
            let by = rejection.by.as_deref().unwrap_or("someone else");
            format!("{place} was rejected: {by} changed it to {current} first.")
        }
        _ => format!("{place} was rejected: {}.", rejection.message),
    }
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
