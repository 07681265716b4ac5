//! The person's account on a shared server: signing in and out, its sessions and password, and who may use a
//! watchlist.
//!
//! A thread makes the calls, because they wait for the network and for the system's password store. What it
//! answers is kept here for the windows to draw.

mod calls;
mod identity;
mod keyring;

use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, SyncSender, TrySendError},
};

use shared::{
    account::{ListRole, Role, User},
    ids::{UserId, WatchlistId},
    wire::account_api::{AccessEntry, Hidden, OwnAccount, PersonRef},
};
use uuid::Uuid;

use self::calls::{Ask, Reply};
pub use self::identity::Identity;
use crate::{remote::Server, wake::Wake};

/// Maximum number of calls that wait.
const MAX_CALLS: usize = 64;

/// A request about the account.
#[derive(Clone, Debug, PartialEq)]
pub enum AccountCommand {
    /// Asks for the name and the password.
    OpenSignIn,
    /// Goes on without signing in.
    CloseSignIn,
    /// Signs in.
    SignIn {
        /// The name of the account.
        name: String,
        /// Its password.
        password: Hidden,
        /// Whether the program stays signed in when it is started again.
        stays: bool,
    },
    /// Signs out here.
    SignOut,
    /// Requests the account's sessions.
    RequestSessions,
    /// Ends another session of the account.
    EndSession(Uuid),
    /// Changes the password.
    ChangePassword {
        /// The old password.
        old: Hidden,
        /// The new password.
        new: Hidden,
    },
    /// Requests the people whose names contain a text.
    FindPeople(String),
    /// Requests who may use a watchlist.
    RequestAccess(WatchlistId),
    /// Gives a role on a watchlist to a person, or to everyone, or takes it away.
    SetAccess {
        /// The watchlist.
        watchlist: WatchlistId,
        /// The person; `None` for everyone who is signed in.
        user: Option<UserId>,
        /// The role; `None` for none.
        role: Option<ListRole>,
    },
}

/// What the sign-in view shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignIn {
    /// Whether it is open.
    pub is_open: bool,
    /// Whether the person has opened it, and not the end of a session.
    pub is_requested: bool,
    /// Whether an earlier session has ended.
    pub is_ended: bool,
    /// Whether the server has not answered yet.
    pub is_busy: bool,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// How far a change of the password is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PasswordChange {
    /// None was requested.
    #[default]
    None,
    /// The server has not answered yet.
    Busy,
    /// It was changed.
    Done,
    /// It was not changed, for this reason.
    Failed(String),
}

/// What happened to the account, for the state of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountEvent {
    /// Somebody has signed in.
    SignedIn {
        /// The account.
        user: User,
        /// Whether the program stays signed in.
        stays: bool,
    },
    /// The person has signed out here.
    SignedOut,
    /// Something that the person has to know.
    Notice(String),
    /// Something was answered that the windows draw.
    Answered,
}

/// The account on the server that this process has joined.
#[derive(Debug)]
pub struct Account {
    server: Server,
    asks: SyncSender<Ask>,
    replies: Receiver<Reply>,
    /// The account, once the server has named it.
    user: Option<User>,
    /// Name of the account that was last signed in.
    last_name: Option<String>,
    /// Whether the server is joined with a session rather than with a token.
    has_session: bool,
    sign_in: SignIn,
    sessions: Option<Result<OwnAccount, String>>,
    password: PasswordChange,
    people: Option<(String, Result<Vec<PersonRef>, String>)>,
    access: BTreeMap<WatchlistId, Result<Vec<AccessEntry>, String>>,
    /// Why the last change of a role was refused, with the watchlist.
    refused: Option<(WatchlistId, String)>,
    /// Why a request without another place for its answer was not sent.
    unsent: Option<String>,
}

