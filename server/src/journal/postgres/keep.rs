//! Saves snapshots, and removes what is no longer kept, in statements of limited size.

use shared::{
    ids::WatchlistId,
    limits::MAX_KEPT_ANSWERS,
    time::{MILLIS_PER_DAY, Timestamp},
};
use uuid::Uuid;

use super::{
    connections::{Connections, Lease, Use},
    read::NEWEST_WHOLE,
};
use crate::journal::{
    form::{codec::stored, part::EncodedPart},
    record::{Retention, StoredPart},
    store::JournalError,
};

/// Maximum number of segments that one statement deletes.
const STEP_SEGMENTS: i64 = 256;
/// Maximum number of answers, or of records of an erased watchlist, that one statement deletes.
const STEP_RECORDS: i64 = 2_000;

/// See [`Journal::save_part`](crate::journal::Journal::save_part).
pub(super) async fn save_part(
    connections: &Connections,
    id: WatchlistId,
    part: StoredPart,
) -> Result<(), JournalError> {
    let part = EncodedPart::new(id, &part);
    let lease = connections.lease(Use::Keep).await?;
    write_part(&lease, id, &part).await?;
    if part.is_last() {
        let delete =
            format!("DELETE FROM afterglow.snapshots WHERE watchlist = $1 AND revision < ({NEWEST_WHOLE})");
        lease.execute(&delete, &[&id.0]).await?;
    }
    Ok(())
}

/// Writes a part of a snapshot, and replaces one that an interrupted snapshot left.
pub(super) async fn write_part(
    lease: &Lease,
    id: WatchlistId,
    part: &EncodedPart,
) -> Result<(), JournalError> {
    let insert = "INSERT INTO afterglow.snapshots (watchlist, revision, part, parts, data, checksum)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (watchlist, revision, part) DO UPDATE SET parts = $4, data = $5, checksum = $6";
    let EncodedPart { revision, part: number, parts, data, sum } = part;
    lease.execute(insert, &[&id.0, revision, number, parts, data, sum]).await.map(drop)
}

/// See [`Journal::purge`](crate::journal::Journal::purge).
pub(super) async fn purge(
    connections: &Connections,
    before: Timestamp,
) -> Result<Vec<WatchlistId>, JournalError> {
    let lease = connections.lease(Use::Keep).await?;
    let purge = "WITH due AS (DELETE FROM afterglow.watchlists WHERE deleted_at < $1 RETURNING id),
        erased AS (INSERT INTO afterglow.erased SELECT id FROM due)
        SELECT id FROM due";
    let rows = lease.query(purge, &[&before.as_millis()]).await?;
    let purged: Vec<WatchlistId> = rows.iter().map(|row| WatchlistId(row.get(0))).collect();
    if !purged.is_empty() {
        erase_all(&lease).await?;
    }
    Ok(purged)
}

/// Erases the records of watchlists that a server had begun to erase.
pub(super) async fn finish_erasing(connections: &Connections) -> Result<(), JournalError> {
    erase_all(&connections.lease(Use::Keep).await?).await
}

async fn erase_all(lease: &Lease) -> Result<(), JournalError> {
    for row in lease.query("SELECT watchlist FROM afterglow.erased", &[]).await? {
        let id: Uuid = row.get(0);
        erase(lease, id).await?;
        lease.execute("DELETE FROM afterglow.erased WHERE watchlist = $1", &[&id]).await?;
    }
    Ok(())
}

/// Erases everything of a watchlist but its record.
pub(super) async fn erase(lease: &Lease, id: Uuid) -> Result<(), JournalError> {
    for table in ["log", "answers", "snapshots"] {
        // A watchlist is in one partition of a table, so that `ctid` is unique.
        let delete = format!(
            "DELETE FROM afterglow.{table} WHERE watchlist = $1 AND ctid = ANY (ARRAY(
                 SELECT ctid FROM afterglow.{table} WHERE watchlist = $1 LIMIT $2))"
        );
        while lease.execute(&delete, &[&id, &STEP_RECORDS]).await? > 0 {}
    }
    Ok(())
}

