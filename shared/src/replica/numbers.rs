//! Edit numbers that the server knows from other edits, sent by a copy of this client's data: the client
//! continues under a new id, and its unanswered edits get numbers that were never used.

use super::{event::Event, kept::KeptEdit, renewal::Renewal, state::Replica};
use crate::{
    ids::{ClientId, EditId, WatchlistId},
    rejection::Code,
    wire::server,
};

impl Replica {
    /// Continues under a new client id, in response to [`Event::NumbersReused`]. The unanswered edits get new
    /// numbers that were never used. Returns each edit with its old number. The caller reconnects.
    pub fn renew(&mut self, client: ClientId) -> Vec<(EditId, KeptEdit)> {
        self.disconnected();
        self.client = client;
        self.renewal = Renewal::default();
        let mut renumbered = Vec::with_capacity(self.unanswered.len());
        for (old, watchlist) in std::mem::take(&mut self.unanswered) {
            let edit = self.next_edit;
            self.next_edit = edit.next();
            self.unanswered.insert(edit, watchlist);
            let Some(list) = self.lists.get_mut(&watchlist) else { continue };
            list.pending_mut().renumber(old, client, edit);
            let changes = list.pending().changes(edit).unwrap_or_default().to_vec();
            renumbered.push((old, KeptEdit { edit, watchlist, changes }));
        }
        renumbered
    }

    /// Returns whether the server has another edit with this number: it reports the number as reused, or it
    /// reports the number of an edit from this run as too old.
    pub(super) fn is_number_conflict(&self, rejected: &server::Rejected) -> bool {
        match rejected.rejection.code {
            Code::EditReused => true,
            Code::TooOld => self
                .lists
                .get(&rejected.watchlist)
                .is_some_and(|list| list.pending().is_from_this_run(rejected.edit)),
            _ => false,
        }
    }

    /// Handles an edit whose number the server knows from another edit, sent by a copy of this client's data.
    /// The edit waits for a new number.
    pub(super) fn on_number_reused(&mut self, watchlist: WatchlistId, edit: EditId) {
        if !self.unanswered.contains_key(&edit) {
            return;
        }
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.pending_mut().mark_reused(edit);
        }
        self.renewal.begin();
        self.send_edits();
        self.request_new_id_if_drained();
    }

    /// Requests a new client id once no edit can be answered under the old one any more.
    pub(super) fn request_new_id_if_drained(&mut self) {
        let can_be_answered = |(edit, watchlist): (&EditId, &WatchlistId)| {
            self.lists.get(watchlist).is_some_and(|list| list.pending().can_be_answered(*edit))
        };
        if self.renewal.is_draining() && !self.unanswered.iter().any(can_be_answered) {
            self.renewal = Renewal::Requested;
            self.events.push(Event::NumbersReused);
        }
    }
}
