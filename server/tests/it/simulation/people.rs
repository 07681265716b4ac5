//! People with accounts, whose roles on the watchlists change while they edit. Their store is a real file,
//! which outlives every crash.

use std::{
    fs,
    net::Ipv4Addr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use fastrand::Rng;
use server::{
    access::Caller,
    accounts::{Accounts, Lifetimes, LocalAccount, Origin, Presented},
    clock,
    hub::Hub,
};
use shared::{
    account::{ListRole, Role, User},
    rejection::Code,
    wire::account_api::AddToken,
};
use tempfile::TempDir;

use super::{
    LISTS,
    events::{Kind, count, record},
};
use crate::support::admin;

const NAMES: [&str; 2] = ["bob", "cem"];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Name of the file with the accounts.
const FILE: &str = "accounts.sqlite";

/// A file with the accounts, and the token of each.
struct Template {
    file: Vec<u8>,
    tokens: Vec<String>,
}

/// Made once, because the hash of a password takes longer than a run.
static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tokens = runtime.block_on(async {
            let accounts = open(&folder);
            let (local, address) = (accounts.local_caller(), Ipv4Addr::LOCALHOST.into());
            let mut tokens = Vec::new();
            for name in NAMES {
                let user = accounts.add(&local, (name, "harbour lamp forty"), false, address).await.unwrap();
                let name = format!("{name}s program");
                let add = AddToken { name, user: Some(user), ..AddToken::default() };
                let (_, secret) = accounts.add_token(&local, add, address).await.unwrap();
                tokens.push(secret.text().to_owned());
            }
            tokens
        });
        Template { file: fs::read(folder.path().join(FILE)).unwrap(), tokens }
    };
    // A runtime cannot be started within another one.
    std::thread::Builder::new().spawn(make).unwrap().join().unwrap()
});

fn open(folder: &TempDir) -> Arc<Accounts> {
    let admin = admin();
    let local = LocalAccount::in_memory(User { id: admin.user, name: admin.name, role: Role::Admin });
    let lifetimes = Lifetimes { idle: DAY, absolute: 30 * DAY };
    Arc::new(Accounts::open(folder.path(), local, lifetimes, clock::system()).unwrap())
}

/// The people of a run.
pub(super) struct People {
    pub(super) accounts: Arc<Accounts>,
    pub(super) callers: Vec<Caller>,
    _folder: TempDir,
}

impl People {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), &TEMPLATE.file).unwrap();
        let accounts = open(&folder);
        let origin = Origin { address: Ipv4Addr::LOCALHOST.into(), is_remote: false };
        let caller = |token: &String| {
            accounts.authenticate(Presented { bearer: Some(token), session: None }, origin).unwrap()
        };
        let callers = TEMPLATE.tokens.iter().map(caller).collect();
        Self { accounts, callers, _folder: folder }
    }

    /// Gives everyone on every watchlist a role with which they may edit.
    pub(super) async fn share_all(&self, hub: &Hub) {
        for (list, caller) in
            LISTS.into_iter().flat_map(|list| self.callers.iter().map(move |caller| (list, caller)))
        {
            let with = (Some(caller.user), Some(ListRole::Editor));
            match hub.share(&admin(), list, with, Ipv4Addr::LOCALHOST.into()).await {
                Ok(()) => {}
                // The last owner stays one.
                Err(rejection) => assert_eq!(rejection.code, Code::LastOwner),
            }
        }
    }

    /// Changes the role of a person on a watchlist, or takes it away.
    pub(super) async fn share(&self, rng: &mut Rng, hub: &Hub) {
        let (list, caller) =
            (LISTS[rng.usize(..LISTS.len())], &self.callers[rng.usize(..self.callers.len())]);
        let role = match rng.u8(..6) {
            0 => None,
            1 => Some(ListRole::Viewer),
            2 => Some(ListRole::Owner),
            _ => Some(ListRole::Editor),
        };
        count(Kind::ChangedRole);
        let shared = hub.share(&admin(), list, (Some(caller.user), role), Ipv4Addr::LOCALHOST.into()).await;
        record(("share", list, caller.user, role, shared.err().map(|rejection| rejection.code)));
    }
}
