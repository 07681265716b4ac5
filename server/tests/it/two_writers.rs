//! Two servers that write the same watchlist: the journal accepts only the batches of the one that knows the
//! newest revision, and the other one judges its edits again.

use std::{collections::BTreeMap, sync::Arc};

use server::{
    hub::Hub,
    journal::{Journal, ReadLimit, Sender, Verdict, postgres::PostgresJournal, sqlite::SqliteJournal},
};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, Revision, RowId, WatchlistId},
    position::Position,
    rejection::Code,
    value::Literal,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    postgres::postgres,
    support::{accounts, admin, room_context},
};

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const EDITS: u64 = 60;

/// Two hubs on one journal, which has a watchlist.
struct Writers {
    journal: Arc<dyn Journal>,
    hubs: [Hub; 2],
    _folder: TempDir,
}

impl Writers {
    async fn on([first, second]: [Arc<dyn Journal>; 2], folder: TempDir) -> Self {
        let journal = first.clone();
        let first = Hub::open(room_context(first), accounts()).await.unwrap();
        first.create(&admin(), Some(LIST), "Shared", None).await.unwrap();
        let second = Hub::open(room_context(second), accounts()).await.unwrap();
        Self { journal, hubs: [first, second], _folder: folder }
    }

    /// Returns writers of each kind of journal. Those of PostgreSQL are missing if it is not installed.
    async fn all() -> Vec<Self> {
        let folder = || tempfile::tempdir().unwrap();
        let file = folder();
        let journal = Arc::new(SqliteJournal::open(file.path()).await.unwrap());
        let mut all = vec![Self::on([journal.clone(), journal], file).await];
        if let Some(postgres) = postgres() {
            let url = postgres.database().await;
            let open = async || Arc::new(PostgresJournal::open_shared(&url).await.unwrap());
            all.push(Self::on([open().await, open().await], folder()).await);
        }
        all
    }
}

/// Sends an edit, and returns the answer.
async fn answer(hub: &Hub, (client, edit): (ClientId, u64), changes: Vec<Change>) -> Verdict {
    let list = hub.connect(&admin(), LIST).unwrap();
    list.edit_answered((client, EditId(edit)), Ok(changes)).await.unwrap()
}

/// Sends an edit that is accepted, and returns its revision.
async fn accept(hub: &Hub, name: (ClientId, u64), changes: Vec<Change>) -> Revision {
    match answer(hub, name, changes).await {
        Verdict::Accepted(revision) => revision,
        Verdict::Rejected(rejection) => panic!("{rejection}"),
    }
}

