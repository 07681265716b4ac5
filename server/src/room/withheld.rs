//! The edits of one connection that were answered `unavailable`: until the first of them is sent again, every
//! later one gets the same, whichever watchlist it is for.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use shared::{
    ids::{EditId, WatchlistId},
    limits::MAX_KEPT_ANSWERS,
};

use crate::journal::Sender;

/// Shared by a connection's session and the rooms that judge its edits.
#[derive(Debug)]
pub struct Withheld {
    sender: Sender,
    /// Whether each was received again since; no more than answers are kept of one client.
    edits: Mutex<BTreeMap<(EditId, WatchlistId), bool>>,
}

impl Withheld {
    /// Creates the empty set of a new connection.
    pub fn new(sender: Sender) -> Self {
        Self { sender, edits: Mutex::default() }
    }

    /// Returns the client that numbers the edits.
    pub fn sender(&self) -> Sender {
        self.sender
    }

    /// Returns the withheld edits of one watchlist.
    pub fn edits_of(&self, watchlist: WatchlistId) -> Vec<EditId> {
        self.edits().keys().filter(|(_, of)| *of == watchlist).map(|(edit, _)| *edit).collect()
    }

    /// Records that the session received an edit, before it passes it to a room.
    pub fn mark_received(&self, watchlist: WatchlistId, edit: EditId) {
        if let Some(is_resent) = self.edits().get_mut(&(edit, watchlist)) {
            *is_resent = true;
        }
    }

    /// Whether an edit may be judged; if so it is no longer withheld. An edit of the same watchlist that was
    /// received before the withheld one was sent again precedes it in the room's queue, so it is not
    /// admitted.
    pub fn admits(&self, watchlist: WatchlistId, edit: EditId) -> bool {
        let mut edits = self.edits();
        let mut earlier = edits.range(..(edit, watchlist)).filter(|((number, _), _)| *number < edit);
        let is_admitted = earlier.all(|((_, of), is_resent)| *of != watchlist && *is_resent);
        if is_admitted {
            edits.remove(&(edit, watchlist));
        }
        is_admitted
    }

    /// Withholds an edit, which is answered `unavailable`.
    pub fn withhold(&self, watchlist: WatchlistId, edit: EditId) {
        let mut edits = self.edits();
        edits.insert((edit, watchlist), false);
        if edits.len() > MAX_KEPT_ANSWERS {
            edits.pop_last();
        }
    }

    /// Releases an edit that is stored: its client receives the answer or the commit, and need not send it
    /// again.
    pub fn release(&self, watchlist: WatchlistId, edit: EditId) {
        self.edits().remove(&(edit, watchlist));
    }

    fn edits(&self) -> MutexGuard<'_, BTreeMap<(EditId, WatchlistId), bool>> {
        self.edits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use shared::ids::{ClientId, UserId};
    use uuid::Uuid;

    use super::*;

    const ONE: WatchlistId = WatchlistId(Uuid::from_u128(1));
    const OTHER: WatchlistId = WatchlistId(Uuid::from_u128(2));

    fn withheld(edits: &[(WatchlistId, u64)]) -> Withheld {
        let (user, client) = (UserId(Uuid::from_u128(8)), ClientId(Uuid::from_u128(9)));
        let withheld = Withheld::new(Sender { user, client });
        edits.iter().for_each(|(watchlist, edit)| withheld.withhold(*watchlist, EditId(*edit)));
        withheld
    }

    #[test]
    fn later_edits_of_every_watchlist_wait_until_the_first_is_read_again() {
        let withheld = withheld(&[(ONE, 5)]);
        assert!(!withheld.admits(ONE, EditId(6)) && !withheld.admits(OTHER, EditId(6)));
        assert!(withheld.admits(OTHER, EditId(4)), "an earlier one that is sent again is not held up");
        withheld.mark_received(ONE, EditId(5));
        assert!(withheld.admits(OTHER, EditId(6)));
        assert!(!withheld.admits(ONE, EditId(6)), "it stands before the fifth in the room's queue");
        assert!(withheld.admits(ONE, EditId(5)) && withheld.admits(ONE, EditId(6)));
    }

    #[test]
    fn each_refused_edit_has_to_come_again_before_those_after_it() {
        let withheld = withheld(&[(ONE, 5), (OTHER, 6), (ONE, 7)]);
        withheld.mark_received(ONE, EditId(5));
        assert!(withheld.admits(ONE, EditId(5)));
        assert!(!withheld.admits(ONE, EditId(7)), "the sixth has not come again");
        withheld.release(OTHER, EditId(6));
        assert!(withheld.admits(ONE, EditId(7)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let withheld = withheld(&[]);
        (0..10_000).for_each(|edit| withheld.withhold(ONE, EditId(edit)));
        assert_eq!(withheld.edits().len(), MAX_KEPT_ANSWERS);
        assert!(!withheld.admits(ONE, EditId(1)));
    }
}
