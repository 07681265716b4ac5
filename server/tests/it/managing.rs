//! Watchlists that are created, deleted and restored by callers that go away, and by several at once: what is
//! served is always what the journal has.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;
use server::{
    hub::Hub,
    journal::{Journal, Verdict, sqlite::SqliteJournal},
};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, Revision, WatchlistId},
    rejection::Code,
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::{
    failing_journal::journal::{FailingJournal, Fault},
    support::{PATIENCE, TestServer, accounts, admin, room_context, wait_for},
};

/// Ids of the watchlists that are served.
type Served = BTreeSet<WatchlistId>;

async fn in_journal(journal: &SqliteJournal) -> Served {
    let records = journal.watchlists().await.unwrap();
    records.iter().filter(|record| record.deleted_at.is_none()).map(|record| record.id).collect()
}

/// Makes a call, and drops it after a number of polls.
pub async fn abandon(call: impl Future, polls: usize) {
    let yields = async {
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = call => {}
        () = yields => {}
    }
}

#[tokio::test]
async fn an_operation_ends_even_if_its_caller_drops_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let (hub, ann) = (Hub::open(room_context(journal.clone()), accounts()).await.unwrap(), admin());
    let served = || hub.list(&ann).iter().map(|list| list.watchlist).collect::<Served>();
    for polls in 1..40 {
        let id = WatchlistId(Uuid::now_v7());
        abandon(hub.create(&ann, Some(id), "Abandoned", None), polls).await;
        wait_for("the creation", async || served().contains(&id).then_some(())).await;
        let list = hub.connect(&ann, id).unwrap();
        let (before, _) = list.read().await.unwrap();
        assert_eq!(&*before.name, "Abandoned");
        abandon(hub.delete(&ann, id), polls).await;
        wait_for("the deletion", async || (!served().contains(&id)).then_some(())).await;
        abandon(hub.restore(&ann, id), polls).await;
        wait_for("the restoration", async || served().contains(&id).then_some(())).await;
        assert!(list.is_gone(), "the old room has ended before another can start");
        let renamed = Ok(vec![Change::rename("Edited")]);
        let list = hub.connect(&ann, id).unwrap();
        let verdict = list.edit_answered((ClientId(Uuid::nil()), EditId(1)), renamed).await.unwrap();
        assert_eq!(verdict, Verdict::Accepted(Revision(1)));
        assert_eq!(served(), in_journal(&journal).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_hangs_up_is_done_completely_or_not_at_all() {
    let server = TestServer::start().await;
    let mut ann = server.client().await;
    ann.greet().await;
    let list = ann.create("Core book").await;
    let (address, bearer) = (server.running.serving.address, server.bearer());
    for round in 0..120 {
        ann.send(&json!({ "type": "open", "watchlist": list })).await;
        let (method, path, body) = match round % 3 {
            0 => ("DELETE", format!("/{list}"), String::new()),
            1 => ("POST", format!("/{list}/restore"), String::new()),
            _ => ("POST", String::new(), json!({ "name": format!("List {round}") }).to_string()),
        };
        let length = body.len();
        let request = format!(
            "{method} /api/v1/watchlists{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {bearer}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        sleep(Duration::from_micros(round * 20)).await;
        drop(stream);
    }
    wait_for("the same lists in the journal", async || {
        let mut bob = server.client().await;
        bob.send(&json!({ "type": "hello", "client": bob.id, "app": "test/1" })).await;
        let list = bob.expect("watchlists").await["list"].clone();
        let ids =
            list.as_array().unwrap().iter().map(|list| list["watchlist"].as_str().unwrap().parse().unwrap());
        let served: Served = ids.map(WatchlistId).collect();
        // Opened each time: an open journal does not see what another one writes.
        let journal = SqliteJournal::open(server.folder.path()).await.unwrap();
        (served == in_journal(&journal).await).then_some(())
    })
    .await;
    ann.send(&json!({ "type": "restore", "request": 2, "watchlist": list })).await;
    ann.expect("restored").await;
    let mut bob = server.client().await;
    bob.send(&json!({ "type": "hello", "client": bob.id, "app": "test/1" })).await;
    let served = bob.expect("watchlists").await["list"].clone();
    let server = server.restart().await;
    let mut bob = server.client().await;
    bob.send(&json!({ "type": "hello", "client": bob.id, "app": "test/1" })).await;
    assert_eq!(bob.expect("watchlists").await["list"], served);
}

#[tokio::test]
async fn a_deletion_that_takes_long_delays_only_its_own_watchlist() {
    let folder = tempfile::tempdir().unwrap();
    let journal = FailingJournal::open(folder.path()).await;
    let (hub, ann) = (Arc::new(Hub::open(room_context(journal.clone()), accounts()).await.unwrap()), admin());
    let [slow, other] = [1, 2].map(|id| WatchlistId(Uuid::from_u128(id)));
    for id in [slow, other] {
        hub.create(&ann, Some(id), "List", None).await.unwrap();
    }
    journal.fail(|journal| &journal.deletions, &[Fault::Waits]);
    let deleting = tokio::spawn({
        let (hub, ann) = (hub.clone(), ann.clone());
        async move { hub.delete(&ann, slow).await }
    });
    wait_for("the deletion", async || journal.deletions.lock().unwrap().is_empty().then_some(())).await;
    assert_eq!(hub.connect(&ann, slow).err().unwrap().code, Code::Unavailable);
    let others = async {
        hub.delete(&ann, other).await.unwrap();
        hub.restore(&ann, other).await.unwrap();
        hub.create(&ann, None, "Third", None).await.unwrap();
        hub.connect(&ann, other).unwrap().read().await.unwrap()
    };
    timeout(PATIENCE, others).await.expect("the others do not wait");
    journal.resume.add_permits(1);
    deleting.await.unwrap().unwrap();
    assert_eq!(hub.connect(&ann, slow).err().unwrap().code, Code::UnknownWatchlist);
}
