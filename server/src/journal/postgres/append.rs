//! Appends batches: those of all watchlists that wait are written by one statement, which compares the
//! revision of each.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use shared::ids::{Revision, WatchlistId};
use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

use super::{
    connections::{Connections, Use, code_of, is_duplicate_in},
    guardian::WritePermission,
};
use crate::journal::{
    form::{
        answer::{StoredAnswer, StoredVerdict, answer_sum},
        codec::stored,
        error::store,
        segment::{NewSegment, Place, encode, segment_sum},
    },
    record::{Batch, Sender},
    store::JournalError,
};

/// Number of statements that are under way at once. While one waits for the disk, the next one is collected.
const STATEMENTS: u16 = 2;
/// Maximum number of batches that one statement writes.
const MAX_BATCHES: usize = 256;
/// Number of bytes of commits from which a statement takes no further batch.
const STATEMENT_BYTES: usize = 8 << 20;
/// Number of batches that wait before a room waits to add one.
const MAX_WAITING: usize = 1_024;

/// Writes batches. A batch is not written by two statements, and each list has one batch at a time under way.
const APPEND: &str = "
    WITH input AS (
        SELECT * FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::bytea[], $5::int8[], $6::int8[])
            AS input (id, expected, head, name, rows, bytes)
    ), current AS MATERIALIZED (
        SELECT list.id FROM afterglow.watchlists list JOIN input USING (id)
        WHERE list.revision = input.expected AND list.deleted_at IS NULL
        ORDER BY list.id FOR UPDATE OF list
    ), updated AS (
        UPDATE afterglow.watchlists list
        SET revision = input.head, name = input.name, rows = input.rows, bytes = list.bytes + input.bytes
        FROM input JOIN current USING (id) WHERE list.id = input.id
    ), logged AS (
        INSERT INTO afterglow.log (watchlist, before, last, at, data, checksum, terms)
        SELECT id, before, last, at, data, checksum, terms::int4[]
        FROM unnest($7::uuid[], $8::int8[], $9::int8[], $10::int8[], $11::bytea[], $12::int8[], $13::text[])
            AS segment (id, before, last, at, data, checksum, terms) JOIN current USING (id)
    ), answered AS (
        INSERT INTO afterglow.answers
            (watchlist, account, client, edit, digest, revision, rejection, checksum, day)
        SELECT id, account, client, edit, digest, revision, rejection, checksum,
            (SELECT coalesce(max(number), 0) FROM afterglow.days)
        FROM unnest($14::uuid[], $15::uuid[], $16::uuid[], $17::int8[], $18::bytea[], $19::int8[], $20::text[],
            $21::int8[]) AS answer (id, account, client, edit, digest, revision, rejection, checksum)
            JOIN current USING (id)
    )
    SELECT id FROM current";

/// A batch that waits to be written.
struct Waiting {
    id: WatchlistId,
    expected: Revision,
    head: Revision,
    name: Arc<str>,
    rows: usize,
    segments: Vec<NewSegment>,
    answers: Vec<(Sender, StoredAnswer)>,
    reply: oneshot::Sender<Result<(), JournalError>>,
}

enum Request {
    Append(Waiting),
    Close(oneshot::Sender<()>),
}

/// The task that writes batches.
pub(super) struct Appender {
    queue: mpsc::Sender<Request>,
    is_failing: Arc<AtomicBool>,
}

/// What the task and its statements share.
struct Writer {
    connections: Arc<Connections>,
    permission: WritePermission,
    is_failing: Arc<AtomicBool>,
}

impl Appender {
    pub(super) fn start(connections: Arc<Connections>, permission: WritePermission) -> Self {
        let (queue, requests) = mpsc::channel(MAX_WAITING);
        let is_failing = Arc::new(AtomicBool::new(false));
        let writer = Arc::new(Writer { connections, permission, is_failing: is_failing.clone() });
        tokio::spawn(run(writer, requests));
        Self { queue, is_failing }
    }

