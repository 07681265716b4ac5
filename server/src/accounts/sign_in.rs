//! Signing in and out, and the sessions of an account.

use std::{net::IpAddr, sync::Arc, time::Duration};

use shared::{
    account::User,
    rejection::{Code, Rejection},
    time::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    audit::Event,
    name,
    password::{self, Password},
    record::{Account, Change, Session},
    refusal::{invalid, unavailable},
    secret::{Digest, Secret},
    state::{Accounts, ChangeLock, Queue, TURN_TIMEOUT},
};
use crate::access::{Caller, Credential};

/// Maximum number of sessions of an account. A further sign-in ends the one that was not used for longest.
const MAX_SESSIONS: usize = 100;
/// Maximum number of characters that are kept of a program's name.
const APP_CHARACTERS: usize = 64;

/// A person who has signed in.
pub struct SignedIn {
    /// The secret of the session, which only the client keeps.
    pub secret: Secret,
    /// The account.
    pub user: User,
    /// When the session ends if it is used.
    pub expires: Timestamp,
}

/// Why a sign-in is refused.
#[derive(Debug)]
pub enum SignInError {
    /// The name or the password is wrong, or the account is disabled: which of them is not said.
    BadCredentials,
    /// There were too many tries; the next may be made after this time.
    TooMany(Duration),
    /// The session cannot be stored.
    Unavailable(Rejection),
}

/// A session as its account sees it.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// What is stored of it.
    pub session: Session,
    /// Whether the request was made in it.
    pub is_current: bool,
}

