//! Notices for the person.

use std::time::Duration;

use shared::{
    edit::Change,
    ids::{WatchlistId, WindowId},
    number::Separators,
};

use super::{
    act::Act,
    outbox::{KeptNotice, KeptNotices},
    rest::RejectedValue,
    words::restored_text,
};

/// A notice, shown until it is dismissed or expires.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Unique id in this process; later notices have larger ones.
    pub id: u64,
    /// Text of the notice.
    pub text: String,
    /// What the notice offers to do.
    pub offer: Option<Offer>,
    /// The values that were rejected, if the notice is about any; it may name only the first ones.
    pub rejected: Vec<RejectedValue>,
    /// The only window that shows the notice; `None` if all do.
    pub window: Option<WindowId>,
    /// When the notice was added, on the store's clock; `None` for one that never expires.
    pub at: Option<Duration>,
    /// Whether only the account that is signed in may read it.
    pub is_private: bool,
}

/// What a notice offers to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Offer {
    /// Restores a deleted watchlist.
    Restore(WatchlistId),
    /// Sets cells although somebody else has changed them.
    Overwrite(WatchlistId, Vec<Change>),
    /// Undoes the last steps of the notice's window.
    Undo {
        /// The number of steps.
        steps: usize,
        /// What the steps did.
        act: Act,
    },
}

/// The notices that are neither dismissed nor expired, oldest first.
#[derive(Debug, Default)]
pub(super) struct Notices {
    notices: Vec<Notice>,
    last_id: u64,
    /// The last notice about a restored backup, with the names of the watchlists that it is about.
    restored: Option<(u64, Vec<String>)>,
}

impl Notices {
    /// Creates the notices that an outbox has kept.
    pub(super) fn kept(kept: KeptNotices) -> Self {
        let last_id = kept.keys().next_back().copied().unwrap_or_default();
        let notice = |(id, KeptNotice { text, values }): (u64, KeptNotice)| Notice {
            id,
            text,
            offer: None,
            rejected: values,
            window: None,
            at: None,
            is_private: true,
        };
        Self { notices: kept.into_iter().map(notice).collect(), last_id, restored: None }
    }

    /// Takes the notices of another account's store that concern every account. They get new ids: those of the
    /// outbox are in use here.
    pub(super) fn take_public(&mut self, other: &mut Self) {
        self.last_id = self.last_id.max(other.last_id);
        for notice in other.notices.extract_if(.., |notice| !notice.is_private) {
            self.last_id += 1;
            self.notices.push(Notice { id: self.last_id, ..notice });
        }
    }

    /// Removes the notices that concern every account and have this text.
    pub(super) fn withdraw_public(&mut self, text: &str) {
        self.notices.retain(|notice| notice.is_private || notice.text != text);
    }

    pub(super) fn all(&self) -> &[Notice] {
        &self.notices
    }

    /// Returns the id of the newest notice so far.
    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }

    pub(super) fn add(&mut self, text: String, offer: Option<Offer>, at: Option<Duration>) {
        self.add_in(None, text, offer, at);
    }

    /// Adds a notice that only one window shows, or all of them.
    pub(super) fn add_in(
        &mut self,
        window: Option<WindowId>,
        text: String,
        offer: Option<Offer>,
        at: Option<Duration>,
    ) {
        // A repetition of the last notice is dropped.
        if self.notices.last().is_none_or(|last| last.text != text || last.window != window) {
            self.push(text, offer, window, at);
        }
    }

    /// Returns whether a notice is neither dismissed nor expired.
    pub(super) fn is_shown(&self, id: u64) -> bool {
        self.notices.iter().any(|notice| notice.id == id)
    }

    /// Adds rejected values to a notice, whose text and offer are replaced, or to a new one. Returns its id.
    pub(super) fn extend(
        &mut self,
        old: Option<u64>,
        (text, offer, at): (String, Option<Offer>, Option<Duration>),
        rejected: Vec<RejectedValue>,
    ) -> u64 {
        if let Some(notice) = self.notices.iter_mut().find(|notice| Some(notice.id) == old) {
            (notice.text, notice.offer, notice.at) = (text, offer, at);
            notice.rejected.extend(rejected);
            return notice.id;
        }
        self.push(text, offer, None, at);
        if let Some(notice) = self.notices.last_mut() {
            notice.rejected = rejected;
        }
        self.last_id
    }

    fn push(&mut self, text: String, offer: Option<Offer>, window: Option<WindowId>, at: Option<Duration>) {
        self.last_id += 1;
        let (id, rejected) = (self.last_id, Vec::new());
        self.notices.push(Notice { id, text, offer, rejected, window, at, is_private: true });
    }

    /// Adds a notice that concerns every account, until it is dismissed.
    pub(super) fn add_public(&mut self, text: String) {
        self.push(text, None, None, None);
        if let Some(notice) = self.notices.last_mut() {
            notice.is_private = false;
        }
    }

    /// Offers to undo what a window has just done. Edits of the same instant are one act.
    pub(super) fn offer_undo(&mut self, window: WindowId, act: Act, separators: Separators, now: Duration) {
        let earlier = self.withdraw_undo(window).filter(|notice| notice.at == Some(now));
        let (mut steps, mut whole) = (0, Act::default());
        if let Some(Offer::Undo { steps: before, act }) = earlier.and_then(|notice| notice.offer) {
            (steps, whole) = (before, act);
        }
        whole.add(act);
        if let Some(text) = whole.text(separators) {
            let offer = Offer::Undo { steps: steps + 1, act: whole };
            self.push(text, Some(offer), Some(window), Some(now));
        }
    }

    /// Removes the notice that offers to restore a watchlist, which is restored.
    pub(super) fn withdraw_restoration(&mut self, watchlist: WatchlistId) {
        self.notices.retain(|notice| notice.offer != Some(Offer::Restore(watchlist)));
    }

    /// Removes the notice that offers to undo a window's last act, because that is not the last any more.
    pub(super) fn withdraw_undo(&mut self, window: WindowId) -> Option<Notice> {
        let is_undo = |notice: &Notice| {
            notice.window == Some(window) && matches!(notice.offer, Some(Offer::Undo { .. }))
        };
        let index = self.notices.iter().position(is_undo)?;
        Some(self.notices.remove(index))
    }

    /// Reports that a watchlist was restored from a backup. As long as the notice is shown, further
    /// watchlists are added to it, because a backup contains all of them.
    pub(super) fn add_restored(&mut self, name: String) {
        let shown = self
            .restored
            .as_mut()
            .and_then(|(id, names)| Some((self.notices.iter_mut().find(|notice| notice.id == *id)?, names)));
        match shown {
            Some((notice, names)) => {
                if !names.contains(&name) {
                    names.push(name);
                    notice.text = restored_text(names);
                }
            }
            None => {
                let names = vec![name];
                self.add(restored_text(&names), None, None);
                self.restored = Some((self.last_id, names));
            }
        }
    }

    pub(super) fn dismiss(&mut self, id: u64) {
        self.notices.retain(|notice| notice.id != id);
    }

    pub(super) fn expire(&mut self, now: Duration, after: Duration) {
        self.notices.retain(|notice| notice.at.is_none_or(|at| now.saturating_sub(at) < after));
    }
}
