//! Concurrent clients over WebSockets and HTTP, while the server is killed and started again and the
//! watchlist is deleted and restored. What every call was answered is recorded, and the record is checked:
//! there is one order of all edits that every answer agrees with, and a call that ended before another began
//! comes before it. The snapshot of a subscription need only be some state of that order.
//!
//! `AFTERGLOW_KILLS=200` kills the server more often.

mod check;
mod history;
mod requests;
mod workers;

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    check::{check, check_existence},
    history::{Edit, Existence, Read},
    workers::{Manager, Transport, Worker},
};
use crate::{
    program::program,
    served::Served,
    support::{Client, PATIENCE, wait_for},
};

/// Number of cells that are edited. Few, so that calls concern the same ones.
const CELLS: u128 = 6;

/// Where the server is at the moment, and what is called.
#[derive(Clone)]
struct Target {
    address: Arc<Mutex<String>>,
    token: String,
    list: String,
}

/// What the workers recorded.
#[derive(Default)]
struct Recorded {
    edits: Vec<Edit>,
    reads: Vec<Read>,
    existence: Existence,
}

impl Recorded {
    fn add(&mut self, other: Self) {
        self.edits.extend(other.edits);
        self.reads.extend(other.reads);
        self.existence.add(other.existence);
    }
}

fn serve(folder: &Path) -> Served {
    let mut program: Command = program();
    program.env("AFTERGLOW_LOG", "off").stderr(Stdio::null());
    Served::spawn(program, folder)
}

/// Returns every commit of the watchlist but the first, which inserts the rows: who made it, and its only
/// change.
async fn commits(client: &mut Client, list: &str) -> Vec<history::Commit> {
    let (mut commits, mut before) = (Vec::new(), None);
    loop {
        let request =
            json!({ "type": "history", "request": 1, "watchlist": list, "before": before, "limit": 1000 });
        client.send(&request).await;
        let page = client.expect("history").await;
        commits.extend(page["commits"].as_array().unwrap().iter().map(history::Commit::read));
        before = page["next"].as_u64();
        if before.is_none() {
            break;
        }
    }
    commits.reverse();
    assert_eq!(commits.remove(0).revision, 1, "the rows are inserted first");
    commits
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_agrees_with_one_order_of_all_edits() {
    let kills: u64 = std::env::var("AFTERGLOW_KILLS").map_or(6, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut server = serve(folder.path());
    let token = std::fs::read_to_string(folder.path().join("local.token")).unwrap();
    let mut first = Client::to(&server.address, &token).await;
    first.greet().await;
    let list = first.create("Contended").await;
    let insert = |row: u128| json!({ "insert": { "row": Uuid::from_u128(row), "position": format!("{row:02x}"), "cells": {} } });
    let inserts: Vec<Value> = (1..=CELLS).map(insert).collect();
    assert_eq!(first.edit_answered(&list, json!(inserts)).await["revision"], 1);

    let address = Arc::new(Mutex::new(server.address.clone()));
    let target = Target { address: address.clone(), token: token.trim().to_owned(), list: list.clone() };
    let stop = CancellationToken::new();
    let mut workers = JoinSet::new();
    let conflicts = Arc::new(AtomicUsize::new(0));
    for number in 0..4 {
        for transport in [Transport::WebSocket, Transport::Http] {
            workers
                .spawn(Worker::new(target.clone(), transport, number, conflicts.clone()).run(stop.clone()));
        }
    }
    let managing = tokio::spawn(Manager::new(target).run(stop.clone()));
    for kill in 0..kills {
        sleep(Duration::from_millis(fastrand::u64(200..600))).await;
        if kill % 4 == 3 {
            // An orderly stop.
            let id = server.child.id().to_string();
            assert!(Command::new("kill").arg(id).status().unwrap().success());
            wait_for("the server to stop", async || server.child.try_wait().unwrap()).await;
        }
        drop(server);
        server = serve(folder.path());
        address.lock().unwrap().clone_from(&server.address);
    }
    sleep(Duration::from_millis(300)).await;
    // A busy machine makes few edits between the kills.
    wait_for("an edit in conflict", async || (conflicts.load(Ordering::Relaxed) > 0).then_some(())).await;
    stop.cancel();
    // The manager ends with the watchlist restored, after which each worker gets the answer to its last edit.
    let mut recorded = managing.await.unwrap();
    let ending = async {
        while let Some(worker) = workers.join_next().await {
            recorded.add(worker.unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, ending).await.expect("every edit is answered in the end");
    let mut last = Client::to(&server.address, &token).await;
    last.greet().await;
    let commits = commits(&mut last, &list).await;
    let (edits, reads, deletions) =
        (recorded.edits.len(), recorded.reads.len(), recorded.existence.deletions.len());
    eprintln!(
        "{kills} kills: {edits} edits, {reads} reads, {deletions} deletions, {} commits",
        commits.len()
    );
    check(&commits, &recorded.edits, &recorded.reads).unwrap();
    check_existence(&recorded.existence).unwrap();
    let rounds = usize::try_from(kills).unwrap() + 1;
    assert!(edits > rounds && reads > rounds && deletions > rounds / 4, "enough happened");
}
