//! Changes of accounts whose callers go away, or lose their rights while they wait.

use std::{net::IpAddr, sync::Arc, time::Duration};

use futures_util::poll;
use server::{
    access::{Caller, Credential},
    accounts::{Accounts, Lifetimes, LocalAccount, Presented},
    clock,
};
use shared::{
    account::ListRole,
    ids::{UserId, WatchlistId},
    rejection::Code,
    wire::account_api::{AddToken, ChangeAccount},
};
use tempfile::TempDir;
use uuid::Uuid;

use super::people::PASSWORD;
use crate::{managing::abandon, support::wait_for};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const LIST: WatchlistId = WatchlistId(Uuid::from_u128(1));

fn open(folder: &TempDir) -> Arc<Accounts> {
    let local = LocalAccount::open(folder.path(), "root").unwrap();
    let day = Duration::from_secs(86_400);
    let lifetimes = Lifetimes { idle: day, absolute: day };
    Arc::new(Accounts::open(folder.path(), local, lifetimes, clock::system()).unwrap())
}

fn token(name: &str) -> AddToken {
    serde_json::from_value(serde_json::json!({ "name": name })).unwrap()
}

fn change(json: serde_json::Value) -> ChangeAccount {
    serde_json::from_value(json).unwrap()
}

/// Adds an account, and returns it as a caller that has signed in.
async fn person(accounts: &Accounts, name: &str, is_admin: bool) -> Caller {
    accounts.add(&accounts.local_caller(), (name, PASSWORD), is_admin, HERE).await.unwrap();
    let signed_in = accounts.sign_in((name, PASSWORD), (HERE, "test"), None).await.unwrap();
    let origin = server::accounts::Origin { address: HERE, is_remote: true };
    let presented = Presented { session: Some(signed_in.secret.text()), bearer: None };
    accounts.authenticate(presented, origin).unwrap()
}

/// Returns the names of the accounts and tokens, and whether each account is disabled.
fn known(accounts: &Accounts) -> (Vec<(String, bool)>, Vec<String>) {
    let local = accounts.local_caller();
    let mut people: Vec<_> = accounts.list(&local).unwrap();
    people.sort_by(|one, other| one.name.cmp(&other.name));
    let people = people.into_iter().map(|account| (account.name.to_string(), account.is_disabled)).collect();
    let mut tokens: Vec<_> = accounts.tokens(&local).unwrap();
    tokens.sort_by(|one, other| one.name.cmp(&other.name));
    (people, tokens.into_iter().map(|token| token.name.to_string()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_caller_goes_away_is_stored_and_applied_or_neither() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = open(&folder);
    let local = accounts.local_caller();
    for polls in 0..12 {
        let name = format!("person {polls}");
        let id = accounts.add(&local, (&name, PASSWORD), false, HERE).await.unwrap();
        let (feed, _) = accounts.add_token(&local, token(&format!("feed {polls}")), HERE).await.unwrap();
        abandon(accounts.revoke_token(&local, feed, HERE), polls).await;
        abandon(accounts.change(&local, id, change(serde_json::json!({ "disabled": true })), HERE), polls)
            .await;
        abandon(accounts.add_token(&local, token(&format!("other {polls}")), HERE), polls).await;
        // A change that follows is judged by what was done before it.
        let again = accounts.add(&local, (&name, PASSWORD), false, HERE).await;
        assert_eq!(again.unwrap_err().code, Code::InvalidValue);
        wait_for("the stored changes", async || (known(&open(&folder)) == known(&accounts)).then_some(()))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_are_taken_away_while_a_change_waits_no_longer_count() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = open(&folder);
    let local = accounts.local_caller();
    let mallory = person(&accounts, "mallory", true).await;
    {
        // It waits for the hash of the password.
        let mut adding = std::pin::pin!(accounts.add(&mallory, ("puppet", PASSWORD), true, HERE));
        assert!(poll!(&mut adding).is_pending());
        let disabled = change(serde_json::json!({ "disabled": true }));
        accounts.change(&local, mallory.user, disabled, HERE).await.unwrap();
        assert_eq!(adding.await.unwrap_err().code, Code::Forbidden);
    }
    let (ann, bob) = (person(&accounts, "ann", false).await, person(&accounts, "bob", false).await);
    accounts.own(&ann, LIST).await.unwrap();
    let share =
        async |by: &Caller, user: UserId, role| accounts.share(by, LIST, (Some(user), role), HERE).await;
    share(&ann, bob.user, Some(ListRole::Owner)).await.unwrap();
    share(&bob, ann.user, None).await.unwrap();
    let refused = share(&ann, mallory.user, Some(ListRole::Editor)).await.unwrap_err();
    assert_eq!(refused.code, Code::UnknownWatchlist, "she may no longer see it");
    share(&bob, ann.user, Some(ListRole::Editor)).await.unwrap();
    let refused = share(&ann, mallory.user, Some(ListRole::Editor)).await.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
}

#[tokio::test]
async fn a_creation_that_failed_leaves_no_owner_of_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = open(&folder);
    let (ann, bob) = (person(&accounts, "ann", false).await, person(&accounts, "bob", false).await);
    let owners = |accounts: &Accounts| -> Vec<UserId> {
        accounts.access_list(LIST).into_iter().filter_map(|(user, _)| Some(user?.id)).collect()
    };
    accounts.own(&ann, LIST).await.unwrap();
    accounts.own(&bob, LIST).await.unwrap();
    assert_eq!(owners(&accounts), [bob.user]);
    accounts.own(&accounts.local_caller(), LIST).await.unwrap();
    assert_eq!((owners(&accounts), owners(&open(&folder))), (Vec::new(), Vec::new()));
    assert!(matches!(ann.credential, Credential::Session(_)));
}

/// A change that names several things is one.
#[tokio::test]
async fn an_account_is_changed_completely_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = open(&folder);
    let (local, ann) = (accounts.local_caller(), person(&accounts, "ann", false).await);
    let weak = change(serde_json::json!({ "disabled": true, "admin": true, "password": "password" }));
    assert_eq!(accounts.change(&local, ann.user, weak, HERE).await.unwrap_err().code, Code::InvalidValue);
    assert_eq!(known(&accounts).0, [("ann".to_owned(), false)]);
    assert!(accounts.role(&ann).is_some(), "her session goes on");
    let all =
        change(serde_json::json!({ "disabled": true, "admin": true, "password": "quiet river ninety" }));
    accounts.change(&local, ann.user, all, HERE).await.unwrap();
    assert_eq!((known(&accounts).0, accounts.role(&ann)), (vec![("ann".to_owned(), true)], None));
}
