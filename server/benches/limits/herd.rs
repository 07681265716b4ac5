//! Many clients that come back at once after the server was started again, far behind.

use std::time::Instant;

use shared::{
    edit::Change,
    value::Literal,
    wire::client::{self, ClientMessage},
};
use tokio::{sync::watch, task::JoinSet};

use super::{
    connection::{Connection, start},
    process::ANY_PORT,
    report::Report,
};

const CLIENTS: usize = 200;
const COMMITS: usize = 2_000;
const ROWS: usize = 3_000;

/// Measures how long the next edit waits, and until all have caught up.
pub async fn measure(report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut publisher) = start(folder.path(), ANY_PORT, false).await;
    let (list, rows) = publisher.create(ROWS).await;
    let price = |number: usize| {
        let text = format!("{number}.25");
        vec![Change::set(rows[number * 7 % ROWS], &"price".into(), Literal::from(text.as_str()))]
    };
    let left = publisher.subscribe(list).await;
    for number in 0..COMMITS {
        publisher.edit(list, price(number)).await;
        publisher.answer().await.unwrap();
    }
    drop((publisher, server));
    let (server, mut publisher) = start(folder.path(), ANY_PORT, false).await;
    let mut herd = Vec::new();
    for _ in 0..CLIENTS {
        herd.push(Connection::open(server.endpoint()).await);
    }
    let (go, waiting) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let head = shared::ids::Revision(left.revision.0 + COMMITS as u64);
    for mut connection in herd {
        let mut waiting = waiting.clone();
        tasks.spawn(async move {
            waiting.changed().await.unwrap();
            connection.send(&ClientMessage::Open(client::Open { watchlist: list, at: Some(left) })).await;
            connection.reach(head).await;
        });
    }
    tokio::task::yield_now().await;
    let started = Instant::now();
    go.send_replace(true);
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let sent = Instant::now();
    publisher.edit(list, price(COMMITS)).await;
    publisher.answer().await.unwrap();
    let waited = sent.elapsed();
    while let Some(caught_up) = tasks.join_next().await {
        caught_up.unwrap();
    }
    let took = started.elapsed();
    report.at_most(
        &format!("{CLIENTS} clients back after a restart, {COMMITS} commits behind: the next edit waits"),
        waited.as_secs_f64() * 1e3,
        50.0,
        "ms",
    );
    report.at_most("the same: all have caught up", took.as_secs_f64(), 2.0, "s");
}