    /// Writes a batch: see [`Journal::append`](crate::journal::Journal::append).
    pub(super) async fn append(&self, id: WatchlistId, batch: Arc<Batch>) -> Result<(), JournalError> {
        let (reply, answer) = oneshot::channel();
        let head = Revision(batch.expected.0 + batch.commits.len() as u64);
        let mut segments = encode(&batch);
        let answers = batch.answers.iter().map(|record| (record.sender, StoredAnswer::new(record))).collect();
        // The answers are stored by themselves.
        segments.retain(|segment| segment.before < segment.last);
        let (expected, name, rows) = (batch.expected, batch.name.clone(), batch.rows);
        let waiting = Waiting { id, expected, head, name, rows, segments, answers, reply };
        let closed = || store("the journal is closed");
        self.queue.send(Request::Append(waiting)).await.map_err(|_closed| closed())?;
        answer.await.map_err(|_closed| closed())?
    }

    /// Whether the last write failed.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Records that the journal can be written again.
    pub(super) fn recovered(&self) {
        self.is_failing.store(false, Ordering::Relaxed);
    }

    /// Waits until what is queued is written, and ends.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Request::Close(done)).await.is_ok() {
            // It is dropped if it has ended before.
            drop(closed.await);
        }
    }
}

async fn run(writer: Arc<Writer>, mut requests: mpsc::Receiver<Request>) {
    let slots = Arc::new(Semaphore::new(STATEMENTS.into()));
    loop {
        let Some(first) = requests.recv().await else { return };
        // What arrives until a connection is free is written by the same statement.
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let (mut batches, mut bytes, mut next, mut closing) = (Vec::new(), 0, Some(first), None);
        while let Some(request) = next.take() {
            match request {
                Request::Append(waiting) => {
                    bytes += waiting.segments.iter().map(|segment| segment.data.len()).sum::<usize>();
                    batches.push(waiting);
                }
                Request::Close(done) => {
                    closing = Some(done);
                    break;
                }
            }
            if batches.len() < MAX_BATCHES && bytes < STATEMENT_BYTES {
                next = requests.try_recv().ok();
            }
        }
        let writer = writer.clone();
        tokio::spawn(async move {
            writer.write(batches).await;
            drop(slot);
        });
        if let Some(done) = closing {
            drop(slots.acquire_many(STATEMENTS.into()).await);
            // The caller may have stopped waiting.
            done.send(()).ok();
            return;
        }
    }
}

impl Writer {
    async fn write(&self, batches: Vec<Waiting>) {
        if batches.is_empty() {
            return;
        }
        match self.try_write(&batches).await {
            Ok(written) => {
                self.is_failing.store(false, Ordering::Relaxed);
                for batch in batches {
                    let answer =
                        if written.contains(&batch.id.0) { Ok(()) } else { Err(refused(batch.expected)) };
                    drop(batch.reply.send(answer));
                }
            }
            // The database has refused the statement because of one of the batches: the others are written.
            Err(error) if batches.len() > 1 && code_of(&error).is_some() => {
                for batch in batches {
                    Box::pin(self.write(vec![batch])).await;
                }
            }
            // Another server has stored an answer to one of its edits.
            Err(error) if is_duplicate_in(&error, "answers") => {
                for batch in batches {
                    drop(batch.reply.send(Err(refused(batch.expected))));
                }
            }
            Err(error) => {
                self.is_failing.store(true, Ordering::Relaxed);
                let cause = Arc::new(error);
                for batch in batches {
                    drop(batch.reply.send(Err(store(cause.clone()))));
                }
            }
        }
    }

