//! Reads records, snapshots, commits and answers.

use shared::{
    edit::Commit,
    ids::{EditId, Epoch, Revision, WatchlistId},
    limits::MAX_KEPT_ANSWERS,
    time::Timestamp,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::connections::{Connections, Lease, Use};
use crate::journal::{
    form::{
        answer::{StoredAnswer, StoredVerdict, answer_sum},
        codec::stored,
        error::{damaged, verify},
        part::EncodedPart,
        segment::{Place, Segment, terms_of_filter, without_replaced},
    },
    record::{AnswerRecord, HistoryFilter, HistoryPage, ReadLimit, Record, Sender, StoredPart},
    store::JournalError,
};

/// Maximum number of segments that one statement reads.
pub(super) const SEGMENTS: i64 = 32;
/// Number of revisions that one read of a history looks through.
const WINDOW: u64 = 50_000;
/// Number of bytes after which one read of a history stops.
const HISTORY_BYTES: usize = 1 << 20;

/// Selects the revision of the newest complete snapshot of a watchlist.
pub(super) const NEWEST_WHOLE: &str = "SELECT max(revision) FROM (
    SELECT revision FROM afterglow.snapshots WHERE watchlist = $1
    GROUP BY revision HAVING count(*) = max(parts)) AS whole";

/// Returns a number that is not negative.
pub(super) fn number(stored: i64) -> Result<u64, JournalError> {
    u64::try_from(stored).map_err(|_negative| damaged(format!("the number {stored} is negative")))
}

pub(super) async fn watchlists(connections: &Connections) -> Result<Vec<Record>, JournalError> {
    let lease = connections.lease(Use::Read).await?;
    let select =
        "SELECT id, epoch, name, revision, rows, deleted_at FROM afterglow.watchlists ORDER BY number";
    lease.query(select, &[]).await?.iter().map(record).collect()
}

fn record(row: &Row) -> Result<Record, JournalError> {
    let id = WatchlistId(row.get(0));
    let name = String::from_utf8(row.get(2));
    Ok(Record {
        id,
        epoch: Epoch(row.get(1)),
        name: name.map_err(|_invalid| damaged(format!("the name of {id} is not UTF-8")))?.into(),
        revision: Revision(number(row.get(3))?),
        rows: usize::try_from(number(row.get(4))?).unwrap_or(usize::MAX),
        deleted_at: row.get::<_, Option<i64>>(5).map(Timestamp::from_millis),
    })
}

/// A snapshot that is being read, as it was when the read began.
pub(super) struct OpenSnapshot {
    lease: Lease,
    id: WatchlistId,
    revision: i64,
    /// Number of the next part.
    part: i64,
}

/// Opens the newest complete snapshot, if there is one.
pub(super) async fn open_snapshot(
    connections: &Connections,
    id: WatchlistId,
) -> Result<Option<OpenSnapshot>, JournalError> {
    let lease = connections.lease(Use::Load).await?;
    // If the read is dropped, its connection is closed, and the transaction with it.
    lease.discard();
    lease.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let row = lease.query_one(NEWEST_WHOLE, &[&id.0]).await?;
    match row.and_then(|row| row.get::<_, Option<i64>>(0)) {
        Some(revision) => Ok(Some(OpenSnapshot { lease, id, revision, part: 1 })),
        None => lease.end_transaction().await.map(|()| None),
    }
}

impl OpenSnapshot {
    /// Reads the next part, and returns what follows it.
    pub(super) async fn next(self) -> Result<Option<(StoredPart, Self)>, JournalError> {
        let Self { lease, id, revision, part } = self;
        let select = "SELECT parts, data, checksum FROM afterglow.snapshots
            WHERE watchlist = $1 AND revision = $2 AND part = $3";
        let Some(row) = lease.query_one(select, &[&id.0, &revision, &part]).await? else {
            return lease.end_transaction().await.map(|()| None);
        };
        let (parts, data, sum) = (row.get(0), row.get(1), row.get(2));
        let read = EncodedPart { revision, part, parts, data, sum }.decode(id)?;
        Ok(Some((read, Self { lease, id, revision, part: part + 1 })))
    }
}

/// Selects segments with commits after a revision, oldest first.
pub(super) const SEGMENTS_AFTER: &str = "SELECT before, last, data, checksum FROM afterglow.log
    WHERE watchlist = $1 AND last > $2 ORDER BY last LIMIT $3";

/// Reads a segment and verifies it. The row has before, last, data and checksum.
pub(super) fn read_segment(id: WatchlistId, row: &Row) -> Result<(Place, Segment, &[u8]), JournalError> {
    let (before, last) = (Revision(number(row.get(0))?), Revision(number(row.get(1))?));
    let (place, data) = (Place { seq: 0, before, last }, row.get::<_, &[u8]>(2));
    Ok((place, Segment::read(id, place, data, row.get(3))?, data))
}

fn segment(id: WatchlistId, row: &Row) -> Result<(Place, Vec<Commit>, usize), JournalError> {
    let (place, segment, data) = read_segment(id, row)?;
    Ok((place, segment.commits, data.len()))
}

