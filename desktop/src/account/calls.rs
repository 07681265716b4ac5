//! The thread that makes the calls about the account, one after the other.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use shared::{
    account::{ListRole, User},
    ids::{UserId, WatchlistId},
    wire::{
        account_api::{
            AccessEntry, ChangePassword, Hidden, OwnAccount, PersonRef, SetAccess, SignIn, SignedIn,
        },
        api::List,
    },
};
use tracing::warn;
use url::form_urlencoded;
use uuid::Uuid;

use super::{identity::Identity, keyring};
use crate::{
    remote::{Answer, CallError, Credential, Request, Server, call},
    wake::Wake,
};

/// A call to make.
#[derive(Debug)]
pub(super) enum Ask {
    SignIn {
        name: String,
        password: Hidden,
        stays: bool,
    },
    /// Signs the account out that is signed in, if it is known.
    SignOut(Option<UserId>),
    Sessions,
    EndSession(Uuid),
    ChangePassword {
        old: Hidden,
        new: Hidden,
    },
    People(String),
    Access(WatchlistId),
    SetAccess {
        watchlist: WatchlistId,
        user: Option<UserId>,
        role: Option<ListRole>,
    },
}

/// An answer.
#[derive(Debug)]
pub(super) enum Reply {
    SignedIn { user: User, stays: bool },
    SignInFailed(String),
    SignedOut,
    Notice(String),
    Sessions(Result<OwnAccount, String>),
    PasswordChanged(Result<(), String>),
    People(String, Result<Vec<PersonRef>, String>),
    Access(WatchlistId, Result<Vec<AccessEntry>, String>),
    AccessRefused(WatchlistId, String),
}

/// Starts the thread. It ends when the sender is dropped.
pub(super) fn start(
    server: Server,
    identity: Identity,
    capacity: usize,
    wake: Wake,
) -> std::io::Result<(SyncSender<Ask>, Receiver<Reply>)> {
    let (asks, queue) = sync_channel::<Ask>(capacity);
    let (replies, answers) = sync_channel(2 * capacity);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut caller = Caller { server, identity, replies, wake };
    thread::Builder::new().name("afterglow-account".to_owned()).spawn(move || {
        for ask in queue {
            runtime.block_on(caller.answer(ask));
        }
    })?;
    Ok((asks, answers))
}

struct Caller {
    server: Server,
    identity: Identity,
    replies: SyncSender<Reply>,
    wake: Wake,
}

impl Caller {
    fn reply(&self, reply: Reply) {
        // Sending fails only if the windows are gone.
        if self.replies.send(reply).is_ok() {
            (self.wake)();
        }
    }

    async fn call(&self, request: Request) -> Result<Answer, CallError> {
        let credential = self.identity.known();
        let answer = call(&self.server, credential.as_ref(), request).await;
        if let (Err(CallError::SignedOut), Some(credential)) = (&answer, &credential) {
            self.identity.reject(credential);
        }
        answer
    }

    async fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::SignIn { name, password, stays } => self.sign_in(name, password, stays).await,
            Ask::SignOut(account) => self.sign_out(account).await,
            Ask::Sessions => self.reply_sessions().await,
            Ask::EndSession(id) => {
                let ended = self.call(Request::new("DELETE", format!("/api/v1/session/{id}"))).await;
                match ended {
                    Ok(_) => self.reply_sessions().await,
                    Err(error) => self.reply(Reply::Sessions(Err(error.to_string()))),
                }
            }
            Ask::ChangePassword { old, new } => {
                let body = ChangePassword { old, new };
                let changed = self.call(Request::new("POST", "/api/v1/session/password").with(&body)).await;
                let changed = changed.map(drop).map_err(|error| match error {
                    CallError::BadCredentials(_) => "the old password is wrong".to_owned(),
                    error => error.to_string(),
                });
                self.reply(Reply::PasswordChanged(changed));
                // The other sessions have ended.
                self.reply_sessions().await;
            }
            Ask::People(query) => {
                let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
                let people = self.call(Request::new("GET", format!("/api/v1/people?query={encoded}"))).await;
                let people = people.and_then(|answer| answer.json::<List<PersonRef>>());
                self.reply(Reply::People(
                    query,
                    people.map(|people| people.list).map_err(|error| error.to_string()),
                ));
            }
            Ask::Access(watchlist) => self.reply_access(watchlist).await,
            Ask::SetAccess { watchlist, user, role } => {
                let path = format!("/api/v1/watchlists/{watchlist}/access");
                let set = self.call(Request::new("PUT", path).with(&SetAccess { user, role })).await;
                if let Err(error) = set {
                    self.reply(Reply::AccessRefused(watchlist, error.to_string()));
                }
                self.reply_access(watchlist).await;
            }
        }
    }

    async fn sign_in(&mut self, name: String, password: Hidden, stays: bool) {
        let request = Request::new("POST", "/api/v1/session").with(&SignIn { name, password });
        // A credential of another session has no part in this one.
        let answer = call(&self.server, None, request).await;
        let signed_in = answer.and_then(|answer| {
            let session = answer.session.clone();
            let session =
                session.ok_or_else(|| CallError::Unexpected("no session was started".to_owned()))?;
            Ok((answer.json::<SignedIn>()?, session))
        });
        let (SignedIn { user, .. }, session) = match signed_in {
            Ok(signed_in) => signed_in,
            Err(CallError::BadCredentials(_)) => {
                return self.reply(Reply::SignInFailed("The name or the password is wrong.".to_owned()));
            }
            Err(error) => return self.reply(Reply::SignInFailed(error.to_string())),
        };
        let stored = if stays {
            keyring::save(&self.server.base, user.id, &session)
        } else {
            // One of an earlier sign-in is no longer wanted; without a store there is none.
            drop(keyring::remove(&self.server.base, user.id));
            Ok(())
        };
        self.identity.set(Some(Credential::Session(session)));
        self.reply(Reply::SignedIn { user, stays: stays && stored.is_ok() });
        if let Err(why) = stored {
            warn!(why, "the system has no password store");
            let text = "You are signed in until Afterglow is closed. This computer has no password store that could keep the session.";
            self.reply(Reply::Notice(text.to_owned()));
        }
    }

    async fn sign_out(&mut self, account: Option<UserId>) {
        // First here: the person may quit before the server has answered.
        let credential = self.identity.take();
        if let Some(account) = account {
            drop(keyring::remove(&self.server.base, account));
        }
        self.reply(Reply::SignedOut);
        let ended = call(&self.server, credential.as_ref(), Request::new("DELETE", "/api/v1/session")).await;
        if let Err(error) = ended
            && !matches!(error, CallError::SignedOut)
        {
            self.reply(Reply::Notice(format!(
                "You are signed out here, but the server was not reached and keeps the session until it expires: {error}."
            )));
        }
    }

    async fn reply_sessions(&self) {
        let sessions = self.call(Request::new("GET", "/api/v1/session")).await;
        let sessions = sessions.and_then(|answer| answer.json());
        self.reply(Reply::Sessions(sessions.map_err(|error| error.to_string())));
    }

    async fn reply_access(&self, watchlist: WatchlistId) {
        let access = self.call(Request::new("GET", format!("/api/v1/watchlists/{watchlist}/access"))).await;
        let access = access.and_then(|answer| answer.json::<List<AccessEntry>>());
        self.reply(Reply::Access(
            watchlist,
            access.map(|access| access.list).map_err(|error| error.to_string()),
        ));
    }
}
