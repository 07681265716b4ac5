//! Connections to the database: a pool, of which each use has a share, so that none waits for another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_postgres::{NoTls, Row, error::SqlState, types::ToSql};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    encryption::verified,
    url::{Encryption, parse},
};
use crate::journal::{form::error::store, store::JournalError};

/// Time after which a statement is given up. What it writes may be stored nevertheless.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for an answer, with what the network takes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);
/// Time in which a connection has to be there.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection is used for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    /// Appending batches.
    Append,
    /// Short reads.
    Read,
    /// Reading snapshots part by part.
    Load,
    /// Searching histories.
    Search,
    /// Creating, deleting, saving and pruning.
    Keep,
    /// Reserving the journal.
    Guard,
}

/// Each use, and how many connections it has at most.
const SHARES: [(Use, usize); 6] =
    [(Use::Append, 2), (Use::Read, 4), (Use::Load, 3), (Use::Search, 2), (Use::Keep, 3), (Use::Guard, 1)];

/// Parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The connections to one database.
pub(super) struct Connections {
    pool: Pool,
    shares: [Arc<Semaphore>; SHARES.len()],
    place: String,
}

/// A connection in use.
pub(super) struct Lease {
    client: Option<Object>,
    /// Whether the connection is closed after its use instead of returned to the pool: the answer to a call that
    /// was given up may still come, a transaction is open, or it cannot write.
    is_discarded: AtomicBool,
    _slot: OwnedSemaphorePermit,
}

/// Why a call failed, with what it was to reach.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("PostgreSQL ({place}) cannot be reached")]
    Unreachable { place: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("PostgreSQL reports an error")]
    Failed(#[from] tokio_postgres::Error),
    #[error("PostgreSQL does not answer")]
    NoAnswer,
}

/// Returns the code of the error that the database reports, if it is one of its.
pub(super) fn code_of(error: &JournalError) -> Option<&SqlState> {
    let JournalError::Store(source) = error else { return None };
    match source.downcast_ref()? {
        CallError::Failed(error) => error.code(),
        CallError::Unreachable { .. } | CallError::NoAnswer => None,
    }
}

/// Whether an error says that a record of a table, or of a part of it, exists already.
pub(super) fn is_duplicate_in(error: &JournalError, table: &str) -> bool {
    let JournalError::Store(source) = error else { return false };
    let Some(CallError::Failed(error)) = source.downcast_ref() else { return false };
    let error = error.as_db_error().filter(|error| *error.code() == SqlState::UNIQUE_VIOLATION);
    error.and_then(|error| error.table()).is_some_and(|name| name.starts_with(table))
}

impl Connections {
    /// Creates the pool for the database of a URL. No connection is opened yet.
    pub(super) fn to(url: &str) -> Result<Self, JournalError> {
        let target = parse(url).map_err(|error| JournalError::NotOurs(error.to_string()))?;
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match &target.encryption {
            Encryption::None => Manager::from_config(target.config.clone(), NoTls, config),
            Encryption::Verified(authorities) => {
                let encryption = verified(authorities.as_deref())?;
                Manager::from_config(target.config.clone(), MakeRustlsConnect::new(encryption), config)
            }
        };
        let size = SHARES.iter().map(|(_, share)| share).sum();
        let prepare = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move {
                // A database may be configured to confirm what is not on its disk yet.
                let prepare = format!(
                    "SET statement_timeout = {};
                     SET idle_in_transaction_session_timeout = {};
                     SELECT set_config('synchronous_commit', 'on', false)
                     WHERE current_setting('synchronous_commit') IN ('off', 'local')",
                    STATEMENT_TIMEOUT.as_millis(),
                    STATEMENT_TIMEOUT.as_millis() * 4,
                );
                client.simple_query(&prepare).await.map(drop).map_err(HookError::Backend)
            })
        });
        let pool = Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECTION_TIMEOUT))
            .create_timeout(Some(CONNECTION_TIMEOUT))
            .post_create(prepare)
            .build()
            .map_err(store)?;
        let shares = SHARES.map(|(_, share)| Arc::new(Semaphore::new(share)));
        Ok(Self { pool, shares, place: target.place })
    }

    /// Returns host, port and database.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Waits for a connection of a use's share.
    pub(super) async fn lease(&self, purpose: Use) -> Result<Lease, JournalError> {
        let slot = self.shares[purpose as usize].clone().acquire_owned().await.map_err(store)?;
        let client = self.pool.get().await.map_err(|error| {
            store(CallError::Unreachable { place: self.place.clone(), source: error.into() })
        })?;
        Ok(Lease { client: Some(client), is_discarded: AtomicBool::new(false), _slot: slot })
    }

    /// Ends the connections that are not used, and every other after its use.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

impl Lease {
    pub(super) fn client(&self) -> &Client {
        self.client.as_ref().expect("it is there until the end")
    }

    /// Runs a statement, and returns its rows.
    pub(super) async fn query(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, JournalError> {
        let call = async {
            let statement = self.client().prepare_cached(sql).await?;
            self.client().query(&statement, parameters).await
        };
        self.answered(call).await
    }

    /// Runs a statement, and returns its row, if it has one.
    pub(super) async fn query_one(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, JournalError> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// Runs a statement, and returns the number of rows that it changes.
    pub(super) async fn execute(&self, sql: &str, parameters: Parameters<'_>) -> Result<u64, JournalError> {
        let call = async {
            let statement = self.client().prepare_cached(sql).await?;
            self.client().execute(&statement, parameters).await
        };
        self.answered(call).await
    }

    /// Runs statements without parameters.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), JournalError> {
        self.answered(self.client().batch_execute(sql)).await
    }

    /// Ends a transaction, after which the connection can be used again.
    pub(super) async fn end_transaction(self) -> Result<(), JournalError> {
        self.batch("COMMIT").await?;
        self.is_discarded.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Has the connection closed after its use instead of returned to the pool.
    pub(super) fn discard(&self) {
        self.is_discarded.store(true, Ordering::Relaxed);
    }

    async fn answered<T>(
        &self,
        call: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, JournalError> {
        match timeout(ANSWER_TIMEOUT, call).await {
            Ok(answer) => answer.map_err(|error| {
                // The connection may have been made while the database was read-only, and stay so.
                if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) {
                    self.discard();
                }
                store(CallError::Failed(error))
            }),
            Err(_elapsed) => {
                self.discard();
                Err(store(CallError::NoAnswer))
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if *self.is_discarded.get_mut() {
            // Closes the connection instead of returning it to the pool.
            drop(self.client.take().map(Object::take));
        }
    }
}
