//! Connections that open a watchlist while it changes, is deleted or is restored: each gets every revision
//! once, and an answer to every `open`.

use serde_json::{Value, json};
use server::settings::Settings;
use tokio::task::JoinSet;

use crate::support::{Client, TestServer, insert};

const EDITS: u64 = 400;
const SUBSCRIBERS: usize = 6;

/// A connection's copy of a watchlist, reduced to where it is.
#[derive(Default)]
struct Copy {
    epoch: Value,
    revision: u64,
}

impl Copy {
    /// Follows a message, and checks that no revision is missing or twice.
    fn follow(&mut self, message: &Value) {
        let number = |name: &str| message[name].as_u64().unwrap();
        match message["type"].as_str().unwrap() {
            "snapshot" => {
                self.epoch = message["epoch"].clone();
                self.revision = number("revision");
            }
            "changes" => {
                assert_eq!(number("from"), self.revision, "{message}");
                let revisions = message["commits"].as_array().unwrap().iter();
                let revisions: Vec<u64> =
                    revisions.map(|commit| commit["revision"].as_u64().unwrap()).collect();
                assert!(revisions.is_sorted_by(|one, other| one < other), "{revisions:?}");
                assert!(revisions.iter().all(|of| (self.revision + 1..=number("to")).contains(of)));
                if message["conflated"] == false {
                    assert!(revisions.into_iter().eq(self.revision + 1..=number("to")), "{message}");
                }
                self.revision = number("to");
            }
            _ => {}
        }
    }

    fn open(&self, list: &str, resumes: bool) -> Value {
        let at = json!({ "epoch": self.epoch, "revision": self.revision });
        let mut open = json!({ "type": "open", "watchlist": list });
        if resumes && !self.epoch.is_null() {
            open["at"] = at;
        }
        open
    }
}

/// Opens the watchlist again and again, on the same connection and on others, until it has the last revision.
async fn reopen_until(mut clients: Vec<Client>, list: String, seed: usize) {
    let mut copy = Copy::default();
    let mut round = seed;
    while copy.revision < 1 + EDITS {
        round += 1;
        let index = round % clients.len();
        let client = &mut clients[index];
        client.send(&copy.open(&list, !round.is_multiple_of(3))).await;
        loop {
            let message = client.next().await.expect("the connection stays open");
            // What the server sent before it read the request belongs to the time before.
            if message["type"] == "snapshot" && message["part"] == message["parts"]
                || message["type"] == "resumed"
            {
                copy.follow(&message);
                break;
            }
        }
        for _ in 0..round % 4 {
            if copy.revision < 1 + EDITS {
                copy.follow(&client.next().await.expect("the connection stays open"));
            }
        }
        client.send(&json!({ "type": "close", "watchlist": list })).await;
    }
    assert_eq!(copy.revision, 1 + EDITS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_open_and_resume_while_edits_stream_miss_no_revision_and_get_none_twice() {
    let settings = Settings { edits_per_second: 0, flush_interval_ms: 2, ..Settings::default() };
    let server = TestServer::with(settings).await;
    let mut ann = server.client().await;
    ann.greet().await;
    let list = ann.create("Streamed").await;
    let (row, first) = insert("80", json!({ "price": "0" }));
    ann.edit_answered(&list, json!([first])).await;
    let mut subscribers = JoinSet::new();
    for seed in 0..SUBSCRIBERS {
        let mut clients = vec![server.client().await, server.client().await];
        for client in &mut clients {
            client.greet().await;
        }
        subscribers.spawn(reopen_until(clients, list.clone(), seed));
    }
    for price in 0..EDITS {
        let set = json!([{ "set": { "row": row, "column": "price", "value": price.to_string() } }]);
        assert_eq!(ann.edit_answered(&list, set).await["revision"], price + 2);
    }
    while let Some(ended) = subscribers.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_opens_after_an_answer_gets_the_answered_edit() {
    let server = TestServer::with(Settings { edits_per_second: 0, ..Settings::default() }).await;
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    ann.greet().await;
    bob.greet().await;
    let list = ann.create("Answered").await;
    let epoch = ann.open(&list).await["epoch"].clone();
    for edit in 1..=200 {
        let rename = json!([{ "rename": { "name": format!("Name {edit}") } }]);
        assert_eq!(ann.edit_answered(&list, rename).await["revision"], edit);
        let at = json!({ "epoch": epoch, "revision": edit - 1 });
        bob.send(&json!({ "type": "open", "watchlist": list, "at": at })).await;
        assert_eq!(bob.expect("resumed").await["revision"], edit);
        bob.send(&json!({ "type": "close", "watchlist": list })).await;
    }
}

/// Opens the watchlist until it is told to stop, and checks that every `open` is answered.
async fn open_until(mut client: Client, list: String, mut stop: tokio::sync::watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        client.send(&json!({ "type": "open", "watchlist": list })).await;
        loop {
            let message = client.next().await.expect("the connection stays open");
            match message["type"].as_str().unwrap() {
                // A watchlist that is deleted while its snapshot is encoded is closed instead.
                "snapshot" | "closed" => break,
                "error" => {
                    let code = message["code"].as_str().unwrap();
                    assert!(["unknownWatchlist", "unavailable"].contains(&code), "{message}");
                    break;
                }
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_open_is_answered_while_the_watchlist_is_deleted_and_restored() {
    let server = TestServer::start().await;
    let mut ann = server.client().await;
    ann.greet().await;
    let list = ann.create("Deleted").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut openers = JoinSet::new();
    for _ in 0..SUBSCRIBERS {
        let mut client = server.client().await;
        client.greet().await;
        openers.spawn(open_until(client, list.clone(), stopped.clone()));
    }
    for round in 1..=20 {
        ann.open(&list).await;
        let edit = ann.edit(&list, json!([{ "rename": { "name": format!("Name {round}") } }])).await;
        ann.send(&json!({ "type": "delete", "request": round, "watchlist": list })).await;
        // The last edit is answered, its commit is sent, and nothing follows the close.
        let (mut answered, mut changed, mut closed, mut deleted) = (false, false, false, false);
        while !(answered && changed && closed && deleted) {
            let message = ann.next().await.expect("the connection stays open");
            match message["type"].as_str().unwrap() {
                "accepted" => answered |= message["edit"] == edit,
                "changes" => {
                    assert!(!closed, "changes after the close");
                    changed |= message["to"] == round;
                }
                "closed" => closed = true,
                "deleted" => deleted = true,
                _ => {}
            }
        }
        ann.send(&json!({ "type": "restore", "request": round, "watchlist": list })).await;
        ann.expect("restored").await;
        assert_eq!(ann.open(&list).await["revision"], round);
    }
    stop.send(true).unwrap();
    while let Some(ended) = openers.join_next().await {
        ended.unwrap();
    }
}
