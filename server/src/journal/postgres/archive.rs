//! A whole journal in PostgreSQL, as the records that it consists of, while no server uses it.

use std::sync::Arc;

use shared::{
    ids::{ClientId, Revision, UserId, WatchlistId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    append::{Answers, Segments},
    connections::{Connections, Lease, Use},
    guardian::{Guardian, Reservation},
    keep::{erase, finish_erasing, write_part},
    read::{self, NEWEST_WHOLE, SEGMENTS, SEGMENTS_AFTER, number, read_segment, stored_answer},
    schema,
};
use crate::journal::{
    archive::Archive,
    form::{answer::StoredAnswer, codec::stored, part::EncodedPart, segment::NewSegment},
    record::{Record, Sender},
    store::{Answer, JournalError},
};

/// Number of senders whose answers are read at once.
const PAGE_SENDERS: i64 = 64;
/// Number of answers that one statement writes.
const STEP_ANSWERS: usize = 8_000;

/// A journal that is reserved for a copy.
pub(in crate::journal) struct PostgresArchive {
    connections: Arc<Connections>,
    guardian: Guardian,
}

impl PostgresArchive {
    /// Opens a journal that is copied into another.
    ///
    /// # Errors
    /// See [`PostgresJournal::open`](super::PostgresJournal::open); the database has no journal.
    pub(in crate::journal) async fn source(url: &str, target: &str) -> Result<Self, JournalError> {
        let connections = Arc::new(Connections::to(url)?);
        let guardian =
            Guardian::start(&connections, Reservation::Exclusive, schema::check(&connections, target))
                .await?;
        finish_erasing(&connections).await?;
        Ok(Self { connections, guardian })
    }

    /// Opens a journal without watchlists, or continues a copy of the same source.
    ///
    /// # Errors
    /// See [`PostgresJournal::open`](super::PostgresJournal::open); the database has another journal.
    pub(in crate::journal) async fn target(url: &str, source: &str) -> Result<Self, JournalError> {
        let connections = Arc::new(Connections::to(url)?);
        let guardian =
            Guardian::start(&connections, Reservation::Exclusive, schema::begin_copy(&connections, source))
                .await?;
        Ok(Self { connections, guardian })
    }

    /// Returns host, port and database.
    pub(in crate::journal) fn place(&self) -> &str {
        self.connections.place()
    }

    /// Marks the copy as complete: servers can use it.
    pub(in crate::journal) async fn complete(&self) -> Result<(), JournalError> {
        self.guardian.permission().check()?;
        schema::end_copy(&self.connections).await
    }

    /// Marks the journal as moved to another place: servers do not use it any more.
    pub(in crate::journal) async fn end_use(&self, target: &str) -> Result<(), JournalError> {
        self.guardian.permission().check()?;
        schema::end_use(&self.connections, target).await
    }

    /// Releases the journal.
    pub(in crate::journal) async fn close(&self) {
        self.guardian.close().await;
        self.connections.close();
    }

    /// Waits for a connection, unless a server has reserved the journal.
    async fn lease(&self, purpose: Use) -> Result<Lease, JournalError> {
        self.guardian.permission().check()?;
        self.connections.lease(purpose).await
    }

    async fn read_segments(&self, id: WatchlistId, after: Revision) -> Result<Vec<NewSegment>, JournalError> {
        let lease = self.lease(Use::Read).await?;
        let rows = lease.query(SEGMENTS_AFTER, &[&id.0, &stored(after.0), &SEGMENTS]).await?;
        let segment = |row| {
            let (place, segment, data) = read_segment(id, row)?;
            let index = segment.index(data.len());
            Ok(NewSegment { before: place.before, last: place.last, data: data.to_vec(), index })
        };
        rows.iter().map(segment).collect()
    }

    async fn read_answers(
        &self,
        id: WatchlistId,
        after: Option<Sender>,
    ) -> Result<Vec<(Sender, Vec<StoredAnswer>)>, JournalError> {
        let lease = self.lease(Use::Read).await?;
        let (account, client) =
            after.map_or((Uuid::nil(), Uuid::nil()), |after| (after.user.0, after.client.0));
        let condition = if after.is_some() { ">" } else { ">=" };
        let select = format!(
            "SELECT DISTINCT account, client FROM afterglow.answers
             WHERE watchlist = $1 AND (account, client) {condition} ($2, $3) ORDER BY account, client LIMIT $4"
        );
        let mut answers = Vec::new();
        for row in lease.query(&select, &[&id.0, &account, &client, &PAGE_SENDERS]).await? {
            let sender = Sender { user: UserId(row.get(0)), client: ClientId(row.get(1)) };
            let select = "SELECT edit, digest, revision, rejection, checksum FROM afterglow.answers
                WHERE watchlist = $1 AND account = $2 AND client = $3 ORDER BY edit";
            let rows = lease.query(select, &[&id.0, &sender.user.0, &sender.client.0]).await?;
            let list: Result<_, _> = rows.iter().map(|row| stored_answer(id, sender, row)).collect();
            answers.push((sender, list?));
        }
        Ok(answers)
    }

    async fn read_part(&self, id: WatchlistId, number: i64) -> Result<Option<EncodedPart>, JournalError> {
        let lease = self.lease(Use::Read).await?;
        let select = format!(
            "SELECT revision, parts, data, checksum FROM afterglow.snapshots
             WHERE watchlist = $1 AND part = $2 AND revision = ({NEWEST_WHOLE})"
        );
        let Some(row) = lease.query_one(&select, &[&id.0, &number]).await? else { return Ok(None) };
        let (revision, parts, data, sum) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let part = EncodedPart { revision, part: number, parts, data, sum };
        part.decode(id).map(|_valid| Some(part))
    }

    async fn add_list(&self, record: Record) -> Result<(), JournalError> {
        let Record { id, epoch, name, revision, rows, deleted_at } = record;
        let insert = "INSERT INTO afterglow.watchlists (id, epoch, name, revision, rows, deleted_at)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING";
        let lease = self.lease(Use::Keep).await?;
        let (revision, rows) = (stored(revision.0), stored(rows as u64));
        let (name, deleted_at) = (name.as_bytes(), deleted_at.map(Timestamp::as_millis));
        lease.execute(insert, &[&id.0, &epoch.0, &name, &revision, &rows, &deleted_at]).await.map(drop)
    }

    async fn reset_list(&self, record: Record) -> Result<(), JournalError> {
        let Record { id, epoch, name, revision, rows, deleted_at } = record;
        let lease = self.lease(Use::Keep).await?;
        erase(&lease, id.0).await?;
        let update = "UPDATE afterglow.watchlists
            SET epoch = $2, name = $3, revision = $4, rows = $5, deleted_at = $6, bytes = 0 WHERE id = $1";
        let (revision, rows) = (stored(revision.0), stored(rows as u64));
        let (name, deleted_at) = (name.as_bytes(), deleted_at.map(Timestamp::as_millis));
        lease.execute(update, &[&id.0, &epoch.0, &name, &revision, &rows, &deleted_at]).await.map(drop)
    }

    async fn remove_list(&self, id: WatchlistId) -> Result<(), JournalError> {
        let lease = self.lease(Use::Keep).await?;
        erase(&lease, id.0).await?;
        lease.execute("DELETE FROM afterglow.watchlists WHERE id = $1", &[&id.0]).await.map(drop)
    }

    async fn write_segments(&self, id: WatchlistId, segments: Vec<NewSegment>) -> Result<(), JournalError> {
        let mut columns = Segments::default();
        segments.iter().for_each(|segment| columns.push(id, segment));
        let insert = "WITH logged AS (
                INSERT INTO afterglow.log (watchlist, before, last, at, data, checksum, terms)
                SELECT $1, before, last, at, data, checksum, terms::int4[]
                FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::bytea[], $6::int8[], $7::text[])
                    AS segment (before, last, at, data, checksum, terms)
                RETURNING length(data) AS size)
            UPDATE afterglow.watchlists SET bytes = bytes + (SELECT sum(size) FROM logged)::int8 WHERE id = $1";
        let Segments { before, last, at, data, sums, terms, .. } = &columns;
        let lease = self.lease(Use::Keep).await?;
        lease.execute(insert, &[&id.0, before, last, at, data, sums, terms]).await.map(drop)
    }

    async fn write_answers(
        &self,
        id: WatchlistId,
        answers: Vec<(Sender, Vec<StoredAnswer>)>,
    ) -> Result<(), JournalError> {
        let lease = self.lease(Use::Keep).await?;
        let all: Vec<(Sender, &StoredAnswer)> =
            answers.iter().flat_map(|(sender, list)| list.iter().map(|answer| (*sender, answer))).collect();
        for step in all.chunks(STEP_ANSWERS) {
            let mut columns = Answers::default();
            step.iter().for_each(|(sender, answer)| columns.push(id, *sender, answer));
            let insert = "INSERT INTO afterglow.answers
                    (watchlist, account, client, edit, digest, revision, rejection, checksum, day)
                SELECT $1, account, client, edit, digest, revision, rejection, checksum,
                    (SELECT coalesce(max(number), 0) FROM afterglow.days)
                FROM unnest($2::uuid[], $3::uuid[], $4::int8[], $5::bytea[], $6::int8[], $7::text[], $8::int8[])
                    AS answer (account, client, edit, digest, revision, rejection, checksum)
                ON CONFLICT (watchlist, account, client, edit) DO NOTHING";
            let Answers { accounts, clients, edits, digests, revisions, rejections, sums, .. } = &columns;
            lease
                .execute(insert, &[&id.0, accounts, clients, edits, digests, revisions, rejections, sums])
                .await?;
        }
        Ok(())
    }

    async fn read_head(&self, id: WatchlistId) -> Result<Revision, JournalError> {
        let lease = self.lease(Use::Read).await?;
        let select = "SELECT coalesce(max(last), 0) FROM afterglow.log WHERE watchlist = $1";
        let row = lease.query_one(select, &[&id.0]).await?;
        row.map_or(Ok(Revision(0)), |row| number(row.get(0)).map(Revision))
    }
}

