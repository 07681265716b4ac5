//! The accounts of a server: what is in memory, who a request comes from, and what that caller may do.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use shared::{
    account::{Role, User},
    ids::{UserId, WatchlistId},
    time::Timestamp,
};
use tokio::{
    sync::{self, OwnedMutexGuard, Semaphore, watch},
    time::{Instant, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    audit::{Entry, Event},
    denials::Denials,
    directory::{Directory, Lifetimes, LiveSession, LiveToken},
    local::LocalAccount,
    password::HashingMemory,
    record::Change,
    secret::Digest,
    store::{Store, StoreError},
    throttle::Throttle,
};
use crate::{
    access::{Caller, Credential, Rights},
    clock::Clock,
};

/// Interval at which sessions and tokens are checked for their end.
const END_INTERVAL: Duration = Duration::from_secs(1);
/// Number of those intervals after which it is stored when sessions and tokens were last used.
const INTERVALS_PER_SAVE: u32 = 60;
/// Maximum number of passwords that are hashed at once in each queue, each with 19 MiB of memory.
const MAX_HASHING: usize = 1;
/// Maximum number of passwords that wait to be hashed in each queue.
const MAX_WAITING: usize = 256;
/// How long a password waits to be hashed.
pub(super) const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// The accounts of a server.
pub struct Accounts {
    local: LocalAccount,
    /// The data folder; `None` keeps everything in memory.
    folder: Option<PathBuf>,
    directory: Arc<RwLock<Directory>>,
    /// `None` until there is something to store.
    pub(super) store: Arc<Mutex<Option<Store>>>,
    /// Serialises changes: see [`ChangeLock`].
    changing: Arc<sync::Mutex<()>>,
    /// Grows when what accounts may use has changed.
    changed: watch::Sender<u64>,
    pub(super) throttle: Mutex<Throttle>,
    denials: Mutex<Denials>,
    /// Entries of the audit log that are not stored yet. Their number is limited by that of the refusals.
    pending_entries: Arc<Mutex<Vec<Entry>>>,
    hashing: Arc<Hashing>,
    pub(super) lifetimes: Lifetimes,
    pub(super) clock: Clock,
}

/// The lock that a change needs: it is stored and applied before the next one is judged, even if its caller goes
/// away.
pub(super) struct ChangeLock {
    _guard: OwnedMutexGuard<()>,
}

/// Who a password is hashed for: those who guess wait in a queue of their own, however many addresses they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// An address that has not failed in the last hour, or someone who is signed in.
    Known,
    /// An address that has failed.
    Guessing,
}

/// What passwords are hashed with: a thread for each queue, each with its memory.
#[derive(Default)]
struct Hashing {
    known: Turns,
    guessing: Turns,
    memory: Mutex<Vec<HashingMemory>>,
}

struct Turns {
    turns: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(MAX_HASHING)), waiting: Semaphore::new(MAX_WAITING) }
    }
}

impl Hashing {
    fn turns(&self, queue: Queue) -> &Turns {
        match queue {
            Queue::Known => &self.known,
            Queue::Guessing => &self.guessing,
        }
    }

    fn memory(&self) -> MutexGuard<'_, Vec<HashingMemory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request presents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presented<'a> {
    /// The token of its `Authorization` header.
    pub bearer: Option<&'a str>,
    /// The secret of its session cookie.
    pub session: Option<&'a str>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The address of the client.
    pub address: IpAddr,
    /// Whether another machine may have sent it: its address is not loopback, or a proxy has passed it on.
    pub is_remote: bool,
}

impl Accounts {
    /// Opens the accounts of a data folder.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(
        folder: &Path,
        local: LocalAccount,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let store = Store::open_existing(folder)?;
        Self::with(Some(folder.to_owned()), store, local, lifetimes, clock)
    }

    /// Creates accounts that are kept in memory only.
    ///
    /// # Errors
    /// SQLite cannot be used.
    pub fn in_memory(local: LocalAccount, lifetimes: Lifetimes, clock: Clock) -> Result<Self, StoreError> {
        Self::with(None, Some(Store::in_memory()?), local, lifetimes, clock)
    }

