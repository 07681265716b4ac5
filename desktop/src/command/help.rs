//! The table of keyboard shortcuts, in the program (F1) and in the README.

use std::fmt::Write;

use super::{
    shortcut::{Shortcut, labels},
    table::entries,
};

/// A row of the table: the commands with the same title, and all of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelpRow {
    /// The keys and gestures, such as "Enter, F2, double click".
    pub keys: String,
    /// Title of the commands.
    pub title: &'static str,
    /// Where the keys work if that is a special place, or an empty string.
    pub place: &'static str,
    /// Details, or an empty string.
    pub description: &'static str,
}

/// Returns a row for each title that has a key or a gesture.
pub fn help_rows() -> Vec<HelpRow> {
    let mut titles: Vec<&'static str> = Vec::new();
    for entry in entries() {
        if !titles.contains(&entry.title) {
            titles.push(entry.title);
        }
    }
    titles.into_iter().filter_map(help_row).collect()
}

fn help_row(title: &'static str) -> Option<HelpRow> {
    let same = || entries().iter().filter(move |entry| entry.title == title);
    let shortcuts: Vec<Shortcut> = same().flat_map(|entry| entry.shortcuts.iter().copied()).collect();
    let gestures = same().map(|entry| entry.gesture).filter(|gesture| !gesture.is_empty());
    let keys: Vec<String> = labels(&shortcuts).into_iter().chain(gestures.map(str::to_owned)).collect();
    let place = same().next().map(|entry| entry.scope.place()).unwrap_or_default();
    let description = same().map(|entry| &*entry.description).find(|text| !text.is_empty());
    let row = HelpRow { keys: keys.join(", "), title, place, description: description.unwrap_or_default() };
    (!keys.is_empty()).then_some(row)
}

/// Returns the table as Markdown, for the README.
pub fn markdown() -> String {
    let mut table = "| key | command |\n| --- | --- |\n".to_owned();
    for HelpRow { keys, title, place, description } in help_rows() {
        let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
        let details = if description.is_empty() { String::new() } else { format!(". {description}") };
        // Writing to a string does not fail.
        let _written = writeln!(table, "| {keys} | {title}{place}{details} |");
    }
    table
}
