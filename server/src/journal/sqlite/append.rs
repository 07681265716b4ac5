//! Appends batches of several watchlists to the log in one transaction. A batch whose watchlist is not as its
//! writer expects is refused alone.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, ErrorCode, params};
use shared::ids::{Revision, WatchlistId};
use tokio::sync::oneshot;
use tracing::error;

use super::{
    open::load_state,
    state::{State, TailSegment},
    writer::{Durability, Writer},
};
use crate::journal::{
    form::{
        codec::stored,
        error::store,
        segment::{NewSegment, Place, segment_sum},
    },
    store::JournalError,
};

/// A batch to be appended.
pub(super) struct Append {
    pub(super) id: WatchlistId,
    /// Revision of the watchlist before the batch.
    pub(super) expected: Revision,
    /// Name of the watchlist after the batch.
    pub(super) name: Arc<str>,
    /// Number of rows after the batch.
    pub(super) rows: usize,
    pub(super) segments: Vec<NewSegment>,
    pub(super) reply: oneshot::Sender<Result<(), JournalError>>,
}

impl Append {
    /// Returns the size of the encoded batch.
    pub(super) fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.data.len()).sum()
    }
}

/// What the watchlists are like within a transaction.
#[derive(Default)]
struct Heads(HashMap<WatchlistId, Revision>);

impl Heads {
    /// Checks that a watchlist is not deleted and has the revision that a batch expects. Returns its key.
    fn check(&self, state: &State, append: &Append) -> Result<i64, JournalError> {
        let Append { id, expected, .. } = append;
        let refused = |why: String| Err(JournalError::Refused(format!("watchlist {id} {why}")));
        let Some(list) = state.list(*id) else { return refused("does not exist".to_owned()) };
        if list.deleted_at.is_some() {
            return refused("is deleted".to_owned());
        }
        let revision = self.0.get(id).copied().unwrap_or(list.revision);
        if revision != *expected {
            return refused(format!(
                "is at revision {revision} instead of {expected}: another process has written it"
            ));
        }
        Ok(list.key)
    }
}

impl Writer {
    /// Writes batches in one transaction, and answers each. Returns whether they are written.
    pub(super) fn append_all(&mut self, appends: Vec<Append>) -> bool {
        let (mut heads, mut next_seq) = (Heads::default(), 0);
        let (mut accepted, mut refused) = (Vec::new(), Vec::new());
        {
            let state = self.state();
            next_seq += state.next_seq;
            for append in appends {
                match heads.check(&state, &append) {
                    Ok(key) => {
                        let last = append.segments.last().map_or(append.expected, |last| last.last);
                        heads.0.insert(append.id, last);
                        accepted.push((append, key));
                    }
                    Err(error) => refused.push((append.reply, error)),
                }
            }
        }
        let is_written = self.append_accepted(accepted, next_seq);
        // A caller that is gone needs no answer. The others find what was written instead of their batches.
        refused.into_iter().for_each(|(reply, error)| drop(reply.send(Err(error))));
        is_written
    }

    fn append_accepted(&mut self, accepted: Vec<(Append, i64)>, mut next_seq: i64) -> bool {
        if accepted.is_empty() {
            return false;
        }
        let written =
            self.transaction(Durability::Synced, |connection| insert_all(connection, &accepted, next_seq));
        let is_written = written.is_ok();
        self.set_failing(!is_written);
        match written {
            Ok(()) => {
                let mut replies = Vec::with_capacity(accepted.len());
                {
                    let mut state = self.state();
                    for (append, _) in accepted {
                        replies.push(append.reply);
                        if let Some(list) = state.list_mut(append.id) {
                            (list.name, list.rows) = (append.name, append.rows);
                        }
                        for NewSegment { before, last, index, .. } in append.segments {
                            let place = Place { seq: next_seq, before, last };
                            next_seq += 1;
                            state.push(append.id, Arc::new(TailSegment { place, index }));
                        }
                    }
                }
                replies.into_iter().for_each(|reply| drop(reply.send(Ok(()))));
            }
            Err(error) => self.fail(accepted, error),
        }
        is_written
    }

    /// Answers batches that could not be written.
    fn fail(&mut self, appends: Vec<(Append, i64)>, error: JournalError) {
        if is_conflict(&error) {
            // The rooms read the state of the journal again, so it has to be known here first.
            match load_state(&self.connection) {
                Ok(loaded) => {
                    *self.state() = loaded.state;
                    self.restart_folding();
                }
                Err(error) => {
                    error!(error = &error as &dyn std::error::Error, "failed to read the journal again");
                }
            }
        }
        let cause = Arc::new(error);
        for (append, _) in appends {
            drop(append.reply.send(Err(store(cause.clone()))));
        }
    }
}

/// Whether another process has written the log.
fn is_conflict(error: &JournalError) -> bool {
    let JournalError::Store(source) = error else { return false };
    let error = source.downcast_ref::<rusqlite::Error>();
    error.and_then(rusqlite::Error::sqlite_error_code) == Some(ErrorCode::ConstraintViolation)
}

fn insert_all(connection: &Connection, appends: &[(Append, i64)], mut seq: i64) -> Result<(), JournalError> {
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO log (seq, watchlist, before, last, data, checksum) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .map_err(store)?;
    for (append, key) in appends {
        for NewSegment { before, last, data, .. } in &append.segments {
            let place = Place { seq, before: *before, last: *last };
            let sum = segment_sum(append.id, place, data);
            insert.execute(params![seq, key, stored(before.0), stored(last.0), data, sum]).map_err(store)?;
            seq += 1;
        }
    }
    Ok(())
}