    fn with(
        folder: Option<PathBuf>,
        store: Option<Store>,
        local: LocalAccount,
        lifetimes: Lifetimes,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let mut directory = Directory::default();
        let now = (clock(), Instant::now());
        for change in store.as_ref().map(Store::load).transpose()?.unwrap_or_default() {
            directory.apply(change, lifetimes, now);
        }
        Ok(Self {
            local,
            folder,
            directory: Arc::new(RwLock::new(directory)),
            store: Arc::new(Mutex::new(store)),
            changing: Arc::default(),
            changed: watch::channel(0).0,
            throttle: Mutex::default(),
            denials: Mutex::default(),
            pending_entries: Arc::default(),
            hashing: Arc::new(Hashing::default()),
            lifetimes,
            clock,
        })
    }

    /// Returns the account of the data folder's user.
    pub fn local(&self) -> &LocalAccount {
        &self.local
    }

    /// Returns the caller that is the data folder's user.
    pub fn local_caller(&self) -> Caller {
        let user = self.local.user();
        Caller {
            user: user.id,
            name: user.name.clone(),
            credential: Credential::Local,
            scope: Arc::default(),
        }
    }

    /// Whether there are accounts besides that of the data folder's user.
    pub fn has_accounts(&self) -> bool {
        self.directory().has_accounts()
    }

    /// Returns a receiver of a number that grows when what accounts may use has changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Returns who makes a request, or `None` if it proves no account that may be used. A token counts before
    /// a cookie.
    pub fn authenticate(&self, presented: Presented<'_>, origin: Origin) -> Option<Caller> {
        let now = ((self.clock)(), Instant::now());
        let caller = match (presented.bearer, presented.session) {
            (Some(token), _) if self.local.is_token(token) => {
                return (!origin.is_remote).then(|| self.local_caller());
            }
            (Some(token), _) => self.token_caller(&Digest::of(token))?,
            (None, Some(secret)) => self.session_caller(&Digest::of(secret))?,
            (None, None) => return None,
        };
        self.role(&caller)?;
        self.touch(&caller, now);
        Some(caller)
    }

    fn token_caller(&self, digest: &Digest) -> Option<Caller> {
        let directory = self.directory();
        let LiveToken { token, .. } = directory.token_by(digest)?;
        Some(Caller {
            user: token.account,
            name: token.name.clone(),
            credential: Credential::Token(token.id),
            scope: Arc::new(token.scope.clone()),
        })
    }

    fn session_caller(&self, digest: &Digest) -> Option<Caller> {
        let directory = self.directory();
        let LiveSession { session, .. } = directory.session_by(digest)?;
        let account = directory.account(session.account)?;
        Some(Caller {
            user: account.id,
            name: account.name.clone(),
            credential: Credential::Session(session.id),
            scope: Arc::default(),
        })
    }

    /// Returns the role of a caller's account on the server, or `None` if its session or token has ended, or
    /// its account is disabled.
    pub fn role(&self, caller: &Caller) -> Option<Role> {
        let directory = self.directory();
        match caller.credential {
            Credential::Local => return Some(Role::Admin),
            Credential::Session(id) => {
                directory.session(id).filter(|live| self.is_live(live, Instant::now()))?;
            }
            Credential::Token(id) => {
                directory.token(id).filter(|live| is_valid(live, (self.clock)()))?;
            }
        }
        if caller.user == self.local.user().id { Some(Role::Admin) } else { directory.role(caller.user) }
    }

    /// Returns the name of an account.
    pub fn name_of(&self, id: UserId) -> Option<Arc<str>> {
        let local = Some(self.local.user()).filter(|user| user.id == id).map(|user| user.name.clone());
        local.or_else(|| self.directory().account(id).map(|account| account.name.clone()))
    }

    /// Returns what a caller may do with a watchlist, or `None` if the watchlist does not exist for it.
    pub fn rights(&self, caller: &Caller, watchlist: WatchlistId) -> Option<Rights> {
        let account = self.role(caller);
        let role = self.directory().list_role(caller.user, watchlist);
        caller.rights(account, watchlist, role)
    }

