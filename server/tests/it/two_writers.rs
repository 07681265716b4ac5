//! Two servers that write the same watchlist, as they never should: the journal accepts only the batches of
//! the one that knows the newest revision.

use std::{collections::BTreeMap, sync::Arc};

use server::{
    hub::Hub,
    journal::{Journal, ReadLimit, Verdict, sqlite::SqliteJournal},
};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, Revision, WatchlistId},
    rejection::Code,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{accounts, admin, room_context, wait_for};

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const EDITS: u64 = 60;

/// Returns two hubs of one journal, which has a watchlist.
async fn two_writers() -> (Arc<SqliteJournal>, [Hub; 2], TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let first = Hub::open(room_context(journal.clone()), accounts()).await.unwrap();
    first.create(&admin(), Some(LIST), "Shared", None).await.unwrap();
    let second = Hub::open(room_context(journal.clone()), accounts()).await.unwrap();
    (journal, [first, second], folder)
}

/// Sends an edit until it is accepted, and returns its revision.
async fn edit_until_accepted(hub: &Hub, client: ClientId, edit: u64) -> Revision {
    wait_for("the edit to be accepted", async || {
        let list = hub.connect(&admin(), LIST).unwrap();
        let changes = vec![Change::rename(&format!("{client} {edit}"))];
        match list.edit_answered((client, EditId(edit)), Ok(changes)).await {
            Ok(Verdict::Accepted(revision)) => Some(revision),
            Ok(Verdict::Rejected(rejection)) => {
                assert_eq!(rejection.code, Code::Unavailable, "{rejection}");
                None
            }
            Err(_room_ended) => None,
        }
    })
    .await
}

/// Makes the edits of one client, and returns which is at each revision.
async fn edits_of(hub: &Hub, client: u128) -> BTreeMap<Revision, (ClientId, EditId)> {
    let client = ClientId(Uuid::from_u128(client));
    let mut accepted = BTreeMap::new();
    for edit in 1..=EDITS {
        let revision = edit_until_accepted(hub, client, edit).await;
        assert!(accepted.insert(revision, (client, EditId(edit))).is_none(), "{revision} twice");
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_of_two_writers_are_neither_lost_nor_accepted_twice() {
    let (journal, [first, second], _folder) = two_writers().await;
    let (mut accepted, others) = tokio::join!(edits_of(&first, 1), edits_of(&second, 2));
    accepted.extend(others);
    let commits = journal.commits(LIST, Revision(0), ReadLimit::ALL).await.unwrap();
    let stored = commits.iter().map(|commit| (commit.revision, (commit.by.client, commit.by.edit)));
    assert_eq!(stored.clone().collect::<BTreeMap<_, _>>(), accepted);
    assert!(stored.map(|(revision, _)| revision.0).eq(1..=2 * EDITS), "no gaps, and one order");
}

#[tokio::test]
async fn a_rejection_of_a_room_that_missed_a_commit_is_not_stored() {
    let (_journal, [first, second], _folder) = two_writers().await;
    let client = ClientId(Uuid::from_u128(1));
    let outdated = second.connect(&admin(), LIST).unwrap();
    outdated.read().await.unwrap();
    assert_eq!(edit_until_accepted(&first, client, 1).await, Revision(1));
    // The edit is empty, so only its answer would be written.
    let Verdict::Rejected(rejection) = outdated.edit_answered((client, EditId(2)), Ok(vec![])).await.unwrap()
    else {
        panic!("an empty edit is not accepted")
    };
    assert_eq!(rejection.code, Code::Unavailable);
    wait_for("the end of the room", async || outdated.is_gone().then_some(())).await;
    assert_eq!(edit_until_accepted(&second, client, 2).await, Revision(2));
}

#[tokio::test]
async fn a_deleted_watchlist_accepts_no_edit() {
    let (journal, [first, second], _folder) = two_writers().await;
    let outdated = second.connect(&admin(), LIST).unwrap();
    outdated.read().await.unwrap();
    first.delete(&admin(), LIST).await.unwrap();
    let changes = Ok(vec![Change::rename("Too late")]);
    let verdict = outdated.edit_answered((ClientId(Uuid::nil()), EditId(1)), changes).await.unwrap();
    assert!(matches!(verdict, Verdict::Rejected(rejection) if rejection.code == Code::Unavailable));
    assert!(journal.commits(LIST, Revision(0), ReadLimit::ALL).await.unwrap().is_empty());
}