impl Archive for PostgresArchive {
    fn records(&self) -> Answer<'_, Vec<Record>> {
        Box::pin(read::watchlists(&self.connections))
    }

    fn segments(&self, id: WatchlistId, after: Revision) -> Answer<'_, Vec<NewSegment>> {
        Box::pin(self.read_segments(id, after))
    }

    fn answers(
        &self,
        id: WatchlistId,
        after: Option<Sender>,
    ) -> Answer<'_, Vec<(Sender, Vec<StoredAnswer>)>> {
        Box::pin(self.read_answers(id, after))
    }

    fn part(&self, id: WatchlistId, number: i64) -> Answer<'_, Option<EncodedPart>> {
        Box::pin(self.read_part(id, number))
    }

    fn add(&self, record: Record) -> Answer<'_, ()> {
        Box::pin(self.add_list(record))
    }

    fn reset(&self, record: Record) -> Answer<'_, ()> {
        Box::pin(self.reset_list(record))
    }

    fn remove(&self, id: WatchlistId) -> Answer<'_, ()> {
        Box::pin(self.remove_list(id))
    }

    fn append(&self, id: WatchlistId, segments: Vec<NewSegment>) -> Answer<'_, ()> {
        Box::pin(self.write_segments(id, segments))
    }

    fn add_answers(&self, id: WatchlistId, answers: Vec<(Sender, Vec<StoredAnswer>)>) -> Answer<'_, ()> {
        Box::pin(self.write_answers(id, answers))
    }

    fn add_part(&self, id: WatchlistId, part: EncodedPart) -> Answer<'_, ()> {
        Box::pin(async move { write_part(&self.lease(Use::Keep).await?, id, &part).await })
    }

    fn head(&self, id: WatchlistId) -> Answer<'_, Revision> {
        Box::pin(self.read_head(id))
    }
}
