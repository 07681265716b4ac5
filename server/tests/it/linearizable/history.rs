//! What clients did, when, and what they were answered.

use std::{collections::BTreeMap, time::Instant};

use serde_json::Value;

/// The time from before a call was sent until after its answer had arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: Instant,
    pub(super) end: Instant,
}

/// A cell's text; `None` if the cell is empty.
pub(super) type Text = Option<String>;

/// An edit of one cell.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    /// The client and the number, by which the edit is found among the commits.
    pub(super) name: (String, u64),
    /// From the first attempt until the answer.
    pub(super) span: Span,
    pub(super) cell: u128,
    pub(super) text: String,
    /// The text that the cell must have before, if the edit is guarded.
    pub(super) guard: Option<Text>,
    pub(super) outcome: Outcome,
}

/// The answer to an edit.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Accepted(u64),
    /// The cell had this text instead.
    Conflict(Text),
}

/// A read of the whole watchlist.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) span: Span,
    /// Whether it must show everything that was answered before it began. The snapshot of a subscription need
    /// not: one that others are being sent is shared, and is followed by the changes since.
    pub(super) is_current: bool,
    pub(super) epoch: String,
    pub(super) revision: u64,
    pub(super) cells: BTreeMap<u128, Text>,
}

/// A commit, as the history has it in the end.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) revision: u64,
    pub(super) name: (String, u64),
    pub(super) cell: u128,
    pub(super) text: String,
}

impl Commit {
    /// Reads a commit with one `set`. The commit that inserts the rows has no cell.
    pub(super) fn read(commit: &Value) -> Self {
        let set = &commit["changes"][0]["set"];
        Self {
            revision: commit["revision"].as_u64().unwrap(),
            name: (
                commit["by"]["client"].as_str().unwrap().to_owned(),
                commit["by"]["edit"].as_u64().unwrap(),
            ),
            cell: set["row"].as_str().map_or(0, |row| row.parse::<uuid::Uuid>().unwrap().as_u128()),
            text: set["value"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// When the watchlist was deleted and restored, and when calls found it and did not.
#[derive(Debug, Default)]
pub(super) struct Existence {
    pub(super) deletions: Vec<Span>,
    pub(super) restorations: Vec<Span>,
    pub(super) found: Vec<Span>,
    pub(super) missing: Vec<Span>,
}

impl Existence {
    pub(super) fn add(&mut self, other: Self) {
        self.deletions.extend(other.deletions);
        self.restorations.extend(other.restorations);
        self.found.extend(other.found);
        self.missing.extend(other.missing);
    }
}
