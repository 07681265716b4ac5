//! Reserves the journal for one server, or for those that share it. The reservation is a lock of a
//! connection's session, so that it ends with the server, however that ends.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::connections::{Connections, Lease, Use};
use crate::journal::store::JournalError;

/// The lock of the servers that use a journal.
const LOCK: i64 = 0x6166_7465_7267_6c02;
/// Interval at which the connection is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a server that starts waits for one that has just ended.
const START_TIMEOUT: Duration = Duration::from_secs(5);
/// Within seconds of the server's end its connection does not hold the lock any more.
const DETECT_LOSS: &str =
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/// Who may use a journal at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reservation {
    /// One server, or one copy.
    Exclusive,
    /// Several servers.
    Shared,
}

/// Whether this server may write the journal, for those that write.
#[derive(Clone)]
pub(super) struct WritePermission(Arc<Mutex<bool>>);

/// The task that holds the reservation.
pub(super) struct Guardian {
    permission: WritePermission,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl WritePermission {
    /// Checks that the journal is reserved.
    ///
    /// # Errors
    /// Another server uses it, or may use it.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        if *self.0.lock().unwrap_or_else(PoisonError::into_inner) { Ok(()) } else { Err(not_reserved()) }
    }

    fn set(&self, may_write: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = may_write;
    }
}

fn not_reserved() -> JournalError {
    JournalError::Refused("another server uses this journal, or its reservation is lost".to_owned())
}

impl Guardian {
    /// Reserves the journal, and prepares its tables.
    ///
    /// # Errors
    /// Another server uses it, or it cannot be prepared.
    pub(super) async fn start(
        connections: &Arc<Connections>,
        reservation: Reservation,
        prepare: impl Future<Output = Result<(), JournalError>>,
    ) -> Result<Self, JournalError> {
        let guardian = Self::wait_for_reservation(connections.clone(), reservation).await?;
        match prepare.await {
            Ok(()) => Ok(guardian),
            Err(error) => {
                guardian.close().await;
                Err(error)
            }
        }
    }

    async fn wait_for_reservation(
        connections: Arc<Connections>,
        reservation: Reservation,
    ) -> Result<Self, JournalError> {
        let started = Instant::now();
        let lease = loop {
            match try_lock(&connections, reservation).await? {
                Some(lease) => break lease,
                None if started.elapsed() < START_TIMEOUT => sleep(CHECK_INTERVAL / 4).await,
                None => {
                    let place = connections.place();
                    return Err(JournalError::NotOurs(format!("another server uses the journal {place}")));
                }
            }
        };
        let permission = WritePermission(Arc::new(Mutex::new(true)));
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let guardian = Self { permission: permission.clone(), stop: stop.clone(), ended: ended.clone() };
        tokio::spawn(async move {
            let _ended = ended.drop_guard();
            hold(&connections, (lease, reservation), &permission, &stop).await;
        });
        Ok(guardian)
    }

    pub(super) fn permission(&self) -> WritePermission {
        self.permission.clone()
    }

    /// Releases the journal.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Tries to reserve the journal: `None` if another server has.
async fn try_lock(
    connections: &Connections,
    reservation: Reservation,
) -> Result<Option<Lease>, JournalError> {
    let lease = connections.lease(Use::Guard).await?;
    lease.batch(DETECT_LOSS).await?;
    let lock = match reservation {
        Reservation::Exclusive => "SELECT pg_try_advisory_lock($1)",
        Reservation::Shared => "SELECT pg_try_advisory_lock_shared($1)",
    };
    let row = lease.query_one(lock, &[&LOCK]).await?;
    let is_reserved = row.is_some_and(|row| row.get(0));
    Ok(is_reserved.then_some(lease))
}

/// Holds the reservation until it is given up. A connection that is lost is replaced.
async fn hold(
    connections: &Connections,
    (lease, reservation): (Lease, Reservation),
    permission: &WritePermission,
    stop: &CancellationToken,
) {
    let mut lease = Some(lease);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(CHECK_INTERVAL) => {}
        }
        if let Some(held) = &lease {
            let checked = timeout(CHECK_INTERVAL * 5, held.query("SELECT 1", &[])).await;
            if matches!(checked, Ok(Ok(_))) {
                continue;
            }
            warn!(journal = connections.place(), "lost the connection that reserves the journal");
            if let Some(lost) = lease.take() {
                lost.discard();
            }
            // Another server may reserve it now.
            permission.set(false);
        }
        match try_lock(connections, reservation).await {
            Ok(Some(reserved)) => {
                info!(journal = connections.place(), "reserved the journal again");
                permission.set(true);
                lease = Some(reserved);
            }
            Ok(None) => {
                error!(journal = connections.place(), "another server has taken over the journal");
                permission.set(false);
            }
            // It is tried again.
            Err(_unreachable) => {}
        }
    }
    if let Some(lease) = lease {
        lease.discard();
    }
}
