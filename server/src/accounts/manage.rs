//! What administrators do: accounts, tokens, and the audit log.

use std::{net::IpAddr, sync::Arc};

use shared::{
    account::Role,
    ids::UserId,
    rejection::{Code, Rejection},
    wire::account_api::{AddToken, ChangeAccount, Hidden},
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    audit::{Event, Stored},
    name::{self, AccountName},
    password::Password,
    record::{Account, Change, Token},
    refusal::{invalid, unavailable},
    secret::Secret,
    state::{Accounts, ChangeLock, Queue},
    store::Store,
};
use crate::access::{Caller, Credential};

/// Maximum number of accounts, and of tokens.
const MAX_RECORDS: usize = 10_000;
/// Maximum number of characters of what was denied, in the audit log.
const DENIED_CHARACTERS: usize = 200;

impl Accounts {
    fn check_administer(&self, caller: &Caller) -> Result<(), Rejection> {
        caller.check_administer(self.role(caller))
    }

    /// Returns the accounts, oldest first, without their hashes.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn list(&self, caller: &Caller) -> Result<Vec<Account>, Rejection> {
        self.check_administer(caller)?;
        let without_hash = |account: &Account| Account { password: String::new(), ..account.clone() };
        Ok(self.directory().accounts().into_iter().map(without_hash).collect())
    }

    /// Adds an account and returns its id.
    ///
    /// # Errors
    /// `forbidden`, `invalidValue` for the name or the password, `unavailable`.
    pub async fn add(
        &self,
        caller: &Caller,
        (name, password): (&str, &str),
        is_admin: bool,
        address: IpAddr,
    ) -> Result<UserId, Rejection> {
        self.check_administer(caller)?;
        let AccountName { name, key } =
            AccountName::read(name).map_err(|error| invalid(error.to_string()))?;
        let password = Password::new(password, &name).map_err(|error| invalid(error.to_string()))?;
        let hash = self.hash_of(password).await?;
        let lock = self.lock_changes().await;
        self.check_administer(caller)?;
        if let Some(taken) = self.look_alike(&name).or_else(|| self.token_alike(&name)) {
            return Err(invalid(format!("the name {name:?} is taken, or looks like {taken:?}, which is")));
        }
        if self.directory().accounts().len() >= MAX_RECORDS {
            return Err(invalid(format!("the limit of a server is {MAX_RECORDS} accounts")));
        }
        let account = Account {
            id: UserId(Uuid::new_v4()),
            name: name.clone(),
            key,
            role: role(is_admin),
            password: hash,
            is_disabled: false,
            created: (self.clock)(),
        };
        let id = account.id;
        let event = Event::AccountAdded { account: name.to_string(), is_admin };
        self.record(lock, vec![Change::Account(account)], caller, Some(address), vec![event]).await?;
        Ok(id)
    }

    /// Changes an account, completely or not at all. A new password and a disabled account end its sessions.
    ///
    /// # Errors
    /// `forbidden`, `invalidValue` for an unknown account or the password, `unavailable`.
    pub async fn change(
        &self,
        caller: &Caller,
        id: UserId,
        change: ChangeAccount,
        address: IpAddr,
    ) -> Result<(), Rejection> {
        self.check_administer(caller)?;
        let unknown = || invalid(format!("there is no account {id}"));
        let ChangeAccount { password, disabled, admin } = change;
        let hash = match password {
            None => None,
            Some(Hidden(text)) => {
                let name = self.directory().account(id).map(|account| account.name.clone());
                let password = Password::new(&text, &name.ok_or_else(unknown)?);
                Some(self.hash_of(password.map_err(|error| invalid(error.to_string()))?).await?)
            }
        };
        let lock = self.lock_changes().await;
        self.check_administer(caller)?;
        let mut account = self.directory().account(id).cloned().ok_or_else(unknown)?;
        let (name, mut events) = (account.name.to_string(), Vec::new());
        let ends_sessions = hash.is_some() || disabled == Some(true);
        if let Some(hash) = hash {
            events.push(replace_password(&mut account, hash));
        }
        if let Some(is_disabled) = disabled {
            account.is_disabled = is_disabled;
            events.push(match is_disabled {
                true => Event::AccountDisabled { account: name.clone() },
                false => Event::AccountEnabled { account: name.clone() },
            });
        }
        if let Some(is_admin) = admin {
            account.role = role(is_admin);
            events.push(Event::AdminChanged { account: name, is_admin });
        }
        let mut changes = vec![Change::Account(account)];
        if ends_sessions {
            let kept = if disabled == Some(true) { None } else { Some(caller) };
            changes.extend(self.sessions_to_end(id, kept));
        }
        self.record(lock, changes, caller, Some(address), events).await
    }

    /// Sets the password of an account and ends its sessions, except the caller's own.
    pub(super) async fn set_password(
        &self,
        id: UserId,
        password: Password,
        caller: &Caller,
        address: IpAddr,
    ) -> Result<(), Rejection> {
        let hash = self.hash_of(password).await?;
        let lock = self.lock_changes().await;
        self.check_current(caller)?;
        let Some(mut account) = self.directory().account(id).cloned() else { return Ok(()) };
        let event = replace_password(&mut account, hash);
        let mut changes = vec![Change::Account(account)];
        changes.extend(self.sessions_to_end(id, Some(caller)));
        self.record(lock, changes, caller, Some(address), vec![event]).await
    }

    /// Checks that the caller's session has not ended since the request arrived.
    pub(super) fn check_current(&self, caller: &Caller) -> Result<(), Rejection> {
        let ended = || Rejection::new(Code::Forbidden, "the session has ended");
        self.role(caller).map(drop).ok_or_else(ended)
    }

    /// Returns the end of every session of an account, except that of the caller whose session is kept.
    fn sessions_to_end(&self, account: UserId, kept: Option<&Caller>) -> Vec<Change> {
        let kept = kept.and_then(|caller| match caller.credential {
            Credential::Session(session) => Some(session),
            Credential::Local | Credential::Token(_) => None,
        });
        let directory = self.directory();
        let own = directory.sessions_of(account).into_iter().map(|live| live.session.id);
        own.filter(|id| Some(*id) != kept).map(Change::EndSession).collect()
    }

    async fn hash_of(&self, password: Password) -> Result<String, Rejection> {
        let hash = self.hash(Queue::Known, move |memory| password.hash(memory)).await;
        hash.ok_or_else(|| {
            Rejection::new(Code::Unavailable, "too many passwords are being compared; try again")
        })
    }

    /// Returns the tokens, oldest first.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn tokens(&self, caller: &Caller) -> Result<Vec<Token>, Rejection> {
        self.check_administer(caller)?;
        let mut tokens: Vec<Token> = self.directory().tokens().map(|live| live.token.clone()).collect();
        tokens.sort_by_key(|token| (token.created, token.id));
        Ok(tokens)
    }

    /// Adds a token, and returns its id and its secret, which is not kept.
    ///
    /// # Errors
    /// `forbidden`, `invalidValue`, `unavailable`.
    pub async fn add_token(
        &self,
        caller: &Caller,
        add: AddToken,
        address: IpAddr,
    ) -> Result<(Uuid, Secret), Rejection> {
        let lock = self.lock_changes().await;
        self.check_administer(caller)?;
        if add.expires.is_some_and(|expires| expires <= (self.clock)()) {
            return Err(invalid("the token would have ended already".to_owned()));
        }
        let AccountName { name, .. } =
            AccountName::read(&add.name).map_err(|error| invalid(error.to_string()))?;
        // Others see the name as the author of the token's edits.
        if let Some(person) = self.look_alike(&name) {
            return Err(invalid(format!("the name {name:?} looks like the account {person:?}")));
        }
        let user = add.user.unwrap_or(caller.user);
        let account = self.name_of(user).ok_or_else(|| invalid(format!("there is no account {user}")))?;
        if self.directory().tokens().count() >= MAX_RECORDS {
            return Err(invalid(format!("the limit of a server is {MAX_RECORDS} tokens")));
        }
        let secret = Secret::of_token();
        let token = Token {
            id: Uuid::new_v4(),
            name: name.clone(),
            account: user,
            digest: secret.digest(),
            scope: add.scope(),
            created: (self.clock)(),
            expires: add.expires,
            last_used: None,
        };
        let id = token.id;
        let event = Event::TokenAdded { token: name.to_string(), account: account.to_string() };
        self.record(lock, vec![Change::Token(token)], caller, Some(address), vec![event]).await?;
        Ok((id, secret))
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// `forbidden`, `invalidValue` for an unknown token, `unavailable`.
    pub async fn revoke_token(&self, caller: &Caller, id: Uuid, address: IpAddr) -> Result<(), Rejection> {
        let lock = self.lock_changes().await;
        self.check_administer(caller)?;
        let name = self.directory().token(id).map(|live| live.token.name.to_string());
        let name = name.ok_or_else(|| invalid(format!("there is no token {id}")))?;
        let event = Event::TokenRevoked { token: name };
        self.record(lock, vec![Change::RevokeToken(id)], caller, Some(address), vec![event]).await
    }

    /// Returns the audit log, oldest entry first, and the number of the first entry that is missing or was
    /// changed.
    ///
    /// # Errors
    /// `forbidden`, `unavailable`.
    pub async fn audit(&self, caller: &Caller) -> Result<(Vec<Stored>, Option<i64>), Rejection> {
        self.check_administer(caller)?;
        self.store_pending_entries().await;
        let store = self.store.clone();
        let read = move || {
            let store = store.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            store.as_ref().map(Store::audit).transpose()
        };
        let read = tokio::task::spawn_blocking(read).await.expect("reading does not panic");
        read.map(Option::unwrap_or_default).map_err(|error| unavailable(&error))
    }

    /// Returns the name of an account that looks like a name. The user of the data folder is not one of them:
    /// they may have an account of their own name.
    fn look_alike(&self, name: &str) -> Option<Arc<str>> {
        let directory = self.directory();
        let mut names = directory.accounts().into_iter().map(|account| account.name.clone());
        names.find(|other| name::look_alike(other, name))
    }

    /// Returns the name of a token that looks like a name.
    fn token_alike(&self, name: &str) -> Option<Arc<str>> {
        let directory = self.directory();
        let mut names = directory.tokens().map(|live| live.token.name.clone());
        names.find(|other| name::look_alike(other, name))
    }

    /// Stores and applies changes with entries of the audit log.
    pub(super) async fn record(
        &self,
        lock: ChangeLock,
        changes: Vec<Change>,
        caller: &Caller,
        address: Option<IpAddr>,
        events: Vec<Event>,
    ) -> Result<(), Rejection> {
        let entries = events.into_iter().map(|event| self.entry(&caller.name, address, event)).collect();
        self.store_and_apply(lock, changes, entries).await.map_err(|error| unavailable(&error))
    }

    /// Adds to the audit log that a caller may not do something, unless that was added a short time ago.
    pub fn record_denial(&self, caller: &Caller, address: Option<IpAddr>, what: &str) {
        let what: String = what.chars().take(DENIED_CHARACTERS).collect();
        if self.denials().is_due(caller.user, &what, Instant::now()) {
            self.append_audit_entry(caller, address, Event::Denied { what });
        }
    }

    /// Adds to the audit log what has been done or refused already, if there are accounts. It is stored with
    /// the next change, or within a second.
    pub fn append_audit_entry(&self, caller: &Caller, address: Option<IpAddr>, event: Event) {
        if self.directory().has_accounts() {
            let entry = self.entry(&caller.name, address, event);
            self.pending_entries().push(entry);
        }
    }
}

fn replace_password(account: &mut Account, hash: String) -> Event {
    account.password = hash;
    Event::PasswordChanged { account: account.name.to_string() }
}

fn role(is_admin: bool) -> Role {
    if is_admin { Role::Admin } else { Role::User }
}
