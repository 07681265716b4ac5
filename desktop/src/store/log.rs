//! The history of a watchlist as a window shows it: who changed what, when, from which value to which.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use shared::{
    column::ColumnKey,
    edit::{Change, Commit, Remove, RemovedRow},
    ids::{RequestId, Revision, RowId, UserId, WatchlistId},
    time::Timestamp,
    value::Literal,
    wire::client,
};

use super::history::RequestState;

/// Number of commits per request.
const PAGE: u32 = 100;

/// Selects the changes of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// The watchlist whose changes are requested.
    pub watchlist: WatchlistId,
    /// Selects only changes of this row.
    pub row: Option<RowId>,
    /// Selects only changes of this column.
    pub column: Option<ColumnKey>,
    /// Selects only changes by this account.
    pub user: Option<UserId>,
}

impl LogQuery {
    /// Returns whether every change that it selects is also selected by `other`.
    fn is_within(&self, other: &Self) -> bool {
        self.watchlist == other.watchlist
            && (other.row.is_none() || self.row == other.row)
            && (other.column.is_none() || self.column == other.column)
            && (other.user.is_none() || self.user == other.user)
    }

    fn matches(&self, entry: &Entry) -> bool {
        self.user.is_none_or(|user| entry.user == user)
            && entry.change.affects(self.row, self.column.as_ref())
    }
}

/// One change of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Revision of its commit.
    pub revision: Revision,
    /// Account that made it.
    pub user: UserId,
    /// Name of that account.
    pub by: Arc<str>,
    /// When the server accepted it.
    pub at: Timestamp,
    /// The change; a set cell includes the previous value, if known.
    pub change: Change,
}

/// The loaded part of a history, newest first.
#[derive(Clone, Debug)]
pub struct Log {
    /// Selects the changes.
    pub query: LogQuery,
    /// State of the last request.
    pub request: RequestState,
    entries: Vec<Entry>,
    /// The entries of each edit.
    edits: Vec<Range<usize>>,
    /// Whether the server may have older changes.
    pub has_older: bool,
    /// Whether the server has newer changes.
    pub is_stale: bool,
    /// Accounts seen in any answer, for the filter by person.
    pub people: BTreeMap<UserId, Arc<str>>,
    /// Latest value of each cell in the loaded changes.
    last: HashMap<RowId, BTreeMap<ColumnKey, Literal>>,
    /// Revision before which the last request asked for changes.
    before: Option<Revision>,
    /// Revision before which the server continues a search that it has ended early.
    continues: Option<Revision>,
    /// When the newest changes were last requested.
    pub(super) requested_at: Duration,
}

impl Log {
    /// Creates a history without entries.
    pub fn new(query: LogQuery) -> Self {
        Self {
            query,
            request: RequestState::Offline,
            entries: Vec::new(),
            edits: Vec::new(),
            has_older: false,
            is_stale: false,
            people: BTreeMap::new(),
            last: HashMap::new(),
            before: None,
            continues: None,
            requested_at: Duration::ZERO,
        }
    }

    /// Changes the query; loaded entries that match it stay until the answer arrives.
    pub(super) fn with_query(self, query: LogQuery) -> Self {
        let mut next = Self::new(query);
        if next.query.watchlist == self.query.watchlist {
            next.people = self.people;
        }
        if next.query.is_within(&self.query) {
            next.entries = self.entries;
            next.entries.retain(|entry| next.query.matches(entry));
            next.record_values(0);
        }
        next
    }

    /// Returns the request for the newest changes, or for those older than the last loaded entry.
    pub fn next_request(&mut self, older: bool) -> client::History {
        let oldest = self.continues.or_else(|| self.entries.last().map(|entry| entry.revision));
        self.before = oldest.filter(|_| older);
        self.is_stale &= older;
        let LogQuery { watchlist, row, column, user } = self.query.clone();
        let request = RequestId(0);
        client::History { request, watchlist, row, column, before: self.before, limit: Some(PAGE), user }
    }

