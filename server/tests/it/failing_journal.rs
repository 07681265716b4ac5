//! Rooms whose journal fails at a chosen moment: what clients are told, and in which order their edits are
//! applied.

pub mod journal;

use std::sync::Arc;

use server::{
    access::Caller,
    channel::{ConnectionId, Outbox, Outgoing, SnapshotPart, Subscriber},
    dialect::Dialect,
    hub::Hub,
    journal::{Sender, Verdict},
    room::{AnswerQueue, Reply, Withheld},
};
use shared::{
    account::ListRole,
    edit::Change,
    ids::{ClientId, EditId, Revision, WatchlistId},
    rejection::Code,
    wire::{
        codec::Encoding,
        server::{ErrorCode, ServerMessage},
    },
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;

use self::journal::{FailingJournal, Fault, Faults};
use crate::support::{PATIENCE, accounts, admin, room_context, wait_for};

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const CLIENT: ClientId = ClientId(Uuid::from_u128(9));

/// A watchlist, and a connection to it.
struct Connected {
    journal: Arc<FailingJournal>,
    hub: Hub,
    caller: Caller,
    answers: AnswerQueue,
    withheld: Arc<Withheld>,
    _folder: TempDir,
}

impl Connected {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = FailingJournal::open(folder.path()).await;
        let caller = admin();
        let sender = Sender { user: caller.user, client: CLIENT };
        let hub = Hub::open(room_context(journal.clone()), accounts()).await.unwrap();
        hub.create(&caller, Some(LIST), "First", None).await.unwrap();
        let answers = AnswerQueue::default();
        let withheld = Arc::new(Withheld::new(sender));
        Self { journal, hub, caller, answers, withheld, _folder: folder }
    }

    fn fail(&self, faults: impl Fn(&FailingJournal) -> &Faults, sequence: &[Fault]) {
        self.journal.fail(faults, sequence);
    }

    /// Sends edits that rename the watchlist, so quickly that the room takes them together, and returns
    /// whether each is accepted. Every other answer must be `unavailable`.
    async fn rename(&mut self, names: &[(u64, &str)]) -> Vec<bool> {
        let list = self.hub.connect(&self.caller, LIST).unwrap();
        for (edit, name) in names {
            self.withheld.mark_received(LIST, EditId(*edit));
            let reply = Reply::Connection(self.answers.clone(), self.withheld.clone());
            list.edit(list.rights().unwrap(), (CLIENT, EditId(*edit)), Ok(vec![Change::rename(name)]), reply)
                .await;
        }
        let mut accepted = Vec::new();
        for (edit, _) in names {
            let answered = timeout(PATIENCE, self.answers.next()).await.unwrap();
            assert_eq!(answered.edit, EditId(*edit), "edits of one connection are answered in order");
            accepted.push(match answered.verdict {
                Verdict::Accepted(_) => true,
                Verdict::Rejected(rejection) => {
                    assert_eq!(rejection.code, Code::Unavailable, "{rejection}");
                    false
                }
            });
        }
        accepted
    }

    /// Subscribes, and returns the connection's queue.
    async fn subscribe(&self, connection: u64, withheld: &Arc<Withheld>) -> mpsc::Receiver<Outgoing> {
        let (outbox, items, _) = Outbox::new(64 * 1024);
        let subscriber = Subscriber {
            connection: ConnectionId(connection),
            client: CLIENT,
            name: "ann".into(),
            dialect: Dialect::WebSocket(Encoding::Json),
            role: ListRole::Owner,
            outbox,
        };
        let list = self.hub.connect(&self.caller, LIST).unwrap();
        list.subscribe(subscriber, None, withheld).await.unwrap();
        items
    }

    /// Returns the name and the revision that clients are told.
    fn listed(&self) -> (String, Revision) {
        let list = self.hub.list(&self.caller);
        (list[0].name.to_string(), list[0].revision)
    }
}

