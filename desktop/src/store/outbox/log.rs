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

use crate::store::rest::RejectedValue;

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
    /// A notice says that an edit was rejected; the values are added to those that it has.
    Rejected { notice: u64, text: String, values: Vec<RejectedValue> },
    /// The person has dismissed a notice.
    Dismissed(u64),
}

/// What a notice about rejected edits says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptNotice {
    /// Its text.
    pub text: String,
    /// The values.
    pub values: Vec<RejectedValue>,
}

/// The notices about rejected edits that are not dismissed.
pub type KeptNotices = BTreeMap<u64, KeptNotice>;

/// Replaces the text of a notice and adds values to it.
pub(super) fn extend_notice(
    notices: &mut KeptNotices,
    notice: u64,
    text: String,
    values: Vec<RejectedValue>,
) {
    let kept = notices.entry(notice).or_default();
    kept.text = text;
    kept.values.extend(values);
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
    /// The notices about rejected edits.
    pub(super) notices: KeptNotices,
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
            Ok(Line::Rejected { notice, text, values }) => {
                extend_notice(&mut contents.notices, notice, text, values);
            }
            Ok(Line::Dismissed(notice)) => drop(contents.notices.remove(&notice)),
            Err(error) => warn!(%error, path = %path.display(), "ignored an invalid line of the outbox"),
        }
    }
    Ok(Some(contents))
}

/// Returns the lines of a new log.
pub(super) fn compacted(
    replaces: Option<ClientId>,
    reserved: EditId,
    kept: &[KeptEdit],
    notices: &KeptNotices,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let head = replaces.map(Line::Replaces).into_iter().chain([Line::Reserved(reserved)]);
    let notices = notices.iter().map(|(notice, KeptNotice { text, values })| Line::Rejected {
        notice: *notice,
        text: text.clone(),
        values: values.clone(),
    });
    let lines = head.chain(kept.iter().cloned().map(Line::from)).chain(notices);
    lines.for_each(|line| append_line(&mut bytes, &line));
    bytes
}

/// Appends a line, preceded by a line break in case the previous line was truncated.
pub(super) fn append_line(bytes: &mut Vec<u8>, line: &Line) {
    bytes.push(b'\n');
    bytes.append(&mut serde_json::to_vec(line).expect("an edit is plain data"));
    bytes.push(b'\n');
}