    /// Returns the caller's account as others see it, with its current role.
    pub fn user(&self, caller: &Caller) -> User {
        let role = self.role(caller).unwrap_or(Role::User);
        User { id: caller.user, name: caller.name.clone(), role }
    }

    /// Returns a token that is cancelled when the caller's session or token ends.
    pub fn ended(&self, caller: &Caller) -> CancellationToken {
        let ended = || {
            let ended = CancellationToken::new();
            ended.cancel();
            ended
        };
        let directory = self.directory();
        match caller.credential {
            Credential::Local => CancellationToken::new(),
            Credential::Session(id) => directory.session(id).map_or_else(ended, |live| live.ended.clone()),
            Credential::Token(id) => directory.token(id).map_or_else(ended, |live| live.ended.clone()),
        }
    }

    /// Records that the person or program behind a caller has done something, so that its session does not
    /// end for want of use.
    pub fn record_use(&self, caller: &Caller) {
        self.touch(caller, ((self.clock)(), Instant::now()));
    }

    fn touch(&self, caller: &Caller, now: (Timestamp, Instant)) {
        match caller.credential {
            Credential::Local => {}
            Credential::Session(id) => self.directory_mut().touch_session(id, now),
            Credential::Token(id) => self.directory_mut().touch_token(id, now.0),
        }
    }

