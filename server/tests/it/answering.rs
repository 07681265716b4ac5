//! A room whose channel is behind: edits are answered as soon as they are durable.

use std::sync::Arc;

use futures_util::StreamExt;
use server::{
    bus::local,
    event::Event,
    hub::Hub,
    journal::{Journal, Verdict, sqlite::SqliteJournal},
    room::{self, EditRequest, Live, Reply},
};
use shared::{
    account::Role,
    edit::Change,
    ids::{ClientId, EditId, Revision, WatchlistId},
};
use tokio::{sync::oneshot, time::timeout};
use uuid::Uuid;

use crate::support::{PATIENCE, accounts, admin, room_context};

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const EDITS: u64 = 200;

#[tokio::test]
async fn answers_do_not_wait_for_a_channel_that_is_behind() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let context = room_context(journal.clone());
    Hub::open(context.clone(), accounts())
        .await
        .unwrap()
        .create(&admin(), Some(LIST), "List", None)
        .await
        .unwrap();
    let record = journal.watchlists().await.unwrap().remove(0);
    let live = Arc::new(Live::new(record.name, record.revision, record.rows));
    let (publisher, mut events) = local::bus();
    let room = room::spawn(context, (LIST, record.epoch), live, publisher);
    for edit in 1..=EDITS {
        let (reply, answer) = oneshot::channel();
        let changes = Ok(vec![Change::rename(&format!("Name {edit}"))]);
        let name = (ClientId(Uuid::nil()), EditId(edit));
        let rights = admin().rights(Some(Role::Admin), LIST, None).unwrap();
        let by = (admin(), rights);
        room.sender().edit(EditRequest::new(by, LIST, name, changes, Reply::Once(reply))).await;
        let verdict = timeout(PATIENCE, answer).await.expect("the answer does not wait").unwrap();
        assert_eq!(verdict, Verdict::Accepted(Revision(edit)));
    }
    // Every commit was published before its answer.
    let mut published = 0;
    while published < EDITS {
        let Some(Some(Event::Published(event))) = futures_util::FutureExt::now_or_never(events.next()) else {
            panic!("only {published} commits are published")
        };
        published += event.commits.len() as u64;
        assert_eq!(event.at.revision, Revision(published));
    }
}
