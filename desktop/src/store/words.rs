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

/// Turns a message of the server into a sentence.
pub(super) fn sentence(message: &str) -> String {
    let mut text = message.to_owned();
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}
