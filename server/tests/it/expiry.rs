//! The answers of a client that has sent no edit for long are deleted, and no others.

use std::sync::{Arc, atomic::Ordering};

use server::{
    hub::Hub,
    journal::{Journal, sqlite::SqliteJournal},
    room::RoomContext,
    settings::Settings,
};
use shared::time::{MILLIS_PER_DAY, Timestamp};

use crate::{
    stored::{StoredList, note, reopen, row, sender},
    support::{accounts, pass_days_until, room_context, settable_clock, wait_for},
};

#[tokio::test]
async fn the_answers_of_clients_without_a_recent_edit_expire() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 3).await;
    let append =
        async |journal: &SqliteJournal, list: &mut StoredList, of: u128, edits: std::ops::Range<u64>| {
            let edits = edits.map(|edit| {
                // Some are rejected.
                let changes = if edit.is_multiple_of(3) { vec![] } else { vec![note(row(1), "x")] };
                list.edit(sender(of), edit, changes)
            });
            let edits = edits.collect();
            list.append(journal, edits).await.unwrap();
        };
    // Answers are kept for three days.
    let expire = async |journal: &SqliteJournal, day: i64| {
        journal.expire_answers(Timestamp::from_millis(day * MILLIS_PER_DAY), 3).await.unwrap();
    };
    // More senders than one step looks at. One has only rejections, and one is active a day later.
    for of in 100..300 {
        append(&journal, &mut list, of, 1..2).await;
    }
    append(&journal, &mut list, 2, 1..1_400).await;
    append(&journal, &mut list, 3, 3..4).await;
    journal = reopen(journal, folder.path()).await;
    expire(&journal, 5).await;
    append(&journal, &mut list, 2, 1_400..1_410).await;
    // A day counts once, and a clock that is wrong by years counts as one day.
    for day in [6, 6, 900, 5, 6] {
        expire(&journal, day).await;
        for of in [2, 3, 100, 299] {
            let kept = list.kept_answers(sender(of));
            assert_eq!(journal.answers(list.id, sender(of)).await.unwrap(), kept, "on day {day}");
        }
        journal = reopen(journal, folder.path()).await;
    }
    expire(&journal, 0).await;
    for of in [3].into_iter().chain(100..300) {
        assert_eq!(journal.answers(list.id, sender(of)).await.unwrap(), [], "client {of}");
    }
    assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), list.kept_answers(sender(2)));
    // An edit that is not folded yet keeps the older answers of its client.
    append(&journal, &mut list, 2, 1_410..1_411).await;
    expire(&journal, 901).await;
    assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), list.kept_answers(sender(2)));
    journal = reopen(journal, folder.path()).await;
    for day in 902..906 {
        expire(&journal, day).await;
    }
    assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), []);
    journal.close().await;
    server::folder::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
}

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
