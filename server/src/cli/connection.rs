//! The server that a sub-command works with: one that runs, or one that is started for it.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use shared::address::{Parts, address};
use tokio::runtime::Runtime;

use crate::{
    accounts::read_token,
    client::{Client, ClientError, verify},
    clock,
    folder::{ServeOrJoin, default_data_dir, serve_or_join},
    settings::Settings,
    start::{start, system_user_name},
};

/// Source of the watchlists: a data folder or a server.
#[derive(Args, Debug)]
pub(super) struct Target {
    /// Data folder; if it is being served, the command connects to that server.
    /// Without a flag AFTERGLOW_CONNECT or AFTERGLOW_DATA_DIR is used.
    #[arg(long, conflicts_with = "connect")]
    pub(super) data_dir: Option<PathBuf>,
    /// Address of a server, such as http://127.0.0.1:7878.
    #[arg(long, requires = "token_file")]
    connect: Option<String>,
    /// File that holds the server's token.
    #[arg(long, env = "AFTERGLOW_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

/// Data folder on this machine.
#[derive(Args, Debug)]
pub(super) struct Folder {
    /// Data folder [default: this user's data folder]
    #[arg(long, env = "AFTERGLOW_DATA_DIR", global = true)]
    pub(super) data_dir: Option<PathBuf>,
}

impl Folder {
    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        self.data_dir.clone().map_or_else(default_data_dir_or_error, Ok)
    }
}

pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Runtime::new().context("the runtime cannot be started")
}

pub(super) fn default_data_dir_or_error() -> anyhow::Result<PathBuf> {
    default_data_dir().context("this user has no home folder; name a data folder with --data-dir")
}

/// Runs a call against the server of the target. A data folder that is not being served is served for this
/// call.
pub(super) fn with_server(
    target: &Target,
    missing: Missing,
    call: impl FnOnce(&Client) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // A flag overrides the variables: with either flag the other's variable is ignored.
    let variable = |name: &str, other: bool| std::env::var(name).ok().filter(|_| !other);
    let connect = target.connect.clone();
    let connect = connect.or_else(|| variable("AFTERGLOW_CONNECT", target.data_dir.is_some()));
    if let Some(base) = connect {
        let base = address(&base).map_err(anyhow::Error::msg)?;
        anyhow::ensure!(
            !Parts::of(&base).map_err(anyhow::Error::msg)?.is_encrypted,
            "this command does not speak TLS: run it on the server's machine, with --data-dir or http://127.0.0.1:PORT"
        );
        let token_file = target.token_file.as_ref();
        let token_file = token_file
            .with_context(|| format!("{base} requires a token: name its file with --token-file"))?;
        let token = read_token(token_file).map_err(anyhow::Error::msg)?;
        let verified = verify(&base, &token).map_err(anyhow::Error::from);
        let result = verified.and_then(|_instance| call(&Client::new(&base, &token)));
        return result.map_err(|error| match error.downcast_ref() {
            Some(ClientError::Unauthorized { .. } | ClientError::NotProved { .. }) => {
                anyhow::anyhow!(
                    "{base} does not accept the token in {}: name the file that holds this server's token",
                    token_file.display()
                )
            }
            _ => error,
        });
    }
    let data_dir =
        target.data_dir.clone().or_else(|| variable("AFTERGLOW_DATA_DIR", false).map(PathBuf::from));
    with_folder(&Folder { data_dir }, missing, call)
}

/// Runs a call against the server of a data folder. One that is not being served is served for this call.
pub(super) fn with_folder(
    folder: &Folder,
    missing: Missing,
    call: impl FnOnce(&Client) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let data_dir = folder.path()?;
    if missing == Missing::Rejected && !data_dir.is_dir() {
        bail!("no data folder exists at {}; name another with --data-dir", data_dir.display());
    }
    let folder = match serve_or_join(&data_dir)? {
        ServeOrJoin::Join(client) => return call(&client),
        ServeOrJoin::Serve(folder) => folder,
    };
    let journal = std::env::var("AFTERGLOW_JOURNAL").unwrap_or_default();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings { listen, data_dir, journal, ..Settings::default() };
    let runtime = runtime()?;
    let running = runtime.block_on(start(settings, folder, &system_user_name(), clock::system()))?;
    let client = Client::new(&format!("http://{}", running.serving.address), running.token());
    let result = call(&client);
    runtime.block_on(running.stop());
    result
}

/// What to do if the data folder does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Create it.
    Created,
    /// Fail.
    Rejected,
}
