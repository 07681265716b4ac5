//! Expires answers: the runs of a sender are deleted once its last answer is older than answers are kept. A rejection has no
//! time, so the table `days` has the number of the next segment as of each day.

use rusqlite::{Connection, params};

use super::{
    error::store,
    writer::{Durability, Writer},
};
use crate::journal::store::JournalError;

/// Maximum number of senders that one step looks at.
const STEP_SENDERS: i64 = 64;

/// The key of a watchlist, the account and the client: the senders are looked at in this order.
type SenderKey = (i64, [u8; 16], [u8; 16]);

/// Which answers expire, and how far the senders have been looked at.
pub(super) struct Expiry {
    /// Number of the first segment whose answers are kept.
    first_kept: i64,
    after: SenderKey,
}

impl Writer {
    /// Records the number of the next segment for a day, and returns what expires if everything is kept that was
    /// written since the beginning of the day `kept_since`. Days are counted from 1970.
    pub(super) fn start_expiry(
        &mut self,
        today: i64,
        kept_since: i64,
    ) -> Result<Option<Expiry>, JournalError> {
        let next_seq = self.state().next_seq;
        let first_kept = self.transaction(Durability::WithTheNext, |connection| {
            connection
                .execute("INSERT OR IGNORE INTO days (day, seq) VALUES (?, ?)", [today, next_seq])
                .map_err(store)?;
            let first_kept: Option<i64> = connection
                .query_row("SELECT max(seq) FROM days WHERE day <= ?", [kept_since], |row| row.get(0))
                .map_err(store)?;
            connection
                .execute("DELETE FROM days WHERE day <= ? AND seq < ?", params![kept_since, first_kept])
                .map_err(store)?;
            Ok(first_kept)
        })?;
        Ok(first_kept.map(|first_kept| Expiry { first_kept, after: SenderKey::default() }))
    }

    /// Deletes the expired answers of some senders. Returns how to go on unless these were the last.
    pub(super) fn expire_step(&mut self, expiry: Expiry) -> Result<Option<Expiry>, JournalError> {
        let Expiry { first_kept, after } = expiry;
        let next = self.transaction(Durability::WithTheNext, |connection| {
            let senders = senders_after(connection, after)?;
            for ((list, user, client), last) in &senders {
                if *last < first_kept {
                    connection
                        .prepare_cached("DELETE FROM runs WHERE watchlist = ? AND user = ? AND client = ?")
                        .and_then(|mut delete| delete.execute(params![list, user, client]))
                        .map_err(store)?;
                }
            }
            Ok(senders.last().map(|(sender, _)| *sender))
        })?;
        self.may_shrink |= next.is_none();
        Ok(next.map(|after| Expiry { first_kept, after }))
    }
}

/// Returns the next senders, each with the number of the last segment that has an answer to it.
fn senders_after(
    connection: &Connection,
    (list, user, client): SenderKey,
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
