//! The server outside this user's processes that this process has joined, with the account there.

use std::{io, time::Duration};

use shared::{ids::UserId, number::Separators};

use crate::{
    account::{Account, AccountEvent},
    servers::{Joining, KnownAccount},
    store::{Connection, Store},
};

/// Why nothing is loaded before the person has signed in.
const SIGNED_OUT: &str = "not signed in";

/// Opens the store of an account; `None` for one that is not known yet.
pub type OpenStore = Box<dyn Fn(Option<UserId>) -> io::Result<Store> + Send>;

/// The joined server.
pub struct Joined {
    /// Its address, what is trusted there, and what is kept of it.
    pub joining: Joining,
    /// The account there.
    pub account: Account,
    open_store: OpenStore,
    /// The account whose watchlists and edits the store has, if the person signs in.
    store_of: Option<UserId>,
}

impl Joined {
    /// Creates it. The store is that of the account that was last signed in.
    pub fn new(joining: Joining, account: Account, open_store: OpenStore) -> Self {
        let store_of = joining.account().map(|known| known.id);
        Self { joining, account, open_store, store_of }
    }

    /// Whether the person has to consent before anything is sent.
    pub fn needs_consent(&self) -> bool {
        self.joining.needs_consent()
    }

    /// Asks the person to sign in.
    pub(super) fn require_sign_in(&mut self, is_ended: bool, store: &mut Store, now: Duration) {
        store.disconnected(SIGNED_OUT.to_owned(), None, now);
        self.account.require_sign_in(is_ended);
    }

    /// Handles the answers about the account, and what the server's welcome means for it. Returns what the connection has to do.
    pub(super) fn drain(&mut self, store: &mut Store, separators: Separators, now: Duration) -> Drained {
        let mut drained = Drained::default();
        while let Some(event) = self.account.poll() {
            drained.has_answers = true;
            match event {
                None => {}
                Some(AccountEvent::Notice(text)) => store.notify_until_dismissed(text),
                Some(AccountEvent::SignedIn { user, stays }) => {
                    let known = KnownAccount { id: user.id, name: user.name.to_string(), stays };
                    report_unsaved(self.joining.save_account(Some(known)), store, now);
                    self.use_store_of(user.id, store, separators, now);
                    drained.connects = true;
                }
                Some(AccountEvent::SignedOut) => {
                    report_unsaved(self.joining.save_account(None), store, now);
                    store.disconnected(SIGNED_OUT.to_owned(), None, now);
                    drained.disconnects = true;
                }
            }
        }
        if matches!(store.connection(), Connection::Up { .. }) {
            if self.account.user().is_none()
                && let Some(user) = store.replica().user()
            {
                self.account.welcomed(user.clone());
            }
            report_unsaved(self.joining.save(), store, now);
        }
        drained
    }

    /// Uses the watchlists and edits of the account that has signed in, if those of another one are shown.
    fn use_store_of(&mut self, user: UserId, store: &mut Store, separators: Separators, now: Duration) {
        if self.store_of == Some(user) {
            return;
        }
        let unsent = store.replica().unanswered_count();
        store.finish_copies(now);
        match (self.open_store)(Some(user)) {
            Ok(opened) => *store = opened.with_notices_of(store),
            Err(error) => {
                return store.notify_until_dismissed(format!(
                    "The watchlists of this account cannot be kept on this computer ({error})."
                ));
            }
        }
        self.store_of = Some(user);
        if unsent > 0 {
            let edits = separators.format_count(unsent, "edit", "edits");
            store.notify_until_dismissed(format!(
                "{edits} of the account that was signed in before were not sent. They are kept and will be sent when it signs in \
                 again."
            ));
        }
    }
}

/// What the connection has to do after the answers about the account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drained {
    /// Something has changed that the windows draw.
    pub(super) has_answers: bool,
    /// The next attempt to connect starts at once.
    pub(super) connects: bool,
    /// The connection is closed.
    pub(super) disconnects: bool,
}

fn report_unsaved(saved: io::Result<()>, store: &mut Store, now: Duration) {
    if let Err(error) = saved {
        let text =
            format!("Cannot save how this server is joined: {error}. You will be asked again next time.");
        store.notify(text, now);
    }
}
