//! The accounts, sessions, tokens and grants of a server in memory. No IO: changes are stored first and then
//! applied here.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use shared::{
    account::{ListRole, Role},
    ids::{UserId, WatchlistId},
    time::Timestamp,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    record::{Account, Change, Grant, Session, Token},
    secret::Digest,
};

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Time without use after which a session ends.
    pub idle: Duration,
    /// Time after the sign-in at which a session ends.
    pub absolute: Duration,
}

/// A session, and when it ends.
#[derive(Clone, Debug)]
pub(super) struct LiveSession {
    /// What is stored of it.
    pub session: Session,
    /// Cancelled when it ends.
    pub ended: CancellationToken,
    /// When it was last used, on the clock that no one sets.
    pub used_at: Instant,
    /// When it ends however often it is used.
    pub ends_at: Instant,
}

/// A token, and when it ends.
#[derive(Clone, Debug)]
pub(super) struct LiveToken {
    /// What is stored of it.
    pub token: Token,
    /// Cancelled when it is revoked or has expired, or its account is disabled.
    pub ended: CancellationToken,
}

/// The state.
#[derive(Debug, Default)]
pub(super) struct Directory {
    accounts: BTreeMap<UserId, Account>,
    by_key: HashMap<Arc<str>, UserId>,
    sessions: BTreeMap<Uuid, LiveSession>,
    session_of: HashMap<Digest, Uuid>,
    tokens: BTreeMap<Uuid, LiveToken>,
    token_of: HashMap<Digest, Uuid>,
    grants: HashMap<WatchlistId, BTreeMap<Option<UserId>, ListRole>>,
}

impl Directory {
    /// Applies a change that is stored. `wall` and `now` are the same moment on two clocks.
    pub(super) fn apply(&mut self, change: Change, lifetimes: Lifetimes, (wall, now): (Timestamp, Instant)) {
        match change {
            Change::Account(account) => self.put_account(account),
            Change::Session(session) => self.put_session(session, lifetimes, (wall, now)),
            Change::EndSession(id) => {
                if let Some(LiveSession { session, ended, .. }) = self.sessions.remove(&id) {
                    self.session_of.remove(&session.digest);
                    ended.cancel();
                }
            }
            Change::Token(token) => {
                let ended = self.tokens.get(&token.id).map(|known| known.ended.clone()).unwrap_or_default();
                self.token_of.insert(token.digest, token.id);
                self.tokens.insert(token.id, LiveToken { token, ended });
            }
            Change::RevokeToken(id) => {
                if let Some(LiveToken { token, ended }) = self.tokens.remove(&id) {
                    self.token_of.remove(&token.digest);
                    ended.cancel();
                }
            }
            Change::Grant(Grant { watchlist, user, role }) => {
                self.grants.entry(watchlist).or_default().insert(user, role);
            }
            Change::Revoke(watchlist, user) => {
                if let Some(grants) = self.grants.get_mut(&watchlist) {
                    grants.remove(&user);
                    if grants.is_empty() {
                        self.grants.remove(&watchlist);
                    }
                }
            }
        }
    }

    fn put_account(&mut self, account: Account) {
        if account.is_disabled {
            // Its sessions end by changes of their own.
            for live in self.tokens.values_mut().filter(|live| live.token.account == account.id) {
                std::mem::take(&mut live.ended).cancel();
            }
        }
        self.by_key.insert(account.key.clone(), account.id);
        self.accounts.insert(account.id, account);
    }

    fn put_session(&mut self, session: Session, lifetimes: Lifetimes, (wall, now): (Timestamp, Instant)) {
        if let Some(known) = self.sessions.get_mut(&session.id) {
            known.session = session;
            return;
        }
        // Across a restart only the wall clock is known. It may have been set back.
        let since = |then: Timestamp| {
            Duration::from_millis(wall.as_millis().saturating_sub(then.as_millis()).try_into().unwrap_or(0))
        };
        let ago = |age: Duration| now.checked_sub(age).unwrap_or(now);
        let left = lifetimes.absolute.saturating_sub(since(session.created));
        let live = LiveSession {
            ended: CancellationToken::new(),
            used_at: ago(since(session.last_used).min(lifetimes.idle)),
            ends_at: now + left,
            session,
        };
        self.session_of.insert(live.session.digest, live.session.id);
        self.sessions.insert(live.session.id, live);
    }

    /// Whether there are accounts, besides that of the data folder's user.
    pub(super) fn has_accounts(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// Returns the accounts, oldest first.
    pub(super) fn accounts(&self) -> Vec<&Account> {
        let mut accounts: Vec<_> = self.accounts.values().collect();
        accounts.sort_by_key(|account| account.created);
        accounts
    }

    /// Returns an account.
    pub(super) fn account(&self, id: UserId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// Returns the account of a name, by its key.
    pub(super) fn account_named(&self, key: &str) -> Option<&Account> {
        self.by_key.get(key).and_then(|id| self.accounts.get(id))
    }

    /// Returns the role of an account that may be used.
    pub(super) fn role(&self, id: UserId) -> Option<Role> {
        self.accounts.get(&id).filter(|account| !account.is_disabled).map(|account| account.role)
    }

    /// Returns the session of a secret.
    pub(super) fn session_by(&self, digest: &Digest) -> Option<&LiveSession> {
        self.session_of.get(digest).and_then(|id| self.sessions.get(id))
    }

    /// Returns a session.
    pub(super) fn session(&self, id: Uuid) -> Option<&LiveSession> {
        self.sessions.get(&id)
    }

    /// Records that a session was used.
    pub(super) fn touch_session(&mut self, id: Uuid, (wall, now): (Timestamp, Instant)) {
        if let Some(live) = self.sessions.get_mut(&id) {
            (live.used_at, live.session.last_used) = (now, wall.max(live.session.last_used));
        }
    }

    /// Records that a token was used.
    pub(super) fn touch_token(&mut self, id: Uuid, wall: Timestamp) {
        if let Some(live) = self.tokens.get_mut(&id) {
            live.token.last_used = live.token.last_used.max(Some(wall));
        }
    }

    /// Returns the sessions of an account, oldest first.
    pub(super) fn sessions_of(&self, account: UserId) -> Vec<&LiveSession> {
        let own = self.sessions.values().filter(|live| live.session.account == account);
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|live| live.session.created);
        own
    }

    /// Returns the sessions, in no particular order.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &LiveSession> {
        self.sessions.values()
    }

    /// Returns the token of a secret.
    pub(super) fn token_by(&self, digest: &Digest) -> Option<&LiveToken> {
        self.token_of.get(digest).and_then(|id| self.tokens.get(id))
    }

    /// Returns a token.
    pub(super) fn token(&self, id: Uuid) -> Option<&LiveToken> {
        self.tokens.get(&id)
    }

    /// Returns the tokens, in no particular order.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &LiveToken> {
        self.tokens.values()
    }

    /// Returns the role of an account on a watchlist: its own, or that of everyone if that is higher.
    pub(super) fn list_role(&self, account: UserId, watchlist: WatchlistId) -> Option<ListRole> {
        let grants = self.grants.get(&watchlist)?;
        grants.get(&Some(account)).copied().max(grants.get(&None).copied())
    }

    /// Returns who may use a watchlist.
    pub(super) fn grants(&self, watchlist: WatchlistId) -> BTreeMap<Option<UserId>, ListRole> {
        self.grants.get(&watchlist).cloned().unwrap_or_default()
    }
}
