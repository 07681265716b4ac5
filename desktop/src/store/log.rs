//! The changes of a watchlist that a window reads: who changed what, when, from what to what.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

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

impl LogQuery {
    /// Whether everything that it asks for is part of what another asks for.
    fn is_within(&self, other: &Self) -> bool {
        self.watchlist == other.watchlist
            && (other.row.is_none() || self.row == other.row)
            && (other.column.is_none() || self.column == other.column)
            && (other.user.is_none() || self.user == other.user)
    }

    fn takes(&self, entry: &Entry) -> bool {
        self.user.is_none_or(|user| entry.user == user)
            && entry.change.is_about(self.row, self.column.as_ref())
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The commit that it came with.
    pub revision: Revision,
    /// The account that made it.
    pub user: UserId,
    /// Who made it.
    pub by: Arc<str>,
    /// When it was accepted.
    pub at: Timestamp,
    /// What it did; of a set cell with what was there, where that is known.
    pub change: Change,
}

/// The changes that a window reads, newest first.
#[derive(Clone, Debug)]
pub struct Log {
    /// Which they are.
    pub query: LogQuery,
    /// How it stands with the last question.
    pub asked: Asked,
    entries: Vec<Entry>,
    /// Whether there are older ones.
    pub has_more: bool,
    /// Whether there are newer ones.
    pub is_old: bool,
    /// Who has made changes so far, whatever is asked for: the accounts to choose from.
    pub people: BTreeMap<UserId, Arc<str>>,
    /// What the cells of each row were last seen to hold, in what is here.
    last: HashMap<RowId, BTreeMap<ColumnKey, Literal>>,
    /// What the last question went on from.
    before: Option<Revision>,
    /// When the newest ones were asked for.
    pub(super) asked_at: Duration,
}

impl Log {
    /// Nothing is here yet.
    pub fn new(query: LogQuery) -> Self {
        Self {
            query,
            asked: Asked::Offline,
            entries: Vec::new(),
            has_more: false,
            is_old: false,
            people: BTreeMap::new(),
            last: HashMap::new(),
            before: None,
            asked_at: Duration::ZERO,
        }
    }

    /// Reads others from here on. What is here of them stays until the answer comes.
    pub(super) fn turn(self, query: LogQuery) -> Self {
        let mut next = Self::new(query);
        if next.query.watchlist == self.query.watchlist {
            next.people = self.people;
        }
        if next.query.is_within(&self.query) {
            next.entries = self.entries;
            next.entries.retain(|entry| next.query.takes(entry));
            next.see(0);
        }
        next
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
            self.last.clear();
        }
        let here = self.entries.len();
        // An answer may be cut short, so only an empty one is the last.
        self.has_more = !commits.is_empty();
        self.asked = Asked::Answered;
        for Commit { revision, by, at, changes } in commits {
            self.people.insert(by.user, by.name.clone());
            // Within a commit, too, the last change stands first.
            let about = |change: &&Change| change.is_about(self.query.row, self.query.column.as_ref());
            self.entries.extend(changes.iter().rev().filter(about).map(|change| Entry {
                revision: *revision,
                user: by.user,
                by: by.name.clone(),
                at: *at,
                change: change.clone(),
            }));
        }
        self.see(here);
    }

    /// Notes what the entries from an index on say of the cells; those before them are newer.
    fn see(&mut self, from: usize) {
        for entry in &self.entries[from..] {
            let mut note = |row, column: &ColumnKey, value: &Literal| {
                let cells = self.last.entry(row).or_default();
                cells.entry(column.clone()).or_insert_with(|| value.clone());
            };
            match &entry.change {
                Change::Set(set) => note(set.row, &set.column, &set.value),
                Change::Insert(insert) => {
                    insert.cells.iter().for_each(|(column, value)| note(insert.row, column, value));
                }
                _ => {}
            }
        }
    }

    /// Nothing of what is here may be so any longer.
    pub(super) fn begin_anew(&mut self) {
        self.entries.clear();
        self.last.clear();
        (self.has_more, self.before, self.asked, self.is_old) = (false, None, Asked::Offline, false);
        self.asked_at = Duration::ZERO;
    }

    /// The changes that are here, newest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether it goes further back than the newest changes.
    pub fn is_older(&self) -> bool {
        self.before.is_some()
    }

    /// What a cell was last seen to hold, in what is here.
    pub fn last_value(&self, row: RowId, column: &ColumnKey) -> Option<&Literal> {
        self.last.get(&row)?.get(column)
    }

    /// The name that the watchlist had before the entry at an index gave it another, where what stands between is here.
    pub fn name_before(&self, index: usize) -> Option<&str> {
        if self.query.user.is_some() {
            return None;
        }
        self.entries.iter().skip(index + 1).find_map(|entry| match &entry.change {
            Change::Rename(rename) => Some(&*rename.name),
            _ => None,
        })
    }

    /// The change that brings back the row which the entry at an index removed, where all that was ever put into it is
    /// here.
    pub fn bring_back(&self, index: usize) -> Option<Change> {
        let Change::Remove(removed) = &self.entries.get(index)?.change else { return None };
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