/// Makes the edits of one client, and returns which is at each revision.
async fn edits_of(hub: &Hub, client: u128) -> BTreeMap<Revision, (ClientId, EditId)> {
    let client = ClientId(Uuid::from_u128(client));
    let mut accepted = BTreeMap::new();
    for edit in 1..=EDITS {
        let rename = Change::rename(&format!("{client} {edit}"));
        let revision = accept(hub, (client, edit), vec![rename]).await;
        assert!(accepted.insert(revision, (client, EditId(edit))).is_none(), "{revision} twice");
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_of_two_writers_are_neither_lost_nor_accepted_twice() {
    for Writers { journal, hubs: [first, second], _folder } in Writers::all().await {
        let (mut accepted, others) = tokio::join!(edits_of(&first, 1), edits_of(&second, 2));
        accepted.extend(others);
        let commits = journal.commits(LIST, Revision(0), ReadLimit::ALL).await.unwrap();
        let stored = commits.iter().map(|commit| (commit.revision, (commit.by.client, commit.by.edit)));
        assert_eq!(stored.clone().collect::<BTreeMap<_, _>>(), accepted);
        assert!(stored.map(|(revision, _)| revision.0).eq(1..=2 * EDITS), "no gaps, and one order");
    }
}

#[tokio::test]
async fn an_edit_is_judged_by_what_the_other_writer_has_written() {
    for Writers { journal, hubs: [first, second], _folder } in Writers::all().await {
        let (ann, bob) = (ClientId(Uuid::from_u128(1)), ClientId(Uuid::from_u128(2)));
        let row = RowId(Uuid::from_u128(1));
        let price = |text: &str, was: Option<&str>| match was {
            Some(was) => Change::set_guarded(row, &"price".into(), Literal::from(text), Literal::from(was)),
            None => Change::set(row, &"price".into(), Literal::from(text)),
        };
        let position = Position::between(None, None, 1).unwrap().remove(0);
        accept(&first, (ann, 1), vec![Change::insert(row, &position, Default::default())]).await;
        accept(&first, (ann, 2), vec![price("70", None)]).await;
        let outdated = second.connect(&admin(), LIST).unwrap();
        outdated.read().await.unwrap();
        accept(&first, (ann, 3), vec![price("71", None)]).await;
        // The second writer knows 70 only.
        let Verdict::Rejected(rejection) = answer(&second, (bob, 1), vec![price("72", Some("70"))]).await
        else {
            panic!("the price has changed")
        };
        assert_eq!((rejection.code, rejection.current.clone()), (Code::Conflict, Some(Literal::from("71"))));
        assert_eq!(accept(&second, (bob, 2), vec![price("72", Some("71"))]).await, Revision(4));
        let (state, at) = outdated.read().await.unwrap();
        let cells = state.row(0).stored_cells(&state.columns);
        assert_eq!((at.revision, &cells[&"price".into()]), (Revision(4), &Literal::from("72")));
        // Both answers are durable, and an edit that reaches both writers is made once.
        let sender = Sender { user: admin().user, client: bob };
        assert_eq!(journal.answers(LIST, sender).await.unwrap().len(), 2);
        assert_eq!(accept(&first, (ann, 4), vec![price("73", None)]).await, Revision(5));
        assert_eq!(accept(&second, (ann, 4), vec![price("73", None)]).await, Revision(5));
        let (state, at) = outdated.read().await.unwrap();
        let cells = state.row(0).stored_cells(&state.columns);
        assert_eq!((at.revision, &cells[&"price".into()]), (Revision(5), &Literal::from("73")));
    }
}

#[tokio::test]
async fn a_deleted_watchlist_accepts_no_edit() {
    for Writers { journal, hubs: [first, second], _folder } in Writers::all().await {
        let outdated = second.connect(&admin(), LIST).unwrap();
        outdated.read().await.unwrap();
        first.delete(&admin(), LIST).await.unwrap();
        let changes = Ok(vec![Change::rename("Too late")]);
        let verdict = outdated.edit_answered((ClientId(Uuid::nil()), EditId(1)), changes).await.unwrap();
        assert!(matches!(verdict, Verdict::Rejected(rejection) if rejection.code == Code::Unavailable));
        assert!(journal.commits(LIST, Revision(0), ReadLimit::ALL).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_edit_that_both_writers_receive_gets_one_answer() {
    // Only servers that share a database receive edits of one client at the same time.
    let Some(Writers { journal, hubs: [first, second], _folder }) = Writers::all().await.into_iter().nth(1)
    else {
        return;
    };
    let client = ClientId(Uuid::from_u128(1));
    let rename = |name: &str| vec![Change::rename(name)];
    // Both have read the client's answers.
    accept(&first, (client, 1), rename("one")).await;
    accept(&second, (client, 2), rename("two")).await;
    let rejected = answer(&first, (client, 3), Vec::new()).await;
    assert!(matches!(&rejected, Verdict::Rejected(rejection) if rejection.code == Code::BadMessage));
    assert_eq!(answer(&second, (client, 3), Vec::new()).await, rejected);
    // The other one does not know that the number is taken.
    let Verdict::Rejected(reused) = answer(&second, (client, 3), rename("three")).await else {
        panic!("the number was used")
    };
    assert_eq!(reused.code, Code::EditReused);
    assert_eq!(journal.commits(LIST, Revision(0), ReadLimit::ALL).await.unwrap().len(), 2);
}
