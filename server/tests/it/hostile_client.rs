//! Hostile clients against the real program: seeded generators of legal and illegal messages whose sizes,
//! counts and orders are extreme. All along, another client's edits are answered in time, and the server's
//! memory stays bounded.
//!
//! `AFTERGLOW_HOSTILE_SECONDS=600` runs it for longer, `AFTERGLOW_HOSTILE_MILLIS=100` allows an answer less
//! time, and `AFTERGLOW_SEED` repeats a run.

mod attack;
mod messages;

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{runtime::Builder, time::timeout};

use self::attack::{Attacker, Target};
use crate::{
    served::Served,
    support::{Client, insert, wait_for},
};

/// Number of hostile clients at once.
const ATTACKERS: u64 = 8;
/// Memory that the server may use, in MiB.
const MEMORY_LIMIT: u64 = 512;
/// Memory that may be left of the attack, in MiB.
const KEPT: u64 = 48;
/// Time after the attack in which the memory is freed.
const RECOVERY: Duration = Duration::from_secs(10);

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Returns the resident memory of a process in MiB: now, and the most that it had.
fn resident(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn hostile_clients_neither_stop_nor_delay_the_server() {
    let seed = from_environment("AFTERGLOW_SEED", fastrand::u64(..));
    let seconds = from_environment("AFTERGLOW_HOSTILE_SECONDS", 20);
    let patience = Duration::from_millis(from_environment("AFTERGLOW_HOSTILE_MILLIS", 10_000));
    eprintln!("hostile clients of seed {seed} for {seconds} s; AFTERGLOW_SEED repeats them");
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_afterglow-server"));
    program.env("AFTERGLOW_LOG", "error").stderr(Stdio::inherit());
    // As the packaged service sets it: the allocator of glibc otherwise keeps what large messages took.
    program.env("MALLOC_TRIM_THRESHOLD_", "131072");
    let mut server = Served::listen(program, folder.path(), "127.0.0.1:0");
    let token = std::fs::read_to_string(folder.path().join("local.token")).unwrap();
    let mut polite = Client::to(&server.address, &token).await;
    polite.greet().await;
    let own = polite.create("Polite").await;
    let mut lists = Vec::new();
    for name in ["One", "Two", "Three"] {
        let list = polite.create(name).await;
        assert_eq!(polite.edit_answered(&list, json!(messages::first_changes())).await["type"], "accepted");
        lists.push(list);
    }
    let (row, change) = insert("80", json!({ "symbol": "MMM" }));
    polite.edit_answered(&own, json!([change])).await;
    let before = resident(server.child.id()).0;

    let target = Target { address: server.address.clone(), token: token.trim().to_owned(), lists };
    // On threads of their own, so that making their messages does not delay the other client.
    let attackers = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for number in 0..ATTACKERS {
        attackers.spawn(Attacker::new(target.clone(), seed + number).attack());
    }
    let (end, mut slowest, mut answered) = (Instant::now() + Duration::from_secs(seconds), Duration::ZERO, 0);
    while Instant::now() < end {
        let sent = Instant::now();
        let price = (answered % 1_000).to_string();
        let changes = json!([{ "set": { "row": row, "column": "price", "value": price } }]);
        let answer = timeout(patience, polite.edit_answered(&own, changes)).await;
        let answer = answer.unwrap_or_else(|_| panic!("seed {seed}: no answer within {patience:?}"));
        assert_eq!(answer["type"], "accepted", "seed {seed}: {answer}");
        (slowest, answered) = (slowest.max(sent.elapsed()), answered + 1);
        let (_, most) = resident(server.child.id());
        assert!(most <= MEMORY_LIMIT, "seed {seed}: {most} MiB");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    attackers.shutdown_background();
    assert!(server.child.try_wait().unwrap().is_none(), "seed {seed}: the server has ended");
    let most = resident(server.child.id()).1;
    let url = format!("http://{}/api/v1/watchlists", server.address);
    let token = Some(format!("Bearer {}", token.trim()));
    let (_, listed) = crate::http_calls::call("GET", url.clone(), token.clone(), None).await;
    let listed: serde_json::Value = serde_json::from_str(listed.body()).unwrap();
    let revisions = listed["list"].as_array().unwrap().iter().filter(|list| list["watchlist"] != *own);
    let attacks: u64 = revisions.clone().map(|list| list["revision"].as_u64().unwrap()).sum();
    // What the attack has stored is not what the server cannot free.
    for list in revisions {
        let url = format!("{url}/{}", list["watchlist"].as_str().unwrap());
        // The attack has used up what the caller may do, and a request of it that was under way may have
        // deleted the watchlist.
        let delete = async || {
            let (status, _) = crate::http_calls::call("DELETE", url.clone(), token.clone(), None).await;
            (status == 204 || status == 404).then_some(())
        };
        wait_for("a hostile watchlist to be deleted", delete).await;
    }
    tokio::time::sleep(RECOVERY).await;
    let after = resident(server.child.id()).0;
    eprintln!(
        "{answered} edits answered, the slowest in {slowest:?}; {attacks} hostile edits accepted; {before} MiB before, \
         {most} at most, {after} after"
    );
    assert!(attacks > seconds, "seed {seed}: the attack reaches the rooms");
    assert!(after <= before + KEPT, "seed {seed}: {after} MiB after the attack, {before} before it");
}
