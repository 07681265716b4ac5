//! The journal in PostgreSQL.
//!
//! Nothing of it is kept in memory: each read asks the database. Appends of all watchlists that wait are
//! written by one statement (`append`), which compares the revision of each.

mod append;
pub(super) mod archive;
mod connections;
mod encryption;
mod guardian;
mod keep;
mod read;
mod schema;
mod url;

use std::{fmt, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use shared::{
    edit::Commit,
    ids::{Revision, WatchlistId},
    time::Timestamp,
};
use tokio_postgres::error::SqlState;

pub use self::url::UrlError;
use self::{
    append::Appender,
    connections::{Connections, Use},
    guardian::{Guardian, Reservation},
};
use super::{
    form::{codec::stored, part::EncodedPart},
    record::{
        AnswerRecord, Batch, HistoryFilter, HistoryPage, ReadLimit, Record, Retention, Sender, StoredPart,
    },
    store::{Answer, Journal, JournalError, Parts},
};

/// Returns host, port and database of a URL, without the account and its password.
///
/// # Errors
/// It is no URL of a database.
pub fn place(url: &str) -> Result<String, UrlError> {
    url::parse(url).map(|target| target.place)
}

/// Whether the database of a URL has a complete journal.
///
/// # Errors
/// The URL is not one, or the database cannot be reached, belongs to another program or to a newer version.
pub async fn has_journal(url: &str) -> Result<bool, JournalError> {
    schema::is_complete(&Connections::to(url)?).await
}

/// A journal in a PostgreSQL database.
pub struct PostgresJournal {
    connections: Arc<Connections>,
    appender: Appender,
    guardian: Guardian,
}

impl PostgresJournal {
    /// Connects to the database of a URL, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, creates the tables
    /// or those that are missing, and reserves the journal for this server.
    ///
    /// # Errors
    /// The URL is not one, the database cannot be reached, belongs to another program or to a newer version,
    /// or another server uses it.
    pub async fn open(url: &str) -> Result<Self, JournalError> {
        Self::reserve(url, Reservation::Exclusive).await
    }

    /// Connects like [`Self::open`], and reserves the journal for all servers that use it in this way. What one
    /// of them writes makes the journal refuse batches of the others that do not know it. Servers do not use this
    /// yet: they do not share accounts, presence and the list of watchlists.
    ///
    /// # Errors
    /// See [`Self::open`]; a server uses the journal alone.
    pub async fn open_shared(url: &str) -> Result<Self, JournalError> {
        Self::reserve(url, Reservation::Shared).await
    }

    async fn reserve(url: &str, reservation: Reservation) -> Result<Self, JournalError> {
        let connections = Arc::new(Connections::to(url)?);
        let prepare = schema::prepare(&connections);
        let guardian = Guardian::start(&connections, reservation, prepare).await?;
        keep::finish_erasing(&connections).await?;
        let appender = Appender::start(connections.clone(), guardian.permission());
        Ok(Self { connections, appender, guardian })
    }

    /// Writes something, unless another server has reserved the journal.
    async fn writing<T>(
        &self,
        write: impl Future<Output = Result<T, JournalError>>,
    ) -> Result<T, JournalError> {
        self.guardian.permission().check()?;
        write.await
    }

    async fn write_new(&self, record: Record, first: StoredPart) -> Result<(), JournalError> {
        let part = EncodedPart::new(record.id, &first);
        let lease = self.connections.lease(Use::Keep).await?;
        let (revision, rows) = (stored(record.revision.0), stored(record.rows as u64));
        let (name, deleted_at) = (record.name.as_bytes(), record.deleted_at.map(Timestamp::as_millis));
        let written = lease
            .execute(
                "WITH list AS (
                     INSERT INTO afterglow.watchlists (id, epoch, name, revision, rows, deleted_at)
                     VALUES ($1, $2, $3, $4, $5, $6))
                 INSERT INTO afterglow.snapshots (watchlist, revision, part, parts, data, checksum)
                 VALUES ($1, $7, $8, $9, $10, $11)",
                &[
                    &record.id.0,
                    &record.epoch.0,
                    &name,
                    &revision,
                    &rows,
                    &deleted_at,
                    &part.revision,
                    &part.part,
                    &part.parts,
                    &part.data,
                    &part.sum,
                ],
            )
            .await;
        match written {
            Err(error) if connections::code_of(&error) == Some(&SqlState::UNIQUE_VIOLATION) => {
                Err(JournalError::Refused(format!("there is a watchlist {} already", record.id)))
            }
            written => written.map(drop),
        }
    }

    async fn write_deleted(&self, id: WatchlistId, at: Option<Timestamp>) -> Result<(), JournalError> {
        let lease = self.connections.lease(Use::Keep).await?;
        let update = "UPDATE afterglow.watchlists SET deleted_at = $2 WHERE id = $1";
        match lease.execute(update, &[&id.0, &at.map(Timestamp::as_millis)]).await? {
            0 => Err(JournalError::Refused(format!("there is no watchlist {id}"))),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for PostgresJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresJournal").field("place", &self.connections.place()).finish_non_exhaustive()
    }
}

impl Journal for PostgresJournal {
    fn watchlists(&self) -> Answer<'_, Vec<Record>> {
        Box::pin(read::watchlists(&self.connections))
    }

    fn create(&self, record: Record, first: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.writing(self.write_new(record, first)))
    }

    fn set_deleted(&self, id: WatchlistId, at: Option<Timestamp>) -> Answer<'_, ()> {
        Box::pin(self.writing(self.write_deleted(id, at)))
    }

    fn purge(&self, before: Timestamp) -> Answer<'_, Vec<WatchlistId>> {
        Box::pin(self.writing(keep::purge(&self.connections, before)))
    }

    fn snapshot(&self, id: WatchlistId) -> Parts<'_> {
        let parts = stream::once(read::open_snapshot(&self.connections, id)).map_ok(|snapshot| {
            stream::try_unfold(snapshot, async |snapshot| match snapshot {
                Some(snapshot) => Ok(snapshot.next().await?.map(|(part, rest)| (part, Some(rest)))),
                None => Ok(None),
            })
        });
        parts.try_flatten().boxed()
    }

    fn commits(&self, id: WatchlistId, after: Revision, limit: ReadLimit) -> Answer<'_, Vec<Commit>> {
        Box::pin(read::commits(&self.connections, id, after, limit))
    }

    fn history(&self, id: WatchlistId, filter: HistoryFilter) -> Answer<'_, HistoryPage> {
        Box::pin(read::history(&self.connections, id, filter))
    }

    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>> {
        Box::pin(read::answers(&self.connections, id, sender))
    }

    fn append(&self, id: WatchlistId, batch: Arc<Batch>) -> Answer<'_, ()> {
        Box::pin(self.appender.append(id, batch))
    }

    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.writing(keep::save_part(&self.connections, id, part)))
    }

    fn prune(&self, id: WatchlistId, retention: Retention) -> Answer<'_, ()> {
        Box::pin(self.writing(keep::prune(&self.connections, id, retention)))
    }

    fn expire_answers(&self, now: Timestamp, days: u32) -> Answer<'_, ()> {
        Box::pin(self.writing(keep::expire_answers(&self.connections, now, days)))
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(async {
            self.guardian.permission().check()?;
            if self.appender.is_failing() {
                schema::write(&self.connections).await?;
                self.appender.recovered();
            }
            schema::read(&self.connections).await
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.appender.close().await;
            self.guardian.close().await;
            self.connections.close();
        })
    }
}