    /// Adds the commits of an answer. `next` is the revision before which the server continues, if it says
    /// that it has more.
    pub fn add_page(&mut self, commits: &[Commit], next: Option<Revision>) {
        if self.before.is_none() {
            self.entries.clear();
            self.last.clear();
        }
        let here = self.entries.len();
        self.has_older = next.is_some();
        self.continues = next;
        self.request = RequestState::Answered;
        for Commit { revision, by, at, changes } in commits {
            self.people.insert(by.user, by.name.clone());
            // The changes of a commit are listed newest first, too.
            let about = |change: &&Change| change.affects(self.query.row, self.query.column.as_ref());
            self.entries.extend(changes.iter().rev().filter(about).map(|change| Entry {
                revision: *revision,
                user: by.user,
                by: by.name.clone(),
                at: *at,
                change: change.clone(),
            }));
        }
        self.record_values(here);
    }

    /// Records the edits, and the cell values of the entries from an index on; entries before it are newer
    /// and take precedence.
    fn record_values(&mut self, from: usize) {
        for entry in &self.entries[from..] {
            let mut note = |row, column: &ColumnKey, value: &Literal| {
                let cells = self.last.entry(row).or_default();
                // An undone row was emptied before it was removed.
                if *value != Literal::Empty {
                    cells.entry(column.clone()).or_insert_with(|| value.clone());
                }
            };
            match &entry.change {
                Change::Set(set) => note(set.row, &set.column, &set.value),
                Change::Insert(insert) => {
                    insert.cells.iter().for_each(|(column, value)| note(insert.row, column, value));
                }
                Change::Remove(Remove { row, was: Some(was), .. }) => {
                    was.cells.iter().for_each(|(column, value)| note(*row, column, value));
                }
                _ => {}
            }
        }
        let revisions = |one: &Entry, next: &Entry| one.revision == next.revision;
        let mut end = 0;
        let edits = self.entries.chunk_by(revisions).map(|edit| {
            end += edit.len();
            end - edit.len()..end
        });
        self.edits = edits.collect();
    }

    /// Drops all entries, which may belong to another history.
    pub(super) fn reset(&mut self) {
        self.entries.clear();
        self.edits.clear();
        self.last.clear();
        (self.has_older, self.before, self.request, self.is_stale) =
            (false, None, RequestState::Offline, false);
        self.continues = None;
        self.requested_at = Duration::ZERO;
    }

    /// Returns the loaded changes, newest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the indices of the entries of each loaded edit.
    pub fn edits(&self) -> &[Range<usize>] {
        &self.edits
    }

    /// Returns whether pages older than the newest one are loaded.
    pub fn shows_older(&self) -> bool {
        self.before.is_some()
    }

    /// Returns the latest value of a cell in the loaded changes that is not empty.
    pub fn last_value(&self, row: RowId, column: &ColumnKey) -> Option<&Literal> {
        self.last.get(&row)?.get(column)
    }

    /// Returns the name that the watchlist had before the rename at an index, if the previous rename is
    /// loaded.
    pub fn name_before(&self, index: usize) -> Option<&str> {
        if self.query.user.is_some() {
            return None;
        }
        self.entries.iter().skip(index + 1).find_map(|entry| match &entry.change {
            Change::Rename(rename) => Some(&*rename.name),
            _ => None,
        })
    }

    /// Returns the change that restores the row removed by the entry at an index, if the entry says what the
    /// row was or all its changes are loaded.
    pub fn restoring_change(&self, index: usize) -> Option<Change> {
        let Change::Remove(removed) = &self.entries.get(index)?.change else { return None };
        if let Some(RemovedRow { position: Some(position), cells }) = removed.was.as_deref() {
            return Some(Change::insert(removed.row, position, cells.clone()));
        }
        if self.query.column.is_some() || self.query.user.is_some() {
            return None;
        }
        let (mut cells, mut place) = (BTreeMap::new(), None);
        for entry in &self.entries[index + 1..] {
            match &entry.change {
                Change::Set(set) if set.row == removed.row => {
                    cells.entry(set.column.clone()).or_insert_with(|| set.value.clone());
                }
                Change::Move(moved) if moved.row == removed.row => {
                    place.get_or_insert_with(|| moved.position.clone());
                }
                Change::Insert(insert) if insert.row == removed.row => {
                    for (column, value) in &insert.cells {
                        cells.entry(column.clone()).or_insert_with(|| value.clone());
                    }
                    cells.retain(|_, value| *value != Literal::Empty);
                    let mut back = insert.clone();
                    (back.cells, back.position) = (cells, place.unwrap_or(back.position));
                    return Some(Change::Insert(back));
                }
                _ => {}
            }
        }
        None
    }
}