    /// Writes batches, and returns the watchlists of those that were not refused.
    async fn try_write(&self, batches: &[Waiting]) -> Result<Vec<Uuid>, JournalError> {
        self.permission.check()?;
        let columns = Columns::new(batches);
        let (segments, answers) = (&columns.segments, &columns.answers);
        let lease = self.connections.lease(Use::Append).await?;
        let rows = lease
            .query(
                APPEND,
                &[
                    &columns.ids,
                    &columns.expected,
                    &columns.heads,
                    &columns.names,
                    &columns.rows,
                    &columns.bytes,
                    &segments.of,
                    &segments.before,
                    &segments.last,
                    &segments.at,
                    &segments.data,
                    &segments.sums,
                    &segments.terms,
                    &answers.of,
                    &answers.accounts,
                    &answers.clients,
                    &answers.edits,
                    &answers.digests,
                    &answers.revisions,
                    &answers.rejections,
                    &answers.sums,
                ],
            )
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

fn refused(expected: Revision) -> JournalError {
    JournalError::Refused(format!(
        "the watchlist is deleted or no longer at revision {expected}, or an edit is answered already"
    ))
}

/// The parameters of the statement: batches, segments and answers, column by column.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    expected: Vec<i64>,
    heads: Vec<i64>,
    names: Vec<&'a [u8]>,
    rows: Vec<i64>,
    bytes: Vec<i64>,
    segments: Segments<'a>,
    answers: Answers<'a>,
}

/// Segments, column by column.
#[derive(Default)]
pub(super) struct Segments<'a> {
    pub(super) of: Vec<Uuid>,
    pub(super) before: Vec<i64>,
    pub(super) last: Vec<i64>,
    pub(super) at: Vec<i64>,
    pub(super) data: Vec<&'a [u8]>,
    pub(super) sums: Vec<i64>,
    /// Each is the text of an array.
    pub(super) terms: Vec<String>,
}

/// Answers, column by column.
#[derive(Default)]
pub(super) struct Answers<'a> {
    pub(super) of: Vec<Uuid>,
    pub(super) accounts: Vec<Uuid>,
    pub(super) clients: Vec<Uuid>,
    pub(super) edits: Vec<i64>,
    pub(super) digests: Vec<&'a [u8]>,
    pub(super) revisions: Vec<Option<i64>>,
    pub(super) rejections: Vec<Option<&'a str>>,
    pub(super) sums: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn new(batches: &'a [Waiting]) -> Self {
        let mut columns = Self::default();
        for batch in batches {
            columns.ids.push(batch.id.0);
            columns.expected.push(stored(batch.expected.0));
            columns.heads.push(stored(batch.head.0));
            columns.names.push(batch.name.as_bytes());
            columns.rows.push(stored(batch.rows as u64));
            let bytes: usize = batch.segments.iter().map(|segment| segment.data.len()).sum();
            columns.bytes.push(stored(bytes as u64));
            batch.segments.iter().for_each(|segment| columns.segments.push(batch.id, segment));
            batch.answers.iter().for_each(|(sender, answer)| columns.answers.push(batch.id, *sender, answer));
        }
        columns
    }
}

impl<'a> Segments<'a> {
    pub(super) fn push(&mut self, id: WatchlistId, segment: &'a NewSegment) {
        let NewSegment { before, last, data, index } = segment;
        let place = Place { seq: 0, before: *before, last: *last };
        self.of.push(id.0);
        self.before.push(stored(before.0));
        self.last.push(stored(last.0));
        self.at.push(index.at);
        self.data.push(data);
        self.sums.push(segment_sum(id, place, data));
        let terms: Vec<String> = index.terms.iter().map(|term| term.cast_signed().to_string()).collect();
        self.terms.push(format!("{{{}}}", terms.join(",")));
    }
}

impl<'a> Answers<'a> {
    pub(super) fn push(&mut self, id: WatchlistId, sender: Sender, answer: &'a StoredAnswer) {
        self.of.push(id.0);
        self.accounts.push(sender.user.0);
        self.clients.push(sender.client.0);
        self.edits.push(stored(answer.edit.0));
        self.digests.push(&answer.digest);
        let (revision, rejection) = match &answer.verdict {
            StoredVerdict::Accepted(revision) => (Some(stored(revision.0)), None),
            StoredVerdict::Rejected(json) => (None, Some(&**json)),
        };
        self.revisions.push(revision);
        self.rejections.push(rejection);
        self.sums.push(answer_sum(id, sender, answer));
    }
}