    /// Ends the sessions and tokens whose time is over, and stores when the others were last used, until the
    /// server stops.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(END_INTERVAL);
        let (mut tick, mut saved) = (0_u32, (self.clock)());
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => break,
            }
            self.end_expired().await;
            self.store_pending_entries().await;
            tick = tick.wrapping_add(1);
            if tick.is_multiple_of(INTERVALS_PER_SAVE) {
                saved = self.save_uses(saved).await;
            }
        }
        self.save_uses(saved).await;
        self.store_pending_entries().await;
    }

    async fn end_expired(&self) {
        let (now, wall) = (Instant::now(), (self.clock)());
        let expired = || -> Vec<Change> {
            let directory = self.directory();
            // An expired token is still listed, until it is revoked.
            directory.tokens().filter(|live| !is_valid(live, wall)).for_each(|live| live.ended.cancel());
            let over = directory.sessions().filter(|live| !self.is_live(live, now));
            over.map(|live| Change::EndSession(live.session.id)).collect()
        };
        if expired().is_empty() {
            return;
        }
        let lock = self.lock_changes().await;
        if let Err(error) = self.store_and_apply(lock, expired(), Vec::new()).await {
            // They are not accepted in any case: see `role`.
            warn!(error = &error as &dyn std::error::Error, "failed to store that sessions have ended");
        }
    }

    /// Stores when the sessions and tokens were last used that were used after a time. Returns the time from which
    /// on uses are not stored yet.
    async fn save_uses(&self, after: Timestamp) -> Timestamp {
        // A session that is ended at the same time is not stored again.
        let lock = self.lock_changes().await;
        let now = (self.clock)();
        let changes: Vec<Change> = {
            let directory = self.directory();
            let sessions = directory.sessions().filter(|live| live.session.last_used >= after);
            let tokens =
                directory.tokens().filter(|live| live.token.last_used.is_some_and(|used| used >= after));
            let sessions = sessions.map(|live| Change::Session(live.session.clone()));
            sessions.chain(tokens.map(|live| Change::Token(live.token.clone()))).collect()
        };
        if changes.is_empty() {
            return now;
        }
        match self.store(changes, Vec::new(), move |_stored| drop(lock)).await {
            Ok(()) => now,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "failed to store when sessions were last used"
                );
                after
            }
        }
    }

    /// Hashes something in its turn, on another thread. The turn lasts until the thread is done, even if the
    /// caller has gone away. Returns `None` if too many others wait.
    pub(super) async fn hash<T: Send + 'static>(
        &self,
        queue: Queue,
        job: impl FnOnce(&mut HashingMemory) -> T + Send + 'static,
    ) -> Option<T> {
        let hashing = self.hashing.clone();
        let Turns { turns, waiting } = self.hashing.turns(queue);
        let waiting = waiting.try_acquire().ok()?;
        let turn = timeout(TURN_TIMEOUT, turns.clone().acquire_owned()).await.ok()?;
        drop(waiting);
        let turn = turn.expect("the semaphore is never closed");
        let run = move || {
            let _turn = turn;
            let mut memory = hashing.memory().pop().unwrap_or_else(HashingMemory::new);
            let result = job(&mut memory);
            hashing.memory().push(memory);
            result
        };
        Some(tokio::task::spawn_blocking(run).await.expect("hashing does not panic"))
    }

    fn is_live(&self, live: &LiveSession, now: Instant) -> bool {
        now < live.ends_at && now < live.used_at + self.lifetimes.idle
    }

    pub(super) fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn directory_mut(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn denials(&self) -> MutexGuard<'_, Denials> {
        self.denials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pending_entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.pending_entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the entries that wait. If that fails, the server's log says why, and they wait on.
    pub(super) async fn store_pending_entries(&self) {
        if !self.pending_entries().is_empty() {
            self.store_entries(Vec::new()).await;
        }
    }

    /// Stores entries of the audit log after those that wait. If that fails, the server's log says why.
    pub(super) async fn store_entries(&self, entries: Vec<Entry>) {
        if let Err(error) = self.store(Vec::new(), entries, drop).await {
            warn!(error = &error as &dyn std::error::Error, "failed to store entries of the audit log");
        }
    }

    /// Creates an entry of the audit log.
    pub(super) fn entry(&self, by: &str, address: Option<IpAddr>, event: Event) -> Entry {
        Entry { at: (self.clock)(), by: by.to_owned(), address, event }
    }

    /// Waits until every earlier change is stored and applied. What a change depends on is read after that.
    pub(super) async fn lock_changes(&self) -> ChangeLock {
        ChangeLock { _guard: self.changing.clone().lock_owned().await }
    }

    /// Stores changes and then applies them, also if the caller does not wait for that.
    pub(super) async fn store_and_apply(
        &self,
        lock: ChangeLock,
        changes: Vec<Change>,
        entries: Vec<Entry>,
    ) -> Result<(), StoreError> {
        let (directory, changed) = (self.directory.clone(), self.changed.clone());
        let (lifetimes, now) = (self.lifetimes, ((self.clock)(), Instant::now()));
        let apply = move |stored: Vec<Change>| {
            {
                let mut directory = directory.write().unwrap_or_else(PoisonError::into_inner);
                stored.into_iter().for_each(|change| directory.apply(change, lifetimes, now));
            }
            changed.send_modify(|version| *version += 1);
            drop(lock);
        };
        self.store(changes, entries, apply).await
    }

    /// Stores changes, and entries of the audit log after those that wait, and does what follows then, also if the
    /// caller does not wait for that.
    async fn store(
        &self,
        changes: Vec<Change>,
        entries: Vec<Entry>,
        then: impl FnOnce(Vec<Change>) + Send + 'static,
    ) -> Result<(), StoreError> {
        let (store, folder, pending) =
            (self.store.clone(), self.folder.clone(), self.pending_entries.clone());
        let write = move || {
            let waiting = std::mem::take(&mut *pending.lock().unwrap_or_else(PoisonError::into_inner));
            let all: Vec<Entry> = waiting.iter().cloned().chain(entries).collect();
            let written = write_to(&store, folder.as_deref(), &changes, &all);
            match written {
                Ok(()) => then(changes),
                Err(_) => drop(pending.lock().unwrap_or_else(PoisonError::into_inner).splice(0..0, waiting)),
            }
            written
        };
        tokio::task::spawn_blocking(write).await.expect("writing does not panic")
    }
}

/// Writes to the store, which is created for the first change.
fn write_to(
    store: &Mutex<Option<Store>>,
    folder: Option<&Path>,
    changes: &[Change],
    entries: &[Entry],
) -> Result<(), StoreError> {
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    if let (None, Some(folder)) = (&*store, folder) {
        *store = Some(Store::create(folder)?);
    }
    store.as_mut().map_or(Ok(()), |store| store.write(changes, entries))
}

fn is_valid(live: &LiveToken, now: Timestamp) -> bool {
    live.token.expires.is_none_or(|expires| now < expires)
}
