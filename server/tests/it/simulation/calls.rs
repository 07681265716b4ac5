//! Calls of the hub, as HTTP requests make them: several at once, and dropped after some polls if their
//! caller hangs up.

use std::{collections::BTreeMap, pin::pin, sync::Arc, task::Poll, time::Duration};

use fastrand::Rng;
use server::{
    hub::Hub,
    journal::{HistoryFilter, HistoryPage, Verdict},
};
use shared::{
    edit::Change,
    ids::{At, ClientId, EditId, WatchlistId},
    rejection::{Code, Rejection},
    watchlist::{Frozen, Watchlist},
};
use tokio::{task::JoinSet, time::timeout};
use uuid::Uuid;

use super::{
    LISTS,
    disk::{Disk, Name, rows_of},
    edits::random_changes,
    events::{Kind, count, record},
};
use crate::support::admin;

/// Number of callers that send edits.
const AUTHORS: u128 = 2;
/// Time within which every call ends once nothing fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The calls of a run.
#[derive(Default)]
pub(super) struct Calls {
    running: JoinSet<Option<Finished>>,
    authors: BTreeMap<ClientId, Author>,
    /// The watchlists that were requested, with the name of each and whether the caller knows that it is
    /// created.
    requested: BTreeMap<WatchlistId, (String, bool)>,
    /// What was sent as each edit.
    pub(super) sent: BTreeMap<Name, Vec<Change>>,
    /// The answers to edits.
    pub(super) answers: BTreeMap<Name, Verdict>,
}

/// A caller that sends edits.
#[derive(Default)]
struct Author {
    last: u64,
    /// The last edit, if its answer is unknown.
    unanswered: Option<Name>,
}

/// A call that was not dropped, with its result.
enum Finished {
    Created(WatchlistId, Result<WatchlistId, Rejection>),
    Managed(WatchlistId, Result<(), Rejection>),
    Read(WatchlistId, Result<(Frozen, At), Rejection>),
    History(WatchlistId, Result<HistoryPage, Rejection>),
    Edited(Name, Result<Verdict, Rejection>),
}

