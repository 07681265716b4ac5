//! The server outside this user's processes that this process has joined, with the account there.

use std::{collections::BTreeMap, io, time::Duration};

use shared::{
    ids::{RowId, UserId},
    number::Separators,
};
use uuid::Uuid;

use super::windows::{Draft, OpenWindows};
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
    /// The texts of the notices about edits that wait for an account.
    waiting_notices: BTreeMap<Option<UserId>, String>,
}

impl Joined {
    /// Creates it. The store is that of the account that was last signed in.
    pub fn new(joining: Joining, account: Account, open_store: OpenStore) -> Self {
        let store_of = joining.account().map(|known| known.id);
        Self { joining, account, open_store, store_of, waiting_notices: BTreeMap::new() }
    }

    /// Whether the person has to consent before anything is sent.
    pub fn needs_consent(&self) -> bool {
        self.joining.needs_consent()
    }

    /// Whether the person has to sign in before the server can be used.
    pub fn is_signed_out(&self) -> bool {
        self.account.user().is_none()
    }

    /// Returns the account whose watchlists and edits the store has.
    pub fn store_of(&self) -> Option<UserId> {
        self.store_of
    }

    /// Asks the person to sign in.
    pub(super) fn require_sign_in(&mut self, is_ended: bool, store: &mut Store, now: Duration) {
        store.disconnected(SIGNED_OUT.to_owned(), None, now);
        self.account.require_sign_in(is_ended);
    }

    /// Handles the answers about the account, and what the server's welcome means for it. Returns what the
    /// connection has to do.
    pub(super) fn drain(
        &mut self,
        store: &mut Store,
        windows: &mut OpenWindows,
        separators: Separators,
        now: Duration,
    ) -> Drained {
        let mut drained = Drained::default();
        while let Some(event) = self.account.poll() {
            drained.has_answers = true;
            match event {
                AccountEvent::Answered => {}
                AccountEvent::Notice(text) => store.notify_all_accounts(text),
                AccountEvent::SignedIn { user, stays } => {
                    let known = KnownAccount { id: user.id, name: user.name.to_string(), stays };
                    report_unsaved(self.joining.save_account(Some(known)), store);
                    drained.connects = self.use_store_of(Some(user.id), (store, windows), separators, now);
                }
                AccountEvent::SignedOut => {
                    report_unsaved(self.joining.save_account(None), store);
                    // The next person at this computer neither sees these watchlists nor adds to these edits.
                    self.use_store_of(None, (store, windows), separators, now);
                    store.disconnected(SIGNED_OUT.to_owned(), None, now);
                    drained.disconnects = true;
                }
            }
        }
        if matches!(store.connection(), Connection::Up { .. }) {
            let user = store.replica().user().cloned();
            if let Some(user) = user.filter(|_| self.account.user().is_none()) {
                let id = user.id;
                self.account.welcomed(user);
                if self.account.has_session() && self.store_of != Some(id) {
                    // Before anything is sent: what waits in the store is somebody else's.
                    self.use_store_of(Some(id), (store, windows), separators, now);
                    drained.disconnects = true;
                }
            }
            report_unsaved(self.joining.save(), store);
        }
        drained
    }

    /// Uses the watchlists and edits of an account, or of none, if those of another one are shown. Returns
    /// whether it does.
    fn use_store_of(
        &mut self,
        account: Option<UserId>,
        (store, windows): (&mut Store, &mut OpenWindows),
        separators: Separators,
        now: Duration,
    ) -> bool {
        if self.store_of == account {
            return true;
        }
        let unsent = store.replica().unanswered_count();
        store.finish_copies(now);
        match (self.open_store)(account) {
            Ok(opened) => {
                for Draft { watchlist, row, column, text } in windows.take_drafts() {
                    store.keep_draft(watchlist, row.unwrap_or(RowId(Uuid::nil())), &column, &text);
                }
                *store = opened.with_public_notices_of(store);
            }
            Err(error) => {
                store.notify_all_accounts(format!(
                    "The watchlists of this account cannot be kept on this computer ({error}). You stay offline."
                ));
                return false;
            }
        }
        let before = std::mem::replace(&mut self.store_of, account);
        if let Some(text) = self.waiting_notices.remove(&account) {
            store.withdraw_public_notice(&text);
        }
        if unsent > 0 {
            let edits = separators.format_count(unsent, "edit", "edits");
            let text = format!(
                "Kept for the account that was signed in before: {edits}, to be sent when it signs in again."
            );
            store.notify_all_accounts(text.clone());
            self.waiting_notices.insert(before, text);
        }
        true
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

fn report_unsaved(saved: io::Result<()>, store: &mut Store) {
    if let Err(error) = saved {
        let text =
            format!("Cannot save how this server is joined: {error}. You will be asked again next time.");
        store.notify_all_accounts(text);
    }
}
