//! What holds at the end of a run.

use std::collections::BTreeSet;

use server::{hub::Hub, journal::Verdict};
use shared::{ids::WatchlistId, rejection::Code, replica::Outcome};

use super::{
    LISTS,
    calls::Calls,
    client::{SimulatedClient, is_unknown_watchlist},
    disk::{Disk, Name, rows_of},
};
use crate::support::admin;

/// Checks that the watchlists served, and those that can be restored, are the ones that are stored.
pub(super) fn assert_served(hub: &Hub, disk: &Disk) {
    let records = disk.records();
    let (living, deleted): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| record.deleted_at.is_none());
    let served: Vec<WatchlistId> = hub.list(&admin()).iter().map(|list| list.watchlist).collect();
    assert_eq!(served, living.iter().map(|record| record.id).collect::<Vec<_>>(), "the watchlists served");
    for record in &deleted {
        let opened = hub.connect(&admin(), record.id).err().map(|rejection| rejection.code);
        assert_eq!(opened, Some(Code::UnknownWatchlist), "a deleted watchlist is not served");
    }
    let restorable: BTreeSet<_> =
        hub.deleted(&admin()).iter().map(|list| (list.watchlist, list.deleted_at.as_millis())).collect();
    let stored = deleted.iter().filter_map(|record| Some((record.id, record.deleted_at?.as_millis())));
    assert_eq!(restorable, stored.collect(), "the deleted watchlists");
}

/// Checks that the list of watchlists shows the newest state of each.
pub(super) fn assert_listed(hub: &Hub, disk: &Disk) {
    let listed = hub.list(&admin());
    let listed: Vec<_> =
        listed.into_iter().map(|list| (list.watchlist, list.name, list.revision, list.rows)).collect();
    let stored: Vec<_> = disk
        .records()
        .into_iter()
        .map(|record| (record.id, record.name, record.revision, record.rows))
        .collect();
    assert_eq!(listed, stored, "the list of watchlists");
}

/// Checks that a client shows the stored watchlists.
pub(super) fn assert_shows_what_is_stored(client: &SimulatedClient, disk: &Disk) {
    for list in LISTS {
        let truth = disk.replayed(list, disk.at(list).unwrap().revision);
        let shown = client.replica.list(list).unwrap().state().unwrap();
        let (shown_rows, true_rows) = (rows_of(&shown.freeze()), rows_of(&truth.freeze()));
        assert!(shown.has_same_content(&truth), "shown {shown_rows:#?}\nexpected {true_rows:#?}");
    }
}

/// Checks that the edits of a client are stored in its order, unless it has restored a copy and numbered some
/// twice.
pub(super) fn assert_order(disk: &Disk, client: &SimulatedClient) {
    for list in disk.contents().lists.values() {
        let authors = list.commits.iter().map(|commit| &commit.by);
        let edits = authors.filter(|by| by.client == client.replica.client()).map(|by| by.edit);
        assert!(edits.is_sorted(), "the edits of {} are not in order", client.replica.client());
    }
}

/// Checks that every accepted edit is stored once as it was sent, and no other.
pub(super) fn assert_edits(disk: &Disk, clients: &[SimulatedClient], calls: &Calls) {
    let (written, count) = disk.edits();
    assert_eq!(written.len(), count, "an edit was applied twice");
    // Edits that may be stored although their clients do not know.
    let mut may_be_stored: BTreeSet<Name> = BTreeSet::new();
    let mut accepted = BTreeSet::new();
    for client in clients {
        assert!(client.outbox.kept.is_empty(), "unanswered edits: {:?}", client.outbox.kept);
        for (name, (outcome, changes)) in &client.answers {
            match outcome {
                Outcome::Accepted(_) => {
                    let stored = written.get(name);
                    assert_eq!(stored, Some(changes), "an accepted edit is not on disk as it was sent");
                    accepted.insert(*name);
                }
                unknown if is_unknown_watchlist(unknown) => {
                    // The number of a lost edit may have been used for another one.
                    let is_same = written.get(name).is_none_or(|stored| stored == changes);
                    assert!(is_same || client.lost.contains(name), "an edit is not on disk as it was sent");
                    may_be_stored.insert(*name);
                }
                Outcome::Rejected(_) => {}
            }
        }
        may_be_stored.extend(&client.lost);
    }
    for (name, changes) in &calls.sent {
        let without_guards: Vec<_> = changes.iter().cloned().map(|change| change.without_guard()).collect();
        let stored = written.get(name);
        assert!(stored.is_none_or(|stored| *stored == without_guards), "it is stored as it was sent");
        match calls.answers.get(name) {
            Some(Verdict::Accepted(_)) => assert!(stored.is_some(), "an accepted edit is not on disk"),
            Some(Verdict::Rejected(rejection)) => assert!(stored.is_none(), "{rejection}, but stored"),
            None => {}
        }
        may_be_stored.insert(*name);
    }
    let unknown: Vec<_> =
        written.keys().filter(|name| !accepted.contains(name) && !may_be_stored.contains(name)).collect();
    assert!(unknown.is_empty(), "edits on disk that were not answered: {unknown:?}");
}
