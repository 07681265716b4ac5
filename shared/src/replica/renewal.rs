//! A client whose numbers the server holds other edits under, as when what it keeps is an old copy: it goes on under a
//! new id.

use super::{Event, KeptEdit, Replica};
use crate::{
    edit::Code,
    ids::{ClientId, EditId, WatchlistId},
    wire::server::Rejected,
};

/// How far a client is whose numbers the server holds other edits under: it needs a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    None,
    /// What may have been answered under the old id has to be answered first; nothing else is sent.
    Draining,
    /// The caller was asked for a new id.
    Asked,
}

impl Replica {
    /// Goes on as another client, as [`Event::NumbersReused`] asks: the unanswered edits get new numbers, which
    /// no earlier edit had. Gives each with its old number. The connection is to be made anew.
    pub fn renew(&mut self, client: ClientId) -> Vec<(EditId, KeptEdit)> {
        self.disconnected();
        self.client = client;
        self.renewal = Renewal::None;
        let mut renamed = Vec::with_capacity(self.unanswered.len());
        for (old, watchlist) in std::mem::take(&mut self.unanswered) {
            let edit = self.next_edit;
            self.next_edit = edit.next();
            self.unanswered.insert(edit, watchlist);
            let Some(list) = self.lists.get_mut(&watchlist) else { continue };
            list.rename(old, client, edit);
            let changes = list.pending_changes(edit).unwrap_or_default().to_vec();
            renamed.push((old, KeptEdit { edit, watchlist, changes }));
        }
        renamed
    }

    /// Whether the server holds other edits under this one's number: it says so, or that a number which is new
    /// here is old to it.
    pub(super) fn is_reused(&self, rejected: &Rejected) -> bool {
        match rejected.rejection.code {
            Code::EditReused => true,
            Code::TooOld => {
                self.lists.get(&rejected.watchlist).is_some_and(|list| list.was_made_here(rejected.edit))
            }
            _ => false,
        }
    }

    /// The server holds another edit under this number: somebody used it before, with a copy of what this
    /// client keeps. The edit waits for a new one.
    pub(super) fn reused(&mut self, watchlist: WatchlistId, edit: EditId) {
        if !self.unanswered.contains_key(&edit) {
            return;
        }
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.mark_reused(edit);
        }
        self.begin_renewal();
        self.send_edits();
        self.ask_for_id_if_due();
    }

    pub(super) fn begin_renewal(&mut self) {
        if self.renewal == Renewal::None {
            self.renewal = Renewal::Draining;
        }
    }

    /// Only once no edit can be answered under the old id any more: sent under two names it would be two edits.
    pub(super) fn ask_for_id_if_due(&mut self) {
        let may_be_answered = |(edit, watchlist): (&EditId, &WatchlistId)| {
            self.lists.get(watchlist).is_some_and(|list| list.may_be_answered(*edit))
        };
        if self.renewal == Renewal::Draining && !self.unanswered.iter().any(may_be_answered) {
            self.renewal = Renewal::Asked;
            self.events.push(Event::NumbersReused);
        }
    }
}