/// See [`Journal::commits`](crate::journal::Journal::commits).
pub(super) async fn commits(
    connections: &Connections,
    id: WatchlistId,
    after: Revision,
    limit: ReadLimit,
) -> Result<Vec<Commit>, JournalError> {
    let lease = connections.lease(Use::Read).await?;
    let (mut commits, mut bytes, mut after) = (Vec::new(), 0, after);
    loop {
        let rows = lease.query(SEGMENTS_AFTER, &[&id.0, &stored(after.0), &SEGMENTS]).await?;
        for row in &rows {
            let (place, read, size) = segment(id, row)?;
            if place.before > after && !commits.is_empty() {
                return Err(damaged(format!("revision {} is missing", after.next())));
            }
            let share = size / read.len().max(1);
            for commit in read.into_iter().filter(|commit| commit.revision > after) {
                if commits.len() >= limit.commits || !commits.is_empty() && bytes >= limit.bytes {
                    return Ok(commits);
                }
                bytes += share;
                commits.push(without_replaced(commit));
            }
            after = place.last;
        }
        if rows.len() < usize::try_from(SEGMENTS).unwrap_or(0) {
            return Ok(commits);
        }
    }
}

/// See [`Journal::history`](crate::journal::Journal::history).
pub(super) async fn history(
    connections: &Connections,
    id: WatchlistId,
    filter: HistoryFilter,
) -> Result<HistoryPage, JournalError> {
    let lease = connections.lease(Use::Search).await?;
    let bounds = "SELECT min(before), max(last) FROM afterglow.log WHERE watchlist = $1";
    let bounds = lease.query_one(bounds, &[&id.0]).await?;
    let bounds = bounds.and_then(|row| Some((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)));
    let Some((first, head)) = bounds else { return Ok(HistoryPage::default()) };
    let (first, head) = (number(first)?, number(head)?);
    let mut before = filter.before.map_or(head + 1, |before| before.0.min(head + 1));
    // Everything after this revision is looked through.
    let end = before.saturating_sub(WINDOW).max(first);
    let terms: Vec<i32> = terms_of_filter(&filter).into_iter().map(u32::cast_signed).collect();
    let (mut page, mut bytes) = (HistoryPage::default(), 0);
    loop {
        let select = "SELECT before, last, data, checksum FROM afterglow.log
            WHERE watchlist = $1 AND before < $2 AND last > $3 AND terms @> $4
            ORDER BY last DESC LIMIT $5";
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&id.0, &(stored(before) - 1), &stored(end), &terms, &SEGMENTS];
        let rows = lease.query(select, &parameters).await?;
        for row in &rows {
            let (place, commits, size) = segment(id, row)?;
            bytes += size;
            let is_searched = |commit: &Commit| (end + 1..before).contains(&commit.revision.0);
            for commit in
                commits.into_iter().rev().filter(|commit| is_searched(commit) && filter.matches(commit))
            {
                if page.commits.len() == filter.limit {
                    page.next = page.commits.last().map(|last| last.revision);
                    return Ok(page);
                }
                page.commits.push(commit);
            }
            before = place.before.0.max(end) + 1;
            if bytes >= HISTORY_BYTES {
                page.next = (before > first + 1).then_some(Revision(before));
                return Ok(page);
            }
        }
        if rows.len() < usize::try_from(SEGMENTS).unwrap_or(0) {
            page.next = (end > first).then_some(Revision(end + 1));
            return Ok(page);
        }
    }
}

/// See [`Journal::answers`](crate::journal::Journal::answers).
pub(super) async fn answers(
    connections: &Connections,
    id: WatchlistId,
    sender: Sender,
) -> Result<Vec<AnswerRecord>, JournalError> {
    let lease = connections.lease(Use::Read).await?;
    let select = "SELECT edit, digest, revision, rejection, checksum FROM afterglow.answers
        WHERE watchlist = $1 AND account = $2 AND client = $3 ORDER BY edit DESC LIMIT $4";
    let (account, client, limit): (Uuid, Uuid, i64) =
        (sender.user.0, sender.client.0, stored(MAX_KEPT_ANSWERS as u64));
    let rows = lease.query(select, &[&id.0, &account, &client, &limit]).await?;
    rows.iter().rev().map(|row| answer(id, sender, row)).collect()
}

fn answer(id: WatchlistId, sender: Sender, row: &Row) -> Result<AnswerRecord, JournalError> {
    stored_answer(id, sender, row)?.decoded(sender)
}

/// Reads an answer and verifies it. The row has edit, digest, revision, rejection and checksum.
pub(super) fn stored_answer(
    id: WatchlistId,
    sender: Sender,
    row: &Row,
) -> Result<StoredAnswer, JournalError> {
    let edit = EditId(number(row.get(0))?);
    let name = || format!("the answer to edit {edit} of client {}", sender.client);
    let incomplete = || damaged(format!("{} is incomplete", name()));
    let digest = row.get::<_, &[u8]>(1).try_into().map_err(|_length| incomplete())?;
    let verdict = match (row.get::<_, Option<i64>>(2), row.get::<_, Option<&str>>(3)) {
        (Some(revision), None) => StoredVerdict::Accepted(Revision(number(revision)?)),
        (None, Some(json)) => StoredVerdict::Rejected(json.into()),
        (Some(_), Some(_)) | (None, None) => return Err(incomplete()),
    };
    let stored = StoredAnswer { edit, digest, verdict };
    verify(answer_sum(id, sender, &stored), row.get(4), name)?;
    Ok(stored)
}
