//! Reading connections. Each kind of read has its own few, so that it waits only for reads of its kind.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::{Connection, InterruptHandle, OpenFlags};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::journal::{form::error::store, store::JournalError};

/// Page cache of a connection (`PRAGMA cache_size`): 256 KiB, as old pages are seldom read twice.
const READ_CACHE: i64 = -256;

/// A few connections, of which each serves one read at a time.
#[derive(Clone)]
pub(super) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    interrupts: Vec<InterruptHandle>,
    is_closing: AtomicBool,
}

/// A connection that is in use. It returns when it is dropped.
pub(super) struct Lease {
    connection: Option<Connection>,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

/// Opens a connection that cannot write.
pub(super) fn open_reader(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(store)?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(store)?;
    connection.pragma_update(None, "cache_size", READ_CACHE).map_err(store)?;
    Ok(connection)
}

impl Readers {
    /// Opens a number of connections.
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, JournalError> {
        let idle = (0..count).map(|_| open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        let interrupts = idle.iter().map(Connection::get_interrupt_handle).collect();
        let (permits, is_closing) = (Arc::new(Semaphore::new(count)), AtomicBool::new(false));
        Ok(Self { shared: Arc::new(Shared { idle: Mutex::new(idle), permits, interrupts, is_closing }) })
    }

    /// Waits for a connection, in the order of the calls.
    pub(super) async fn lease(&self) -> Result<Lease, JournalError> {
        let permit = self.shared.permits.clone().acquire_owned().await.map_err(store)?;
        if self.shared.is_closing.load(Ordering::Relaxed) {
            return Err(store("the journal is being closed"));
        }
        let connection = self.shared.idle().pop();
        Ok(Lease { connection, shared: self.shared.clone(), _permit: permit })
    }

    /// Reads everything at one point in time.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let lease = self.lease().await?;
        lease
            .run(|connection| {
                connection.execute_batch("BEGIN").map_err(store)?;
                read(connection)
            })
            .await
            .map(|(_, value)| value)
    }

    /// Ends the reads that run and those that wait, and closes the connections.
    pub(super) async fn close(&self) {
        self.shared.is_closing.store(true, Ordering::Relaxed);
        self.shared.interrupts.iter().for_each(InterruptHandle::interrupt);
        let count = u32::try_from(self.shared.interrupts.len()).expect("there are a few connections");
        // It is closed already if this fails.
        let all = self.shared.permits.acquire_many(count).await;
        self.shared.permits.close();
        self.shared.idle().clear();
        drop(all);
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Runs a read on a thread that may block, and returns the connection with the result.
    pub(super) async fn run<T: Send + 'static>(
        self,
        read: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<(Self, T), JournalError> {
        let task = spawn_blocking(move || {
            let connection = self.connection.as_ref().ok_or_else(|| store("a connection was lost"))?;
            let value = read(connection)?;
            Ok((self, value))
        });
        task.await.map_err(store)?
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !connection.is_autocommit() {
            // A connection whose transaction does not end is closed by the next statement that fails on it.
            drop(connection.execute_batch("ROLLBACK"));
        }
        self.shared.idle().push(connection);
    }
}