/// See [`Journal::prune`](crate::journal::Journal::prune).
pub(super) async fn prune(
    connections: &Connections,
    id: WatchlistId,
    retention: Retention,
) -> Result<(), JournalError> {
    let lease = connections.lease(Use::Keep).await?;
    let list = lease.query_one("SELECT revision FROM afterglow.watchlists WHERE id = $1", &[&id.0]).await?;
    let Some(head) = list.map(|row| row.get::<_, i64>(0)) else { return Ok(()) };
    let row = lease.query_one(NEWEST_WHOLE, &[&id.0]).await?;
    let Some(snapshot) = row.and_then(|row| row.get::<_, Option<i64>>(0)) else { return Ok(()) };
    let beyond = head.saturating_sub(stored(retention.commits));
    let delete = "
        WITH list AS (
            SELECT bytes FROM afterglow.watchlists WHERE id = $1
        ), oldest AS (
            SELECT last, at, sum(length(data)) OVER (ORDER BY last) - length(data) AS earlier
            FROM (SELECT last, at, data FROM afterglow.log WHERE watchlist = $1 AND last < $2
                  ORDER BY last LIMIT $6) AS segments
        ), deleted AS (
            DELETE FROM afterglow.log USING oldest, list
            WHERE log.watchlist = $1 AND log.last = oldest.last
                AND (oldest.at < $3 OR oldest.last <= $4 OR list.bytes - oldest.earlier > $5)
            RETURNING length(log.data) AS size
        ), updated AS (
            UPDATE afterglow.watchlists SET bytes = bytes - coalesce((SELECT sum(size) FROM deleted), 0)::int8
            WHERE id = $1
        )
        SELECT count(*) FROM deleted";
    let (before, most) = (retention.before.as_millis(), stored(retention.bytes));
    loop {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&id.0, &snapshot, &before, &beyond, &most, &STEP_SEGMENTS];
        let deleted = lease.query_one(delete, &parameters).await?.map_or(0, |row| row.get::<_, i64>(0));
        if deleted < STEP_SEGMENTS {
            break;
        }
    }
    drop_old_answers(&lease, id).await
}

/// Deletes the answers of each sender that are too many.
async fn drop_old_answers(lease: &Lease, id: WatchlistId) -> Result<(), JournalError> {
    let kept = stored(MAX_KEPT_ANSWERS as u64);
    let senders = "SELECT account, client FROM afterglow.answers WHERE watchlist = $1
        GROUP BY account, client HAVING count(*) > $2";
    // By edit, the last column of the key: a step reads no more than it deletes and what is kept.
    let delete = "DELETE FROM afterglow.answers
        WHERE watchlist = $1 AND account = $2 AND client = $3 AND edit = ANY (ARRAY(
            SELECT edit FROM afterglow.answers WHERE watchlist = $1 AND account = $2 AND client = $3
            ORDER BY edit DESC OFFSET $4 LIMIT $5))";
    for sender in lease.query(senders, &[&id.0, &kept]).await? {
        let (account, client): (Uuid, Uuid) = (sender.get(0), sender.get(1));
        while lease.execute(delete, &[&id.0, &account, &client, &kept, &STEP_RECORDS]).await? > 0 {}
    }
    Ok(())
}

/// See [`Journal::expire_answers`](crate::journal::Journal::expire_answers). An answer has the number of days
/// that were recorded before it.
pub(super) async fn expire_answers(
    connections: &Connections,
    now: Timestamp,
    days: u32,
) -> Result<(), JournalError> {
    let lease = connections.lease(Use::Keep).await?;
    let today = now.as_millis().div_euclid(MILLIS_PER_DAY);
    let record = "INSERT INTO afterglow.days (number, day)
        SELECT coalesce(max(number), 0) + 1, $1 FROM afterglow.days
        ON CONFLICT (day) DO NOTHING RETURNING number";
    let Some(row) = lease.query_one(record, &[&today]).await? else { return Ok(()) };
    let first_kept = row.get::<_, i64>(0) - i64::from(days);
    // A day that is repeated later counts again.
    lease.execute("DELETE FROM afterglow.days WHERE number < $1", &[&first_kept]).await?;
    let delete = "
        DELETE FROM afterglow.answers USING (
            SELECT watchlist, account, client FROM afterglow.answers
            GROUP BY watchlist, account, client HAVING max(day) < $1 LIMIT $2) AS old
        WHERE answers.watchlist = old.watchlist AND answers.account = old.account
            AND answers.client = old.client";
    while lease.execute(delete, &[&first_kept, &(STEP_RECORDS / 32)]).await? > 0 {}
    Ok(())
}