/// Returns the next message in a connection's queue.
async fn next(items: &mut mpsc::Receiver<Outgoing>) -> ServerMessage {
    let item = timeout(PATIENCE, items.recv()).await.unwrap().unwrap();
    let frame = match item {
        Outgoing::Frame(frame) | Outgoing::Forbidden(frame) => frame,
        Outgoing::Snapshot(snapshot) => match snapshot.part(0) {
            SnapshotPart::Frame(frame) => frame,
            other => panic!("{other:?}"),
        },
    };
    Encoding::Json.decode_server(frame.payload()).unwrap()
}

/// Returns the revision of the snapshot that comes next.
async fn snapshot(items: &mut mpsc::Receiver<Outgoing>) -> Revision {
    match next(items).await {
        ServerMessage::Snapshot(part) => part.revision,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_room_that_fails_is_started_again_and_its_subscribers_are_told() {
    let mut connected = Connected::new().await;
    let withheld = connected.withheld.clone();
    let mut subscriber = connected.subscribe(1, &withheld).await;
    assert_eq!(snapshot(&mut subscriber).await, Revision(0));
    connected.fail(|journal| &journal.appends, &[Fault::Panics]);
    let list = connected.hub.connect(&connected.caller, LIST).unwrap();
    let changes = Ok(vec![Change::rename("Lost")]);
    assert!(timeout(PATIENCE, list.edit_answered((CLIENT, EditId(1)), changes)).await.unwrap().is_err());
    match next(&mut subscriber).await {
        ServerMessage::Error(error) => assert_eq!(error.code, ErrorCode::Unavailable),
        other => panic!("{other:?}"),
    }
    assert_eq!(connected.rename(&[(2, "Two")]).await, [true]);
    assert_eq!(snapshot(&mut connected.subscribe(2, &withheld).await).await, Revision(1));
}

#[tokio::test]
async fn edits_in_a_room_that_fails_are_withheld_and_answered() {
    let mut connected = Connected::new().await;
    connected.fail(|journal| &journal.appends, &[Fault::Panics]);
    assert_eq!(connected.rename(&[(1, "One"), (2, "Two"), (3, "Three")]).await, [false; 3]);
    assert_eq!(connected.withheld.edits_of(LIST), [1, 2, 3].map(EditId));
    assert_eq!(connected.rename(&[(3, "Three")]).await, [false], "it waits for the edits before it");
    assert_eq!(connected.rename(&[(1, "One"), (2, "Two"), (3, "Three")]).await, [true; 3]);
    assert_eq!(connected.listed(), ("Three".to_owned(), Revision(3)));
}

#[tokio::test]
async fn a_withheld_edit_that_is_stored_is_released_before_its_connection_subscribes() {
    let mut connected = Connected::new().await;
    // The write is stored, but the room fails before it learns that, so no room looks for the edit.
    connected.fail(|journal| &journal.appends, &[Fault::SucceedsAndReportsAnError]);
    connected.fail(|journal| &journal.snapshots, &[Fault::None, Fault::Panics]);
    let list = connected.hub.connect(&connected.caller, LIST).unwrap();
    let reply = Reply::Connection(connected.answers.clone(), connected.withheld.clone());
    list.edit(list.rights().unwrap(), (CLIENT, EditId(1)), Ok(vec![Change::rename("One")]), reply).await;
    while !list.is_gone() {
        tokio::task::yield_now().await;
    }
    // The room fails after it has withheld the edit, and answers it.
    let answered = timeout(PATIENCE, connected.answers.next()).await.unwrap();
    assert_eq!(answered.edit, EditId(1));
    assert_eq!(connected.withheld.edits_of(LIST), [EditId(1)]);
    let withheld = connected.withheld.clone();
    let mut subscriber = connected.subscribe(1, &withheld).await;
    assert!(withheld.edits_of(LIST).is_empty(), "its client sees the commit and does not send it again");
    assert_eq!(snapshot(&mut subscriber).await, Revision(1));
    assert_eq!(connected.rename(&[(2, "Two")]).await, [true]);
}

#[tokio::test]
async fn an_edit_whose_answers_cannot_be_read_holds_back_the_edits_after_it() {
    let mut connected = Connected::new().await;
    connected.fail(|journal| &journal.answers, &[Fault::Fails]);
    assert_eq!(connected.rename(&[(7, "Seven"), (8, "Eight")]).await, [false, false]);
    assert_eq!(connected.rename(&[(7, "Seven"), (8, "Eight")]).await, [true, true]);
    assert_eq!(connected.listed(), ("Eight".to_owned(), Revision(2)), "the later edit is applied last");
}

#[tokio::test]
async fn an_edit_is_answered_by_what_the_journal_holds_if_its_write_is_reported_as_failed() {
    let mut connected = Connected::new().await;
    connected.fail(|journal| &journal.appends, &[Fault::SucceedsAndReportsAnError, Fault::Fails]);
    assert_eq!(connected.rename(&[(1, "One")]).await, [true]);
    assert_eq!(connected.rename(&[(2, "Two")]).await, [false]);
    assert_eq!(connected.listed(), ("One".to_owned(), Revision(1)));
    assert_eq!(connected.rename(&[(2, "Two")]).await, [true]);
}

#[tokio::test]
async fn an_edit_that_was_stored_after_all_does_not_hold_back_the_one_after_it() {
    let mut connected = Connected::new().await;
    assert_eq!(connected.rename(&[(6, "Six")]).await, [true]);
    connected.fail(|journal| &journal.appends, &[Fault::SucceedsAndReportsAnError]);
    connected.fail(|journal| &journal.snapshots, &[Fault::Fails]);
    assert_eq!(connected.rename(&[(7, "Seven")]).await, [false]);
    assert_eq!(connected.rename(&[(7, "Seven"), (8, "Eight")]).await, [true, true]);
    assert_eq!(connected.listed(), ("Eight".to_owned(), Revision(3)));
}

/// A call has no connection whose edits are withheld.
#[tokio::test]
async fn an_edit_of_a_call_that_was_stored_after_all_is_published_though_nobody_asks_again() {
    let connected = Connected::new().await;
    let list = connected.hub.connect(&connected.caller, LIST).unwrap();
    list.read().await.unwrap();
    connected.fail(|journal| &journal.appends, &[Fault::SucceedsAndReportsAnError]);
    // The room cannot find out what is stored, and cannot again for the deletion.
    connected.fail(|journal| &journal.snapshots, &[Fault::Fails, Fault::Fails]);
    let answered = list.edit_answered((CLIENT, EditId(1)), Ok(vec![Change::rename("One")])).await;
    assert!(!matches!(answered, Ok(Verdict::Accepted(_))), "{answered:?}");
    let refused = connected.hub.delete(&connected.caller, LIST).await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable, "{refused}");
    let is_listed = async || (connected.listed() == ("One".to_owned(), Revision(1))).then_some(());
    wait_for("the edit to be published", is_listed).await;
    connected.hub.delete(&connected.caller, LIST).await.unwrap();
}

#[tokio::test]
async fn only_what_is_on_disk_is_listed_when_two_writes_in_a_row_fail() {
    let mut connected = Connected::new().await;
    assert_eq!(connected.rename(&[(1, "One")]).await, [true]);
    // The first write is stored, but the room learns that only when it reads the journal for the next edit.
    connected.fail(|journal| &journal.appends, &[Fault::SucceedsAndReportsAnError, Fault::Fails]);
    connected.fail(|journal| &journal.snapshots, &[Fault::Fails]);
    assert_eq!(connected.rename(&[(2, "Two")]).await, [false]);
    assert_eq!(connected.listed(), ("One".to_owned(), Revision(1)));
    connected.withheld.release(LIST, EditId(2));
    assert_eq!(connected.rename(&[(3, "Three")]).await, [false]);
    assert_eq!(connected.listed(), ("Two".to_owned(), Revision(2)));
    // A room of the same watchlist that starts later finds every revision that was listed.
    connected.hub.delete(&connected.caller, LIST).await.unwrap();
    connected.hub.restore(&connected.caller, LIST).await.unwrap();
    assert_eq!(connected.rename(&[(3, "Three")]).await, [true]);
}

#[tokio::test]
async fn the_edits_of_a_connection_stay_in_order_while_a_watchlist_is_deleted_and_restored() {
    let mut connected = Connected::new().await;
    connected.fail(|journal| &journal.appends, &[Fault::Fails]);
    assert_eq!(connected.rename(&[(1, "One")]).await, [false]);
    connected.hub.delete(&connected.caller, LIST).await.unwrap();
    connected.hub.restore(&connected.caller, LIST).await.unwrap();
    // Its client sent the second edit before it knew of the deletion, and sends the first again later.
    assert_eq!(connected.rename(&[(2, "Two")]).await, [false]);
    assert_eq!(connected.rename(&[(1, "One"), (2, "Two")]).await, [true, true]);
    assert_eq!(connected.listed(), ("Two".to_owned(), Revision(2)));
}

#[tokio::test]
async fn an_edit_that_was_stored_before_its_watchlist_is_deleted_holds_back_no_other() {
    let mut connected = Connected::new().await;
    assert_eq!(connected.rename(&[(1, "One")]).await, [true]);
    connected.fail(|journal| &journal.appends, &[Fault::SucceedsAndReportsAnError]);
    connected.fail(|journal| &journal.snapshots, &[Fault::Fails, Fault::Fails]);
    assert_eq!(connected.rename(&[(2, "Two")]).await, [false]);
    let deleted = connected.hub.delete(&connected.caller, LIST).await;
    assert_eq!(deleted.unwrap_err().code, Code::Unavailable, "the journal cannot be read");
    connected.hub.delete(&connected.caller, LIST).await.unwrap();
    assert!(connected.withheld.edits_of(LIST).is_empty());
    connected.hub.restore(&connected.caller, LIST).await.unwrap();
    assert_eq!(connected.rename(&[(3, "Three")]).await, [true]);
    assert_eq!(connected.listed(), ("Three".to_owned(), Revision(3)));
}

#[tokio::test]
async fn a_creation_deletion_or_restoration_that_is_reported_as_failed_is_looked_up() {
    let connected = Connected::new().await;
    let (hub, caller, other) = (&connected.hub, &connected.caller, WatchlistId(Uuid::from_u128(8)));
    let listed = || hub.list(caller).iter().map(|summary| summary.watchlist).collect::<Vec<_>>();
    for (fault, is_done) in [(Fault::Fails, false), (Fault::SucceedsAndReportsAnError, true)] {
        connected.fail(|journal| &journal.creations, &[fault]);
        let created = hub.create(caller, Some(other), "Second", None).await;
        assert_eq!((created.is_ok(), listed().contains(&other)), (is_done, is_done), "{fault:?}");
    }
    for (fault, is_done) in [(Fault::Fails, false), (Fault::SucceedsAndReportsAnError, true)] {
        connected.fail(|journal| &journal.deletions, &[fault]);
        assert_eq!(hub.delete(caller, other).await.is_ok(), is_done, "{fault:?}");
        assert_eq!(listed().contains(&other), !is_done);
    }
    for (fault, is_done) in [(Fault::Fails, false), (Fault::SucceedsAndReportsAnError, true)] {
        connected.fail(|journal| &journal.deletions, &[fault]);
        assert_eq!(hub.restore(caller, other).await.is_ok(), is_done, "{fault:?}");
        assert_eq!((listed().contains(&other), listed().contains(&LIST)), (is_done, true));
    }
}
