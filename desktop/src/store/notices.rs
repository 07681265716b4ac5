//! Notices for the person.

use std::time::Duration;

use shared::ids::WatchlistId;

use super::words::restored_text;

/// A notice, shown until it is dismissed or expires.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Unique id in this process.
    pub id: u64,
    /// Text of the notice.
    pub text: String,
    /// Deleted watchlist that the notice offers to restore.
    pub restore: Option<WatchlistId>,
    /// When the notice was added, on the store's clock; `None` for one that never expires.
    pub at: Option<Duration>,
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
    pub(super) fn all(&self) -> &[Notice] {
        &self.notices
    }

    pub(super) fn add(&mut self, text: String, restore: Option<WatchlistId>, at: Option<Duration>) {
        // A repetition of the last notice is dropped.
        if self.notices.last().is_none_or(|last| last.text != text) {
            self.last_id += 1;
            self.notices.push(Notice { id: self.last_id, text, restore, at });
        }
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
