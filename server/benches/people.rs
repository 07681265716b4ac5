//! People with accounts, whose role on a watchlist changes while they edit it.

use std::time::Duration;

use server::client::{Client, ClientError};
use shared::{
    account::ListRole,
    ids::{UserId, WatchlistId},
    wire::account_api::{AddAccount, AddedAccount, Hidden, SetAccess, SignIn},
};
use tokio::task::spawn_blocking;

use crate::process::Endpoint;

const PASSWORD: &str = "harbour lamp forty";
/// The roles that a person may be given; an editor twice, so that more edits are accepted than rejected.
const ROLES: [Option<ListRole>; 4] =
    [None, Some(ListRole::Viewer), Some(ListRole::Editor), Some(ListRole::Editor)];
/// Pause after a call that the server has not answered, because it was killed.
const RETRY: Duration = Duration::from_millis(100);

/// The accounts of the people, and who changes their roles.
pub struct People {
    owner: Client,
    list: WatchlistId,
    accounts: Vec<UserId>,
}

impl People {
    /// Adds accounts, signs each of them in and makes them editors of a watchlist. Returns their endpoints as
    /// well.
    pub async fn add(endpoint: &Endpoint, list: WatchlistId, count: usize) -> (Self, Vec<Endpoint>) {
        let owner = Client::new(&format!("http://{}", endpoint.address), &endpoint.token);
        let endpoint = endpoint.clone();
        let adding = move || {
            let added: Vec<(UserId, Endpoint)> =
                (0..count).map(|index| add(&owner, &endpoint, &format!("person {index}"))).collect();
            (owner, added)
        };
        let (owner, added) = spawn_blocking(adding).await.unwrap();
        let (accounts, endpoints) = added.into_iter().unzip();
        let people = Self { owner, list, accounts };
        people.make_editors().await;
        (people, endpoints)
    }

    /// Gives one of them another role, or takes it away.
    pub async fn change_any(&self) {
        self.share(
            self.accounts[fastrand::usize(..self.accounts.len())],
            ROLES[fastrand::usize(..ROLES.len())],
        )
        .await;
    }

    /// Makes all of them editors.
    pub async fn make_editors(&self) {
        for account in &self.accounts {
            self.share(*account, Some(ListRole::Editor)).await;
        }
    }

    async fn share(&self, account: UserId, role: Option<ListRole>) {
        let path = format!("/api/v1/watchlists/{}/access", self.list);
        let set = SetAccess { user: Some(account), role };
        loop {
            let (owner, path) = (self.owner.clone(), path.clone());
            match spawn_blocking(move || owner.put("PUT", &path, &set)).await.unwrap() {
                Ok(()) => return,
                Err(ClientError::Unreachable { .. }) => tokio::time::sleep(RETRY).await,
                Err(error) => panic!("the role of {account} cannot be changed: {error}"),
            }
        }
    }
}

/// Adds an account and signs it in.
fn add(owner: &Client, endpoint: &Endpoint, name: &str) -> (UserId, Endpoint) {
    let password = || Hidden(PASSWORD.to_owned());
    let account = AddAccount { name: name.to_owned(), password: password(), admin: false };
    let added: AddedAccount = owner.send("POST", "/api/v1/accounts", &account).unwrap();
    let url = format!("http://{}/api/v1/session", endpoint.address);
    let answer = ureq::post(&url).send_json(SignIn { name: name.to_owned(), password: password() }).unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let session = cookie.split(';').next().unwrap();
    let mut own = endpoint.clone();
    own.session = Some(session.to_owned());
    (added.id, own)
}
