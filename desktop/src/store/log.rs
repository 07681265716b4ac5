//! The changes of a watchlist that a window reads: who changed what, when, from what to what.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shared::{
    column::ColumnKey,
    edit::{Change, Commit},
    ids::{RequestId, Revision, RowId, UserId, WatchlistId},
    time::Timestamp,
    value::Literal,
    wire::client,
};

use super::history::Asked;

/// Commits of one answer.
const PAGE: u32 = 100;

/// Which changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Of which watchlist.
    pub watchlist: WatchlistId,
    /// Only of this row.
    pub row: Option<RowId>,
    /// Only of this column.
    pub column: Option<ColumnKey>,
    /// Only by this account.
    pub user: Option<UserId>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The commit that it came with.
    pub revision: Revision,
    /// Who made it.
    pub by: Arc<str>,
    /// When it was accepted.
    pub at: Timestamp,
    /// What it did.
    pub what: What,
}

/// What a change did.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A cell was set.
    Cell {
        /// Its row.
        row: RowId,
        /// Its column.
        column: ColumnKey,
        /// What was there, where that is known.
        from: Option<Literal>,
        /// What was put there.
        to: Literal,
    },
    /// A row was added, with so many filled cells.
    Inserted(RowId, usize),
    /// A row was moved.
    Moved(RowId),
    /// A row was removed.
    Removed(RowId),
    /// Something of a column, in words behind its key.
    Column(ColumnKey, &'static str),
    /// The watchlist was given this name.
    Renamed(Arc<str>),
}

/// The changes that a window reads, newest first.
#[derive(Clone, Debug)]
pub struct Log {
    /// Which they are.
    pub query: LogQuery,
    /// How it stands with the last question.
    pub asked: Asked,
    /// The changes that are here.
    pub entries: Vec<Entry>,
    /// Whether there are older ones.
    pub has_more: bool,
    /// Whether there are newer ones.
    pub is_old: bool,
    /// Who has made changes so far, whatever is asked for: the accounts to choose from.
    pub people: BTreeMap<UserId, Arc<str>>,
    /// What the last question went on from.
    before: Option<Revision>,
    /// When the newest ones were asked for.
    pub(super) asked_at: Duration,
}

impl Log {
    /// Nothing is here yet.
    pub fn new(query: LogQuery, people: BTreeMap<UserId, Arc<str>>) -> Self {
        Self {
            query,
            asked: Asked::Offline,
            entries: Vec::new(),
            has_more: false,
            is_old: false,
            people,
            before: None,
            asked_at: Duration::ZERO,
        }
    }

    /// The question for the newest changes, or for those behind the last that is here.
    pub fn ask(&mut self, older: bool) -> client::History {
        self.before = self.entries.last().map(|entry| entry.revision).filter(|_| older);
        self.is_old &= older;
        let LogQuery { watchlist, row, column, user } = self.query.clone();
        let request = RequestId(0);
        client::History { request, watchlist, row, column, before: self.before, limit: Some(PAGE), user }
    }

    /// Takes an answer.
    pub fn take(&mut self, commits: &[Commit]) {
        if self.before.is_none() {
            self.entries.clear();
        }
        // An answer may be cut short, so only an empty one is the last.
        self.has_more = !commits.is_empty();
        self.asked = Asked::Answered;
        for commit in commits {
            self.people.insert(commit.by.user, commit.by.name.clone());
            // Within a commit, too, the last change stands first.
            for change in commit.changes.iter().rev() {
                if change.is_about(self.query.row, self.query.column.as_ref()) {
                    let (revision, by, at) = (commit.revision, commit.by.name.clone(), commit.at);
                    self.entries.push(Entry { revision, by, at, what: what(change) });
                }
            }
        }
    }

    /// Nothing of what is here may be so any longer.
    pub(super) fn begin_anew(&mut self) {
        self.entries.clear();
        (self.has_more, self.before, self.asked, self.is_old) = (false, None, Asked::Offline, false);
        self.asked_at = Duration::ZERO;
    }

    /// Whether it goes further back than the newest changes.
    pub fn is_older(&self) -> bool {
        self.before.is_some()
    }

    /// Whether it waits for this answer.
    pub(super) fn waits_for(&self, request: RequestId) -> bool {
        self.asked == Asked::Waiting(request)
    }
}

fn what(change: &Change) -> What {
    match change {
        Change::Set(set) => What::Cell {
            row: set.row,
            column: set.column.clone(),
            from: set.was.clone(),
            to: set.value.clone(),
        },
        Change::Insert(insert) => What::Inserted(insert.row, insert.cells.len()),
        Change::Move(moved) => What::Moved(moved.row),
        Change::Remove(remove) => What::Removed(remove.row),
        Change::AddColumn(add) => What::Column(add.key.clone(), "was added"),
        Change::SetColumn(set) => What::Column(set.key.clone(), "was changed"),
        Change::RemoveColumn(named) => What::Column(named.key.clone(), "was removed"),
        Change::RestoreColumn(named) => What::Column(named.key.clone(), "was brought back"),
        Change::Rename(rename) => What::Renamed(rename.name.clone()),
    }
}
