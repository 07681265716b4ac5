//! A watchlist that is open nowhere leaves memory, and comes back when it is opened.

use std::time::Duration;

use server::{hub::Hub, journal::Verdict};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, Revision, WatchlistId},
    rejection::Code,
};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    failing_journal::journal::{FailingJournal, Fault},
    support::{accounts, admin, room_context},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test(start_paused = true)]
async fn a_watchlist_that_is_open_nowhere_is_unloaded() {
    let folder = tempfile::tempdir().unwrap();
    let journal = FailingJournal::open(folder.path()).await;
    let (hub, ann) = (Hub::open(room_context(journal.clone()), accounts()).await.unwrap(), admin());
    let id = WatchlistId(Uuid::from_u128(1));
    hub.create(&ann, Some(id), "List", None).await.unwrap();
    let list = hub.connect(&ann, id).unwrap();
    let edit = async |number, name| {
        let changes = Ok(vec![Change::rename(name)]);
        let list = hub.connect(&ann, id).unwrap();
        list.edit_answered((ClientId(Uuid::nil()), EditId(number)), changes).await.unwrap()
    };
    assert_eq!(edit(1, "First").await, Verdict::Accepted(Revision(1)));
    // The next load of the watchlist fails.
    journal.fail(|journal| &journal.snapshots, &[Fault::Fails]);
    sleep(HOUR).await;
    let (state, _) = list.read().await.unwrap();
    assert_eq!(&*state.name, "First", "an open watchlist stays in memory");
    drop(list);
    for _ in 0..12 {
        sleep(HOUR / 12).await;
        hub.connect(&ann, id).unwrap().read().await.expect("a watchlist that is read now and then stays");
    }
    sleep(HOUR).await;
    assert_eq!(hub.list(&ann)[0].revision, Revision(1), "it is listed as it was");
    assert_eq!(journal.snapshots.lock().unwrap().len(), 1, "it is not loaded before someone opens it");
    hub.connect(&ann, id).unwrap().read().await.expect_err("it is loaded again");
    let edited = async {
        loop {
            let verdict = edit(2, "Second").await;
            match &verdict {
                Verdict::Rejected(rejection) if rejection.code == Code::Unavailable => {}
                _ => return verdict,
            }
            sleep(Duration::from_secs(1)).await;
        }
    };
    assert_eq!(edited.await, Verdict::Accepted(Revision(2)));
    assert_eq!(edit(1, "First").await, Verdict::Accepted(Revision(1)), "the answers are kept");
    hub.delete(&ann, id).await.unwrap();
    hub.restore(&ann, id).await.unwrap();
    sleep(HOUR).await;
    hub.delete(&ann, id).await.expect("a watchlist that is not in memory can be deleted");
}
