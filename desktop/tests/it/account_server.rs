//! A server with accounts and a certificate, in the process of the test.

use std::{net::Ipv4Addr, path::PathBuf};

use desktop::{
    destination::Destination,
    remote::{Fingerprint, Server, Trust},
};
use server::{
    clock,
    folder::DataFolder,
    settings::Settings,
    start::{Running, start},
    tls::{Created, create_self_signed},
};
use shared::{ids::UserId, time::Timestamp};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub const PASSWORD: &str = "harbour lamp forty";

pub struct AccountServer {
    running: Option<Running>,
    runtime: Runtime,
    created: Created,
    _folder: TempDir,
}

impl AccountServer {
    /// Starts a server whose certificate is for `localhost`.
    pub fn start() -> Self {
        Self::with_certificate("localhost", (clock::system())())
    }

    /// Starts a server with a certificate for a name that was created at a time.
    pub fn with_certificate(name: &str, created_at: Timestamp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let created = create_self_signed(&folder.path().join("tls"), &[name.to_owned()], created_at).unwrap();
        let data_dir = folder.path().join("data");
        server::files::create_private_dir(&data_dir).unwrap();
        let settings = Settings {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            tls_cert: created.certificate.clone(),
            tls_key: created.key.clone(),
            ..Settings::default()
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let running =
            runtime.block_on(start(settings, DataFolder::lock(&data_dir).unwrap(), "owner", clock::system()));
        Self { running: Some(running.unwrap()), runtime, created, _folder: folder }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.running().url.rsplit(':').next().unwrap().parse().unwrap()
    }

    pub fn base(&self) -> String {
        format!("https://localhost:{}", self.port())
    }

    /// File with the certificate of its authority.
    pub fn authority(&self) -> PathBuf {
        self.created.authority.clone()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.created.fingerprint.parse().unwrap()
    }

    /// Returns the server as a client sees it that knows the authority's fingerprint.
    pub fn server(&self) -> Server {
        let trust = Trust { ca_file: None, fingerprint: Some(self.fingerprint()) };
        Server { base: self.base(), trust, proxy: None }
    }

    pub fn destination(&self) -> Destination {
        Destination { base: self.base(), fingerprint: Some(self.fingerprint()), ..Destination::default() }
    }

    /// Adds an account with [`PASSWORD`].
    pub fn add(&self, name: &str) -> UserId {
        let accounts = self.running().accounts().clone();
        let added = self.runtime.block_on(async move {
            let caller = accounts.local_caller();
            accounts.add(&caller, (name, PASSWORD), false, Ipv4Addr::LOCALHOST.into()).await
        });
        added.unwrap()
    }

    /// Disables or enables an account.
    pub fn set_disabled(&self, account: UserId, disabled: bool) {
        let accounts = self.running().accounts().clone();
        let changed = self.runtime.block_on(async move {
            let caller = accounts.local_caller();
            let change = shared::wire::account_api::ChangeAccount {
                disabled: Some(disabled),
                ..shared::wire::account_api::ChangeAccount::default()
            };
            accounts.change(&caller, account, change, Ipv4Addr::LOCALHOST.into()).await
        });
        changed.unwrap();
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

impl Drop for AccountServer {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}
