//! The answers of a client that has sent no edit for long are deleted, and no others.

use std::sync::{Arc, atomic::Ordering};

use server::{
    hub::Hub,
    journal::{Journal, sqlite::SqliteJournal},
    room::RoomContext,
    settings::Settings,
};
use shared::time::MILLIS_PER_DAY;

use crate::{
    stored::{StoredList, note, reopen, row, sender},
    support::{accounts, pass_days_until, room_context, settable_clock, wait_for},
};

#[tokio::test]
async fn answers_expire_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 3).await;
    let edit = list.edit(sender(2), 1, vec![note(row(1), "x")]);
    list.append(&journal, vec![edit]).await.unwrap();
    let journal = Arc::new(reopen(journal, folder.path()).await);
    let (now, clock) = settable_clock(10 * MILLIS_PER_DAY);
    let settings = Arc::new(Settings { answers_days: 2, ..Settings::default() });
    let context = RoomContext { clock, settings, ..room_context(journal.clone()) };
    let hub = Hub::open(context, accounts()).await.unwrap();
    let answers = async || journal.answers(list.id, sender(2)).await.unwrap().len();
    let recorded = || {
        let connection = rusqlite::Connection::open(folder.path().join("journal.sqlite")).unwrap();
        connection.query_row("SELECT ifnull(max(day), 0) FROM days", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    for day in 10..13 {
        now.store(day * MILLIS_PER_DAY, Ordering::SeqCst);
        let is_recorded = async || (recorded() == day).then_some(());
        if day == 10 {
            wait_for("the first day to be recorded", is_recorded).await;
        } else {
            pass_days_until("the day to be recorded", is_recorded).await;
        }
        if day < 12 {
            assert_eq!(answers().await, 1, "on day {day}");
        }
    }
    wait_for("the answers to expire", async || (answers().await == 0).then_some(())).await;
    drop(hub);
}
