//! A data folder restored from an old copy, whose outbox would reuse edit numbers of other edits.

use std::{fs, path::Path};

use desktop::command::AppCommand;
use shared::{
    edit::Change,
    ids::RowId,
    value::{Literal, Value},
};

use crate::{headless::Headless, screen::wait_for};

/// Sets the note of a company without waiting.
fn note(headless: &mut Headless, row: RowId, text: &str) {
    let watchlist = headless.window.list().unwrap();
    let changes = vec![Change::set(row, &"note".into(), Literal::from(text))];
    let command = AppCommand::Edit { watchlist, changes };
    headless.execute(command);
}

fn notes(headless: &Headless) -> Vec<String> {
    let shown = headless.shown().unwrap();
    let note = |row: RowId| match shown.cell(row, &"note".into()) {
        Value::Text(text) => text.to_string(),
        other => panic!("a note is not text: {other:?}"),
    };
    shown.rows().iter().take(4).map(|row| note(row.id)).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn an_outbox_from_an_old_copy_gets_a_new_client_id_and_no_edit_is_lost_or_applied_twice() {
    let (folder, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outboxes = folder.path().join("outboxes");
    let headless = Headless::start(folder.path());
    let rows: Vec<RowId> = headless.shown().unwrap().rows().iter().map(|row| row.id).collect();
    headless.stop();
    copy(&outboxes, copied.path());
    let mut headless = Headless::start(folder.path());
    let first = headless.state.store.replica().client();
    note(&mut headless, rows[0], "before the restore");
    headless.settle();
    headless.stop();
    fs::remove_dir_all(&outboxes).unwrap();
    copy(copied.path(), &outboxes);

    let mut headless = Headless::start(folder.path());
    assert_eq!(headless.state.store.replica().client(), first);
    note(&mut headless, rows[1], "one");
    note(&mut headless, rows[2], "two");
    headless.settle();
    let renewed = headless.state.store.replica().client();
    assert_ne!(renewed, first);
    let is_notified =
        headless.state.store.notices().iter().any(|notice| notice.text.contains("seems to be a copy"));
    assert!(is_notified, "{:?}", headless.state.store.notices());
    wait_for("the connection with the new client id", || {
        headless.frame(Vec::new());
        headless.state.store.replica().user().map(drop)
    });
    note(&mut headless, rows[3], "three");
    headless.settle();
    assert_eq!(notes(&headless), ["before the restore", "one", "two", "three"]);
    headless.stop();

    let headless = Headless::start(folder.path());
    assert_eq!(headless.state.store.replica().client(), renewed, "the old outbox is deleted");
    assert_eq!(notes(&headless), ["before the restore", "one", "two", "three"]);
    headless.stop();
}
