//! The file of an outbox: a log of JSON lines. A line truncated by a crash is ignored.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use serde::{Deserialize, Serialize};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, WatchlistId},
    replica::KeptEdit,
};
use tracing::warn;

/// One line of the log.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Line {
    /// Numbers below this may have been used.
    Reserved(EditId),
    /// An edit was made.
    Kept { edit: EditId, watchlist: WatchlistId, changes: Vec<Change> },
    /// An edit was answered.
    Answered(EditId),
    /// The unanswered edits of this client are in this outbox, under other numbers.
    Replaces(ClientId),
}

impl From<KeptEdit> for Line {
    fn from(KeptEdit { edit, watchlist, changes }: KeptEdit) -> Self {
        Line::Kept { edit, watchlist, changes }
    }
}

/// What the lines of a log amount to.
#[derive(Default)]
pub(super) struct LogContents {
    /// Numbers below this may have been used.
    pub(super) reserved: EditId,
    /// The unanswered edits.
    pub(super) kept: BTreeMap<EditId, KeptEdit>,
    /// The client whose unanswered edits are in this outbox.
    pub(super) replaces: Option<ClientId>,
}

/// Reads a file; returns `None` if it does not exist.
pub(super) fn read_log(path: &Path) -> io::Result<Option<LogContents>> {
    let mut contents = LogContents::default();
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(Line::Reserved(reserved)) => contents.reserved = contents.reserved.max(reserved),
            Ok(Line::Kept { edit, watchlist, changes }) => {
                contents.kept.insert(edit, KeptEdit { edit, watchlist, changes });
            }
            Ok(Line::Answered(edit)) => drop(contents.kept.remove(&edit)),
            Ok(Line::Replaces(client)) => contents.replaces = Some(client),
            Err(error) => warn!(%error, path = %path.display(), "ignored an invalid line of the outbox"),
        }
    }
    Ok(Some(contents))
}

/// Returns the lines of a new log.
pub(super) fn compacted(replaces: Option<ClientId>, reserved: EditId, kept: &[KeptEdit]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let head = replaces.map(Line::Replaces).into_iter().chain([Line::Reserved(reserved)]);
    let lines = head.chain(kept.iter().cloned().map(Line::from));
    lines.for_each(|line| append_line(&mut bytes, &line));
    bytes
}

/// Appends a line, preceded by a line break in case the previous line was truncated.
pub(super) fn append_line(bytes: &mut Vec<u8>, line: &Line) {
    bytes.push(b'\n');
    bytes.append(&mut serde_json::to_vec(line).expect("an edit is plain data"));
    bytes.push(b'\n');
}