impl Accounts {
    /// Signs in. The time that this takes does not depend on whether the account exists. A session whose
    /// secret the request presents ends: no one is signed in to a session that someone else has prepared.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn sign_in(
        &self,
        (name, password): (&str, &str),
        (address, app): (IpAddr, &str),
        previous: Option<&str>,
    ) -> Result<SignedIn, SignInError> {
        let key = name::key_of(&name.chars().take(256).collect::<String>());
        let queue = self.count_try(&key, address)?;
        let (lock, account, renewed) = loop {
            let account = self.directory().account_named(&key).cloned();
            let is_right = self.is_password(queue, password, account.as_ref()).await;
            let Some(is_right) = is_right else {
                // A password that was not compared is no wrong one.
                self.throttle().uncount(&key, address);
                return Err(SignInError::TooMany(TURN_TIMEOUT));
            };
            let renewed = self.renewed_hash(account.as_ref().filter(|_| is_right), password).await;
            let lock = self.lock_changes().await;
            let current = self.directory().account_named(&key).cloned();
            if is_right
                && current.as_ref().map(|now| &now.password) != account.as_ref().map(|then| &then.password)
            {
                // It was changed while the password was compared.
                continue;
            }
            match current.filter(|current| is_right && !current.is_disabled) {
                Some(account) => break (lock, account, renewed),
                None => {
                    // A person may have typed the password into the field of the name.
                    let name = self.directory().account_named(&key).map(|known| known.name.clone());
                    let name = name.as_deref().unwrap_or("unknown");
                    self.record_failure(name, address, Event::SignInFailed).await;
                    return Err(SignInError::BadCredentials);
                }
            }
        };
        self.throttle().succeeded(&key, address);
        let signed_in = self.start_session(lock, (account, renewed), (address, app), previous).await;
        signed_in.map_err(SignInError::Unavailable)
    }

    /// Returns another hash of the password of an account, if the present one is not as costly as it should be. If
    /// too many others wait, it is replaced another time.
    async fn renewed_hash(&self, account: Option<&Account>, password: &str) -> Option<String> {
        account.filter(|account| password::needs_rehash(&account.password))?;
        let password = Password::read(password)?;
        self.hash(Queue::Known, move |memory| password.hash(memory)).await
    }

    /// Counts a try as failed until its password is found to be right. Returns the queue that it waits in.
    fn count_try(&self, key: &Arc<str>, address: IpAddr) -> Result<Queue, SignInError> {
        let now = Instant::now();
        let mut throttle = self.throttle();
        if let Some(wait) = throttle.wait(key, address, now) {
            return Err(SignInError::TooMany(wait));
        }
        let queue = if throttle.has_failed(address, now) { Queue::Guessing } else { Queue::Known };
        throttle.failed(key, address, now);
        Ok(queue)
    }

    /// Compares a password. Returns `None` if too many others are being compared.
    async fn is_password(&self, queue: Queue, password: &str, account: Option<&Account>) -> Option<bool> {
        let password = Password::read(password);
        let hash = account.map(|account| account.password.clone());
        self.hash(queue, move |memory| password::verify(password.as_ref(), hash.as_deref(), memory)).await
    }

    /// Adds a refusal to the audit log.
    async fn record_failure(&self, name: &str, address: IpAddr, event: Event) {
        let entry = self.entry(name, Some(address), event);
        self.store_entries(vec![entry]).await;
    }

    async fn start_session(
        &self,
        lock: ChangeLock,
        (mut account, renewed): (Account, Option<String>),
        (address, app): (IpAddr, &str),
        previous: Option<&str>,
    ) -> Result<SignedIn, Rejection> {
        let (secret, created) = (Secret::of_session(), (self.clock)());
        let session = Session {
            id: Uuid::new_v4(),
            account: account.id,
            digest: secret.digest(),
            created,
            last_used: created,
            address: address.to_string(),
            app: app.chars().filter(|c| !c.is_control()).take(APP_CHARACTERS).collect(),
        };
        let mut changes = Vec::new();
        {
            let directory = self.directory();
            if let Some(previous) = previous.and_then(|secret| directory.session_by(&Digest::of(secret))) {
                changes.push(Change::EndSession(previous.session.id));
            }
            let mut own = directory.sessions_of(account.id);
            own.sort_by_key(|live| live.used_at);
            let surplus = (own.len() + 1).saturating_sub(MAX_SESSIONS);
            changes.extend(own[..surplus].iter().map(|live| Change::EndSession(live.session.id)));
        }
        let user = User { id: account.id, name: account.name.clone(), role: account.role };
        let entry = self.entry(&account.name, Some(address), Event::SignedIn { app: session.app.clone() });
        if let Some(hash) = renewed {
            account.password = hash;
            changes.push(Change::Account(account));
        }
        changes.push(Change::Session(session));
        self.store_and_apply(lock, changes, vec![entry]).await.map_err(|error| unavailable(&error))?;
        let absolute = i64::try_from(self.lifetimes.absolute.as_millis()).unwrap_or(i64::MAX);
        let expires = Timestamp::from_millis(created.as_millis().saturating_add(absolute));
        Ok(SignedIn { secret, user, expires })
    }

    /// Returns the sessions of the caller's account, oldest first. A token does not see them.
    pub fn sessions(&self, caller: &Caller) -> Vec<OwnSession> {
        if matches!(caller.credential, Credential::Token(_)) {
            return Vec::new();
        }
        let directory = self.directory();
        let own = directory.sessions_of(caller.user).into_iter();
        own.map(|live| OwnSession {
            is_current: caller.credential == Credential::Session(live.session.id),
            session: live.session.clone(),
        })
        .collect()
    }

    /// Returns when the caller's session or token ends, if it ends.
    pub fn expires(&self, caller: &Caller) -> Option<Timestamp> {
        let directory = self.directory();
        match caller.credential {
            Credential::Local => None,
            Credential::Token(id) => directory.token(id)?.token.expires,
            Credential::Session(id) => {
                let left = directory.session(id)?.ends_at.saturating_duration_since(Instant::now());
                let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
                Some(Timestamp::from_millis((self.clock)().as_millis().saturating_add(left)))
            }
        }
    }

    /// Ends the caller's own session.
    ///
    /// # Errors
    /// `forbidden` for a token, which is revoked and not signed out; `unavailable`.
    pub async fn sign_out(&self, caller: &Caller, address: IpAddr) -> Result<(), Rejection> {
        let Credential::Session(id) = caller.credential else {
            return Err(Rejection::new(Code::Forbidden, "a token has no session to sign out of"));
        };
        self.end(caller, id, address, Event::SignedOut).await
    }

    /// Ends a session of the caller's account. Nothing happens if there is none with this id.
    ///
    /// # Errors
    /// `forbidden` for a token; `unavailable`.
    pub async fn end_session(&self, caller: &Caller, id: Uuid, address: IpAddr) -> Result<(), Rejection> {
        if matches!(caller.credential, Credential::Token(_)) {
            return Err(Rejection::new(Code::Forbidden, "a token may not end sessions"));
        }
        self.end(caller, id, address, Event::SessionEnded).await
    }

    async fn end(&self, caller: &Caller, id: Uuid, address: IpAddr, event: Event) -> Result<(), Rejection> {
        let lock = self.lock_changes().await;
        let is_own = self.directory().session(id).is_some_and(|live| live.session.account == caller.user);
        if !is_own {
            return Ok(());
        }
        self.record(lock, vec![Change::EndSession(id)], caller, Some(address), vec![event]).await
    }

    /// Changes the caller's own password, and ends its other sessions.
    ///
    /// # Errors
    /// `badCredentials` if the old one is wrong, `tooMany` like a sign-in, or a rejection of the new one.
    pub async fn change_password(
        &self,
        caller: &Caller,
        (old, new): (&str, &str),
        address: IpAddr,
    ) -> Result<Result<(), Rejection>, SignInError> {
        let Some(account) = self.directory().account(caller.user).cloned() else {
            return Ok(Err(Rejection::new(Code::Forbidden, "this account has no password")));
        };
        if !matches!(caller.credential, Credential::Session(_)) {
            return Ok(Err(Rejection::new(Code::Forbidden, "a token may not change a password")));
        }
        if let Err(rejection) = self.check_current(caller) {
            return Ok(Err(rejection));
        }
        self.count_try(&account.key, address)?;
        match self.is_password(Queue::Known, old, Some(&account)).await {
            None => {
                self.throttle().uncount(&account.key, address);
                return Err(SignInError::TooMany(TURN_TIMEOUT));
            }
            Some(false) => {
                self.record_failure(&account.name, address, Event::OldPasswordWrong).await;
                return Err(SignInError::BadCredentials);
            }
            Some(true) => self.throttle().succeeded(&account.key, address),
        }
        let password = match Password::new(new, &account.name) {
            Ok(password) => password,
            Err(error) => return Ok(Err(invalid(error.to_string()))),
        };
        Ok(self.set_password(account.id, password, caller, address).await)
    }

    pub(super) fn throttle(&self) -> std::sync::MutexGuard<'_, super::throttle::Throttle> {
        self.throttle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        sync::{
            Arc,
            atomic::{AtomicI64, Ordering},
        },
    };

    use shared::{account::Role, ids::UserId};
    use tokio::time::advance;

    use super::*;
    use crate::accounts::{Lifetimes, LocalAccount, Origin, Presented};

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const PASSWORD: &str = "harbour lamp forty";
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Returns accounts with a person, and what sets their wall clock.
    async fn with_ann() -> (Accounts, Arc<AtomicI64>) {
        let wall = Arc::new(AtomicI64::new(1_000_000_000_000));
        let read = wall.clone();
        let clock = Arc::new(move || Timestamp::from_millis(read.load(Ordering::SeqCst)));
        let local = User { id: UserId(Uuid::nil()), name: "local".into(), role: Role::Admin };
        let lifetimes = Lifetimes { idle: 12 * HOUR, absolute: 30 * 24 * HOUR };
        let accounts = Accounts::in_memory(LocalAccount::in_memory(local), lifetimes, clock).unwrap();
        accounts.add(&accounts.local_caller(), ("ann", PASSWORD), false, HERE).await.unwrap();
        (accounts, wall)
    }

    async fn sign_in(accounts: &Accounts) -> String {
        let signed_in = accounts.sign_in(("ann", PASSWORD), (HERE, "test/1"), None).await;
        signed_in
            .map(|signed_in| signed_in.secret.text().to_owned())
            .unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn is_signed_in(accounts: &Accounts, secret: &str) -> bool {
        let presented = Presented { bearer: None, session: Some(secret) };
        accounts.authenticate(presented, Origin { address: HERE, is_remote: false }).is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_without_use_and_in_any_case_after_its_absolute_lifetime() {
        let (accounts, _) = with_ann().await;
        let unused = sign_in(&accounts).await;
        advance(12 * HOUR).await;
        assert!(!is_signed_in(&accounts, &unused));
        let used = sign_in(&accounts).await;
        for _ in 0..(30 * 24 / 11) {
            advance(11 * HOUR).await;
            assert!(is_signed_in(&accounts, &used));
        }
        advance(11 * HOUR).await;
        assert!(!is_signed_in(&accounts, &used), "however often it is used");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_jumps_ends_no_session_and_extends_none() {
        let (accounts, wall) = with_ann().await;
        let secret = sign_in(&accounts).await;
        for jump in [24 * 3_600_000, -48 * 3_600_000] {
            wall.fetch_add(jump, Ordering::SeqCst);
            assert!(is_signed_in(&accounts, &secret));
        }
        advance(12 * HOUR).await;
        assert!(!is_signed_in(&accounts, &secret));
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_has_a_limited_number_of_sessions() {
        let (accounts, _) = with_ann().await;
        let first = sign_in(&accounts).await;
        for _ in 1..MAX_SESSIONS {
            advance(Duration::from_secs(1)).await;
            sign_in(&accounts).await;
        }
        assert!(is_signed_in(&accounts, &first));
        advance(Duration::from_secs(1)).await;
        sign_in(&accounts).await;
        let own = accounts.directory().account_named("ann").unwrap().id;
        assert_eq!(accounts.directory().sessions_of(own).len(), MAX_SESSIONS);
        assert!(is_signed_in(&accounts, &first), "the one that was not used for longest has ended");
    }

    /// The cost of a hash was lower when the password was set.
    #[tokio::test]
    async fn windows_that_sign_in_at_once_renew_the_hash_and_all_succeed() {
        let (accounts, _) = with_ann().await;
        let params = argon2::Params::new(8_192, 1, 1, None).unwrap();
        let cheap = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let cheap = argon2::password_hash::PasswordHasher::hash_password(&cheap, PASSWORD.as_bytes())
            .unwrap()
            .to_string();
        let ann = accounts.directory().account_named("ann").cloned().unwrap();
        let weaker = Account { password: cheap.clone(), ..ann };
        let lock = accounts.lock_changes().await;
        accounts.store_and_apply(lock, vec![Change::Account(weaker)], Vec::new()).await.unwrap();
        let signing_in = (0..3).map(|_| sign_in(&accounts));
        let secrets = futures_util::future::join_all(signing_in).await;
        assert!(secrets.iter().all(|secret| is_signed_in(&accounts, secret)));
        let hash = accounts.directory().account_named("ann").unwrap().password.clone();
        assert!(hash != cheap && !password::needs_rehash(&hash));
    }

    /// Many addresses guess at once.
    #[tokio::test]
    async fn a_person_signs_in_while_hundreds_of_addresses_guess() {
        let (accounts, _) = with_ann().await;
        let accounts = Arc::new(accounts);
        let guess = |number: u32| {
            let (accounts, address) = (accounts.clone(), IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)));
            async move { accounts.sign_in(("ann", "wrong lamp forty"), (address, "x"), None).await.err() }
        };
        // Each has failed before.
        for number in 0..200 {
            accounts.throttle().failed(
                &"ann".into(),
                Ipv4Addr::from(0x0a00_0000 + number).into(),
                Instant::now(),
            );
        }
        let guessing = tokio::spawn(futures_util::future::join_all((0..200).map(guess)));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let started = std::time::Instant::now();
        assert!(accounts.sign_in(("ann", PASSWORD), (HERE, "x"), None).await.is_ok());
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert!(!guessing.is_finished(), "the others still wait");
        guessing.abort();
    }
}