/// Polls a call a number of times, and drops it if it is not done then.
async fn abandon<T>(call: impl Future<Output = T>, mut polls: usize) -> Option<T> {
    let mut call = pin!(call);
    let result = std::future::poll_fn(|context| {
        polls -= 1;
        match call.as_mut().poll(context) {
            Poll::Pending if polls == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    });
    result.await
}

impl Calls {
    /// Begins a call. Every other one is dropped after a few polls.
    pub(super) fn begin(
        &mut self,
        rng: &mut Rng,
        hub: &Arc<Hub>,
        disk: &Arc<Disk>,
        state: Option<&Watchlist>,
    ) {
        let polls = if rng.bool() { rng.usize(1..4) } else { usize::MAX };
        let id = self.choose(rng, disk);
        let hub = hub.clone();
        match rng.u32(..100) {
            0..45 => {
                let deletes = if disk.is_living(id) { rng.bool() } else { rng.u8(..8) == 0 };
                self.spawn(polls, async move {
                    let managed = match deletes {
                        true => hub.delete(&admin(), id).await,
                        false => hub.restore(&admin(), id).await,
                    };
                    Finished::Managed(id, managed)
                });
            }
            45..60 => {
                let id = self.request(rng);
                let name = self.requested[&id].0.clone();
                self.spawn(polls, async move {
                    Finished::Created(id, hub.create(&admin(), Some(id), &name, None).await)
                });
            }
            60..85 => {
                let Some(name) = self.edit(rng, state) else { return };
                let (id, client, edit) = name;
                let changes = self.sent[&name].clone();
                self.spawn(polls, async move {
                    let verdict = async {
                        let list = hub.connect(&admin(), id)?;
                        list.edit_answered((client, edit), Ok(changes)).await
                    };
                    Finished::Edited(name, verdict.await)
                });
            }
            85..93 => self.spawn(polls, async move {
                let read = async { Ok(hub.connect(&admin(), id)?.read().await?) };
                Finished::Read(id, read.await)
            }),
            _ => {
                let filter = HistoryFilter { limit: rng.usize(1..20), ..HistoryFilter::default() };
                self.spawn(
                    polls,
                    async move { Finished::History(id, hub.history(&admin(), id, filter).await) },
                );
            }
        }
    }

    /// Returns a watchlist that clients open, rather a deleted one, or one that was requested since.
    fn choose(&self, rng: &mut Rng, disk: &Disk) -> WatchlistId {
        let deleted = LISTS.into_iter().find(|list| !disk.is_living(*list));
        if let Some(deleted) = deleted.filter(|_| rng.bool()) {
            return deleted;
        }
        let index = rng.usize(..2 * self.requested.len() + LISTS.len());
        self.requested.keys().nth(index / 2).copied().unwrap_or(LISTS[index % LISTS.len()])
    }

    /// Returns the id of a watchlist to be created: a new one, or the last one again.
    fn request(&mut self, rng: &mut Rng) -> WatchlistId {
        let last = self.requested.last_key_value().map(|(id, _)| *id);
        if let Some(last) = last.filter(|_| rng.u8(..3) == 0) {
            return last;
        }
        let number = self.requested.len() as u128;
        let id = WatchlistId(Uuid::from_u128(100 + number));
        self.requested.insert(id, (format!("List {number}"), false));
        id
    }

    /// Returns the name of an edit to be sent: a new one, or one whose answer is unknown.
    fn edit(&mut self, rng: &mut Rng, state: Option<&Watchlist>) -> Option<Name> {
        let list = LISTS[rng.usize(..LISTS.len())];
        let client = ClientId(Uuid::from_u128(900 + rng.u128(..AUTHORS)));
        let author = self.authors.entry(client).or_default();
        if author.unanswered.is_some() && rng.bool() {
            return author.unanswered;
        }
        let changes = random_changes(rng, state?);
        author.last += 1;
        let name = (list, client, EditId(author.last));
        author.unanswered = Some(name);
        self.sent.insert(name, changes);
        Some(name)
    }

    fn spawn(&mut self, polls: usize, call: impl Future<Output = Finished> + Send + 'static) {
        self.running.spawn(abandon(call, polls));
    }

    /// Checks the results of the calls that are done.
    pub(super) fn check_finished(&mut self, disk: &Disk) {
        while let Some(finished) = self.running.try_join_next() {
            self.check(disk, finished.expect("a call does not panic"));
        }
    }

    /// Waits until every call is done.
    pub(super) async fn finish(&mut self, disk: &Disk) {
        let all = async {
            while let Some(finished) = self.running.join_next().await {
                self.check(disk, finished.expect("a call does not panic"));
            }
        };
        timeout(PATIENCE, all).await.expect("every call ends");
    }

    fn check(&mut self, disk: &Disk, finished: Option<Finished>) {
        let Some(finished) = finished else { return count(Kind::AbandonedCall) };
        match finished {
            Finished::Created(id, result) => {
                record(("create", id, result.as_ref().err().map(|rejection| rejection.code)));
                if result.is_ok() {
                    self.requested.get_mut(&id).expect("it was requested").1 = true;
                }
            }
            Finished::Managed(id, result) => {
                record(("manage", id, result.err().map(|rejection| rejection.code)));
            }
            Finished::Read(id, result) => {
                record(("read", id, result.as_ref().ok().map(|(_, at)| at.revision)));
                let (Ok((frozen, at)), Some(stored_at)) = (result, disk.at(id)) else { return };
                assert!(at.revision <= stored_at.revision, "a read shows only what is stored");
                let stored = disk.replayed(id, at.revision).freeze();
                assert_eq!(rows_of(&frozen), rows_of(&stored), "a read shows what is stored");
            }
            Finished::History(id, result) => {
                record(("history", id, result.as_ref().ok().map(|page| page.commits.len())));
                result.iter().for_each(|page| check_history(disk, id, page));
            }
            Finished::Edited(name, result) => self.check_edit(name, result),
        }
    }

    fn check_edit(&mut self, name: Name, result: Result<Verdict, Rejection>) {
        let verdict = match result {
            Ok(verdict) => verdict,
            Err(rejection) => Verdict::Rejected(rejection.into()),
        };
        let code = match &verdict {
            Verdict::Accepted(revision) => Ok(*revision),
            Verdict::Rejected(rejection) => Err(rejection.code),
        };
        record(("edited", name, code));
        if matches!(code, Err(Code::Unavailable | Code::UnknownWatchlist)) {
            return;
        }
        if code.is_ok() {
            count(Kind::AcceptedCall);
        }
        let first = self.answers.entry(name).or_insert_with(|| verdict.clone());
        assert_eq!(*first, verdict, "a repeated edit gets its first answer");
        for author in self.authors.values_mut() {
            author.unanswered.take_if(|unanswered| *unanswered == name);
        }
    }

    /// Sends some of the edits again whose answers are unknown, until they are answered.
    pub(super) async fn finish_edits(&mut self, rng: &mut Rng, hub: &Arc<Hub>) {
        let unanswered: Vec<Name> = self.authors.values().filter_map(|author| author.unanswered).collect();
        for name in unanswered.into_iter().filter(|_| rng.bool()) {
            let (id, client, edit) = name;
            let changes = self.sent[&name].clone();
            let Ok(list) = hub.connect(&admin(), id) else { continue };
            let edited = list.edit_answered((client, edit), Ok(changes));
            let verdict = timeout(PATIENCE, edited).await.expect("it is answered");
            self.check_edit(name, verdict);
            assert!(self.answers.contains_key(&name), "an edit is answered if nothing fails");
        }
    }

    /// Checks that every watchlist is there whose caller knows that it is created, and that each is served
    /// completely.
    pub(super) async fn assert_created(&self, hub: &Hub, disk: &Disk, purges: bool) {
        for (id, (name, is_known)) in &self.requested {
            let is_stored = disk.records().iter().any(|record| record.id == *id);
            assert!(is_stored || !is_known || purges, "a created watchlist is there");
            let Ok(list) = hub.connect(&admin(), *id) else {
                assert!(!is_stored, "a stored watchlist is served");
                continue;
            };
            let (frozen, at) = timeout(PATIENCE, list.read()).await.expect("it is answered").unwrap();
            assert_eq!(
                (Some(at), &*frozen.name),
                (disk.at(*id), &**name),
                "it is served as it was requested"
            );
            let stored = disk.replayed(*id, at.revision).freeze();
            assert_eq!(rows_of(&frozen), rows_of(&stored));
            assert!(frozen.columns.iter().eq(stored.columns.iter()), "it has its columns");
        }
    }
}

/// Checks that a history has the newest commits, without gaps.
fn check_history(disk: &Disk, id: WatchlistId, page: &HistoryPage) {
    let contents = disk.contents();
    let Some(list) = contents.lists.get(&id) else { return };
    for pair in page.commits.windows(2) {
        assert_eq!(pair[0].revision, pair[1].revision.next(), "a history has no gaps");
    }
    for commit in &page.commits {
        let index = usize::try_from(commit.revision.0 - 1).unwrap();
        assert_eq!(*commit, list.commits[index], "a history has what is stored");
    }
}
