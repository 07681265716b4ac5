//! Expires answers: the runs of a sender are deleted once its last answer is older than answers are kept. A
//! rejection has no time, so the table `days` has the number of the next segment as of each day. Age is
//! counted in recorded days: a clock that jumps adds one day, however far it jumps.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::writer::{Durability, Writer};
use crate::journal::{form::error::store, store::JournalError};

/// Maximum number of senders that one step looks at.
const STEP_SENDERS: i64 = 64;

/// The key of a watchlist, the account and the client: the senders are looked at in this order.
type SenderKey = (i64, Vec<u8>, Vec<u8>);

/// Which answers expire, and how far the senders have been looked at.
pub(super) struct Expiry {
    /// Number of the first segment whose answers are kept.
    first_kept: i64,
    /// Senders with answers that are not folded yet: they are recent.
    recent: HashSet<SenderKey>,
    after: SenderKey,
}

impl Writer {
    /// Records the number of the next segment for a day, and returns what expires if the answers of a number
    /// of recorded days are kept: nothing if the day is recorded already.
    pub(super) fn start_expiry(
        &mut self,
        today: i64,
        kept_days: u32,
    ) -> Result<Option<Expiry>, JournalError> {
        let next_seq = self.state().next_seq;
        let first_kept: Option<i64> = self.transaction(Durability::WithTheNext, |connection| {
            let recorded = connection
                .execute("INSERT OR IGNORE INTO days (day, seq) VALUES (?, ?)", [today, next_seq])
                .map_err(store)?;
            if recorded == 0 {
                return Ok(None);
            }
            let first_kept = connection
                .query_row(
                    "SELECT seq FROM days ORDER BY seq DESC, day DESC LIMIT 1 OFFSET ?",
                    [kept_days],
                    |row| row.get(0),
                )
                .optional()
                .map_err(store)?;
            connection
                .execute(
                    "DELETE FROM days WHERE day NOT IN
                     (SELECT day FROM days ORDER BY seq DESC, day DESC LIMIT ? + 1)",
                    [kept_days],
                )
                .map_err(store)?;
            Ok(first_kept)
        })?;
        let Some(first_kept) = first_kept else { return Ok(None) };
        let state = self.state();
        let recent = state.tail().flat_map(|(id, segment)| {
            let key = state.list(id).map_or(0, |list| list.key);
            segment.index.answers.iter().map(move |(sender, _)| {
                (key, sender.user.0.as_bytes().to_vec(), sender.client.0.as_bytes().to_vec())
            })
        });
        Ok(Some(Expiry { first_kept, recent: recent.collect(), after: SenderKey::default() }))
    }

    /// Deletes the expired answers of some senders. Returns where the next step continues, or `None` after
    /// the last sender.
    pub(super) fn expire_step(&mut self, expiry: Expiry) -> Result<Option<Expiry>, JournalError> {
        let Expiry { first_kept, recent, after } = expiry;
        let next = self.transaction(Durability::WithTheNext, |connection| {
            let senders = senders_after(connection, &after)?;
            for (sender, last) in &senders {
                if *last < first_kept && !recent.contains(sender) {
                    let (list, user, client) = sender;
                    connection
                        .prepare_cached("DELETE FROM runs WHERE watchlist = ? AND user = ? AND client = ?")
                        .and_then(|mut delete| delete.execute(params![list, user, client]))
                        .map_err(store)?;
                }
            }
            Ok(senders.into_iter().next_back().map(|(sender, _)| sender))
        })?;
        self.may_shrink |= next.is_none();
        Ok(next.map(|after| Expiry { first_kept, recent, after }))
    }
}

/// Returns the next senders, each with the number of the last segment that has an answer to it.
fn senders_after(
    connection: &Connection,
    (list, user, client): &SenderKey,
) -> Result<Vec<(SenderKey, i64)>, JournalError> {
    let mut select = connection
        .prepare_cached(
            "SELECT watchlist, user, client, max(seq) FROM runs WHERE (watchlist, user, client) > (?, ?, ?)
             GROUP BY watchlist, user, client ORDER BY watchlist, user, client LIMIT ?",
        )
        .map_err(store)?;
    let senders = select.query_map(params![list, user, client, STEP_SENDERS], |row| {
        Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?))
    });
    senders.and_then(Iterator::collect).map_err(store)
}