impl Account {
    /// Starts the thread that makes the calls, which calls `wake` after each answer.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        server: Server,
        identity: Identity,
        last_name: Option<String>,
        has_session: bool,
        wake: Wake,
    ) -> std::io::Result<Self> {
        let (asks, replies) = calls::start(server.clone(), identity, MAX_CALLS, wake)?;
        Ok(Self {
            server,
            asks,
            replies,
            user: None,
            last_name,
            has_session,
            sign_in: SignIn::default(),
            sessions: None,
            password: PasswordChange::None,
            people: None,
            access: BTreeMap::new(),
            refused: None,
            unsent: None,
        })
    }

    /// Returns the server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the account, once the server has named it.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// Returns the name of the account that was last signed in, on this computer.
    pub fn last_name(&self) -> Option<&str> {
        self.last_name.as_deref()
    }

    /// Whether the person has signed in, and can sign out; a token cannot.
    pub fn has_session(&self) -> bool {
        self.has_session && self.user.is_some()
    }

    /// Whether the account administers the server, and therefore owns every watchlist.
    pub fn is_admin(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.role == Role::Admin)
    }

    /// Returns what the sign-in view shows.
    pub fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }

    /// Returns the account's sessions, once they were requested and answered.
    pub fn sessions(&self) -> Option<&Result<OwnAccount, String>> {
        self.sessions.as_ref()
    }

    /// Returns how far a change of the password is.
    pub fn password(&self) -> &PasswordChange {
        &self.password
    }

    /// Returns the people whose names contain a text, once they were requested and answered.
    pub fn people(&self, query: &str) -> Option<&Result<Vec<PersonRef>, String>> {
        self.people.as_ref().filter(|(answered, _)| answered == query).map(|(_, people)| people)
    }

    /// Returns who may use a watchlist, once that was requested and answered.
    pub fn access(&self, watchlist: WatchlistId) -> Option<&Result<Vec<AccessEntry>, String>> {
        self.access.get(&watchlist)
    }

    /// Returns the names of a watchlist's owners, as far as they are known.
    pub fn owners(&self, watchlist: WatchlistId) -> Vec<&str> {
        let entries = self.access.get(&watchlist).and_then(|access| access.as_ref().ok());
        let owners = entries.into_iter().flatten().filter(|entry| entry.role == ListRole::Owner);
        owners.filter_map(|entry| entry.user.as_ref()).map(|user| &*user.name).collect()
    }

    /// Returns why the last change of a role on a watchlist was refused.
    pub fn refusal(&self, watchlist: WatchlistId) -> Option<&str> {
        self.refused.as_ref().filter(|(refused, _)| *refused == watchlist).map(|(_, why)| &**why)
    }

    /// Executes a request.
    pub fn execute(&mut self, command: AccountCommand) {
        let ask = match command {
            AccountCommand::OpenSignIn => {
                (self.sign_in.is_open, self.sign_in.is_requested) = (true, true);
                return;
            }
            AccountCommand::CloseSignIn => {
                self.sign_in = SignIn { is_ended: self.sign_in.is_ended, ..SignIn::default() };
                return;
            }
            AccountCommand::SignIn { name, password, stays } => {
                (self.sign_in.is_busy, self.sign_in.error) = (true, None);
                Ask::SignIn { name, password, stays }
            }
            AccountCommand::SignOut => Ask::SignOut(self.user.as_ref().map(|user| user.id)),
            AccountCommand::RequestSessions => {
                self.password = PasswordChange::None;
                Ask::Sessions
            }
            AccountCommand::EndSession(id) => Ask::EndSession(id),
            AccountCommand::ChangePassword { old, new } => {
                self.password = PasswordChange::Busy;
                Ask::ChangePassword { old, new }
            }
            AccountCommand::FindPeople(query) => Ask::People(query),
            AccountCommand::RequestAccess(watchlist) => {
                self.refused = None;
                Ask::Access(watchlist)
            }
            AccountCommand::SetAccess { watchlist, user, role } => {
                self.refused = None;
                Ask::SetAccess { watchlist, user, role }
            }
        };
        if let Err(TrySendError::Full(ask) | TrySendError::Disconnected(ask)) = self.asks.try_send(ask) {
            self.answer_unsent(ask);
        }
    }

    /// Answers a request for which there is no room, because many wait for a server that does not answer.
    fn answer_unsent(&mut self, ask: Ask) {
        let why = || "too many requests wait for the server; try again later".to_owned();
        match ask {
            Ask::SignIn { .. } => (self.sign_in.is_busy, self.sign_in.error) = (false, Some(why())),
            Ask::SignOut(_) | Ask::EndSession(_) => {
                self.unsent = Some("Too many requests wait for the server. Try again later.".to_owned());
            }
            Ask::Sessions => self.sessions = Some(Err(why())),
            Ask::ChangePassword { .. } => self.password = PasswordChange::Failed(why()),
            Ask::People(query) => self.people = Some((query, Err(why()))),
            Ask::Access(watchlist) => drop(self.access.insert(watchlist, Err(why()))),
            Ask::SetAccess { watchlist, .. } => self.refused = Some((watchlist, why())),
        }
    }

    /// Asks for the name and the password, because the server needs them.
    pub fn require_sign_in(&mut self, is_ended: bool) {
        self.user = None;
        (self.sign_in.is_open, self.sign_in.is_ended) = (true, is_ended);
    }

    /// Records the account that the server's welcome names.
    pub fn welcomed(&mut self, user: User) {
        self.last_name = Some(user.name.to_string());
        self.user = Some(user);
        self.sign_in = SignIn::default();
    }

    /// Takes the next answer; `None` if there is none.
    pub fn poll(&mut self) -> Option<AccountEvent> {
        if let Some(why) = self.unsent.take() {
            return Some(AccountEvent::Notice(why));
        }
        Some(match self.replies.try_recv().ok()? {
            Reply::SignedIn { user, stays } => {
                self.welcomed(user.clone());
                self.forget_answers();
                AccountEvent::SignedIn { user, stays }
            }
            Reply::SignInFailed(why) => {
                (self.sign_in.is_busy, self.sign_in.error) = (false, Some(why));
                AccountEvent::Answered
            }
            Reply::SignedOut => {
                self.forget_answers();
                (self.user, self.last_name) = (None, None);
                AccountEvent::SignedOut
            }
            Reply::Notice(text) => AccountEvent::Notice(text),
            Reply::Sessions(sessions) => {
                self.sessions = Some(sessions);
                AccountEvent::Answered
            }
            Reply::PasswordChanged(result) => {
                self.password = result.map_or_else(PasswordChange::Failed, |()| PasswordChange::Done);
                AccountEvent::Answered
            }
            Reply::People(query, people) => {
                self.people = Some((query, people));
                AccountEvent::Answered
            }
            Reply::Access(watchlist, access) => {
                self.access.insert(watchlist, access);
                AccountEvent::Answered
            }
            Reply::AccessRefused(watchlist, why) => {
                self.refused = Some((watchlist, why));
                AccountEvent::Answered
            }
        })
    }

    fn forget_answers(&mut self) {
        (self.sessions, self.password, self.people) = (None, PasswordChange::None, None);
        self.access.clear();
    }
}
