//! What is to be said to the person.

use std::time::Duration;

use shared::ids::WatchlistId;

/// Something to be said to the person, until it is dismissed or old.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Names it.
    pub id: u64,
    /// What.
    pub text: String,
    /// A watchlist that can be brought back from here.
    pub restore: Option<WatchlistId>,
    /// When it was said, on the store's clock; one that stays until it is read never grows old.
    pub at: Option<Duration>,
}

/// What was said and not yet read, oldest first.
#[derive(Debug, Default)]
pub(super) struct Notices {
    notices: Vec<Notice>,
    said: u64,
}

impl Notices {
    pub(super) fn all(&self) -> &[Notice] {
        &self.notices
    }

    pub(super) fn add(&mut self, text: String, restore: Option<WatchlistId>, at: Option<Duration>) {
        // The same thing said twice in a row is said once.
        if self.notices.last().is_none_or(|last| last.text != text) {
            self.said += 1;
            self.notices.push(Notice { id: self.said, text, restore, at });
        }
    }

    pub(super) fn dismiss(&mut self, id: u64) {
        self.notices.retain(|notice| notice.id != id);
    }

    pub(super) fn expire(&mut self, now: Duration, after: Duration) {
        self.notices.retain(|notice| notice.at.is_none_or(|at| now.saturating_sub(at) < after));
    }
}
