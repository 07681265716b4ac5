//! A full disk: edits are rejected as `unavailable`, readers are served, and the server recovers without a
//! restart once there is space again.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    program::{Served, client_of, program, run, stdout},
    support::{insert, skipped, wait_for},
};

/// Limits the size of the server's files from now on: a write beyond it fails.
fn limit_file_size(served: &Served, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let set =
        Command::new("prlimit").args(["--pid", &served.child.id().to_string(), &limit]).status().unwrap();
    assert!(set.success());
}

/// Starts a server that ignores SIGXFSZ, so that a write beyond the limit fails as on a full disk.
fn serve(data_dir: &Path) -> Served {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program().get_program());
    shell.env("USER", "ann").process_group(0).stderr(Stdio::null());
    Served::spawn(shell, data_dir)
}

/// Returns the status of `/readyz`.
async fn readiness(served: &Served, data_dir: &Path) -> u16 {
    let token = std::fs::read_to_string(data_dir.join("local.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let url = format!("http://{}/readyz", served.address);
    let request = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        agent.get(&url).header("authorization", bearer).call().unwrap().status().as_u16()
    });
    request.await.unwrap()
}

#[tokio::test]
async fn a_full_disk_rejects_edits_serves_readers_and_recovers_without_a_restart() {
    if Command::new("prlimit").arg("--version").stdout(Stdio::null()).status().is_err() {
        return skipped("prlimit (Debian: util-linux), to simulate a full disk");
    }
    let folder = tempfile::tempdir().unwrap();
    let served = serve(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let list = client.create("List").await;
    client.open(&list).await;
    let (row, first) = insert("80", json!({ "symbol": "MMM", "price": "1" }));
    client.edit_answered(&list, json!([first])).await;
    let price = |value: &str| json!([{ "set": { "row": row, "column": "price", "value": value } }]);
    assert_eq!(readiness(&served, folder.path()).await, 200);

    limit_file_size(&served, "4096");
    let rejected = client.edit(&list, price("2")).await;
    let answer = client.answer(rejected).await;
    assert_eq!(answer["code"], "unavailable", "{answer}");
    let later = client.edit(&list, price("3")).await;
    assert_eq!(client.answer(later).await["code"], "unavailable", "later edits wait for it");
    assert_eq!(readiness(&served, folder.path()).await, 503);
    let mut reader = client_of(&served, folder.path()).await;
    let snapshot = reader.open(&list).await;
    assert_eq!((&snapshot["revision"], &snapshot["rows"][0]["cells"]["price"]), (&json!(1), &json!("1")));

    limit_file_size(&served, "unlimited");
    wait_for("the store to be ready", async || {
        (readiness(&served, folder.path()).await == 200).then_some(())
    })
    .await;
    for (edit, value) in [(rejected, "2"), (later, "3")] {
        client
            .send(&json!({ "type": "edit", "watchlist": list, "edit": edit, "changes": price(value) }))
            .await;
        assert_eq!(client.answer(edit).await["type"], "accepted");
    }
    let mut seen = 1;
    while seen < 3 {
        seen = reader.expect("changes").await["to"].as_u64().unwrap();
    }
    drop((client, reader, served));
    assert!(stdout(&run(&["check"], folder.path())).contains("revision 3\t3 commits\t3 answers"));
    assert!(stdout(&run(&["export", &list, "--format", "csv"], folder.path())).contains("MMM"));
}
