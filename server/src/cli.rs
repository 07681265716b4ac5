//! The command line of `afterglow-server`: its arguments and its sub-commands.

mod accounts;
mod connection;
mod migrate;
mod output;
mod tls;

use std::{
    env, fs,
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use shared::{
    ids::WatchlistId,
    limits::Limits,
    sheet::{self, Table},
};
use uuid::Uuid;

pub use self::output::printable;
use self::{
    accounts::{AuditArgs, TokenArgs, UserArgs, audit, token, user},
    connection::{Folder, Missing, Target, default_data_dir_or_error, runtime, with_server},
    migrate::{MigrateArgs, migrate},
    output::{print, summary},
    tls::{TlsArgs, tls},
};
use crate::{
    clock,
    folder::{backup, lock_or_wait},
    journal::sqlite::CheckedList,
    settings::Settings,
    start::{start, system_user_name},
};

/// Maximum size of a file that is imported, in bytes.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Serves shared watchlists.
#[derive(Parser, Debug)]
#[command(name = "afterglow-server", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Subcommand, Debug)]
enum CliCommand {
    /// Serve a data folder until SIGINT or SIGTERM; the first line on stdout names the address.
    Serve(ServeArgs),
    /// Create a watchlist from a CSV file and print its id.
    Import(ImportArgs),
    /// Write a watchlist to stdout.
    Export(ExportArgs),
    /// Print every watchlist: id, name and rows, separated by tabs.
    List(Target),
    /// Check every record of a journal, which may be in use, for damage.
    Check(CheckArgs),
    /// Write a copy of a data folder's journal, even while it is served.
    Backup(BackupArgs),
    /// Replace a data folder's journal with a backup; the replaced journal is kept.
    Restore(BackupArgs),
    /// Move the journal of a data folder into a PostgreSQL database, or back, while no server uses it.
    Migrate(MigrateArgs),
    /// Create certificates for a server that has none.
    Tls(TlsArgs),
    /// Add, list and change accounts.
    User(UserArgs),
    /// Add, list and revoke the tokens of programs.
    Token(TokenArgs),
    /// Print the audit log, one entry per line, and check that no entry is missing.
    Audit(AuditArgs),
}

#[derive(Args, Debug)]
struct ServeArgs {
    /// Address to listen on; port 0 picks a free port [default: 127.0.0.1:7878]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Folder of the journal, the token and the lock [default: this user's data folder]
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// URL of the PostgreSQL database that holds the journal: postgres://USER:PASSWORD@HOST:PORT/DATABASE. Other users of
    /// this machine can read a command line: AFTERGLOW_JOURNAL keeps the password from them [default: a file in the data folder]
    #[arg(long, value_name = "URL")]
    journal: Option<String>,
    /// PEM file of the certificate with which connections are encrypted; with --tls-key.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's key.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listen beyond this machine without encryption: everyone on the network can read passwords and prices.
    #[arg(long)]
    insecure_lan: bool,
    /// TOML file with settings; each can also be set by an environment variable, such as
    /// AFTERGLOW_HISTORY_DAYS.
    #[arg(long, env = "AFTERGLOW_SETTINGS")]
    settings: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct ImportArgs {
    /// CSV file; its first line names the columns.
    file: PathBuf,
    /// Name of the watchlist.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
struct ExportArgs {
    /// Id of the watchlist.
    id: Uuid,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// Backup to check [default: the journal of the data folder]
    file: Option<PathBuf>,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Args, Debug)]
struct BackupArgs {
    /// Path of the backup.
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
}

impl Cli {
    /// Returns the default log filter. Only `serve` logs; the other commands report errors on stderr.
    pub fn log_filter(&self) -> &'static str {
        match self.command {
            CliCommand::Serve(_) => "info",
            CliCommand::Import(_)
            | CliCommand::Export(_)
            | CliCommand::List(_)
            | CliCommand::Check(_)
            | CliCommand::Backup(_)
            | CliCommand::Restore(_)
            | CliCommand::Migrate(_)
            | CliCommand::Tls(_)
            | CliCommand::User(_)
            | CliCommand::Token(_)
            | CliCommand::Audit(_) => "off",
        }
    }
}

/// Runs the requested sub-command.
///
/// # Errors
/// A sentence for stderr.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        CliCommand::Serve(args) => serve(args),
        CliCommand::Import(args) => import(&args),
        CliCommand::Export(args) => {
            let ExportArgs { id, format: Format::Csv, target } = args;
            with_server(&target, Missing::Rejected, |client| print(&client.csv(WatchlistId(id))?))
        }
        CliCommand::List(target) => with_server(&target, Missing::Rejected, |client| {
            let list = client.list()?.list;
            let line = |summary: &shared::wire::server::Summary| {
                format!("{}\t{}\t{}\n", summary.watchlist, printable(&summary.name), summary.rows)
            };
            print(list.iter().map(line).collect::<String>().as_bytes())
        }),
        CliCommand::Check(args) => {
            let file = match args.file {
                Some(file) => file,
                None => backup::existing_journal(&args.folder.path()?)?,
            };
            print_checked(&file, &runtime()?.block_on(backup::check(&file))?)
        }
        CliCommand::Backup(args) => {
            let written = runtime()?.block_on(backup::backup(&args.folder.path()?, &args.file))?;
            match &written.database {
                None => print_checked(&args.file, &written.lists)?,
                Some(database) => {
                    let line = format!("the journal is the database {database}, which pg_dump copies\n");
                    print(line.as_bytes())?;
                }
            }
            match written.accounts {
                Some(accounts) => print(
                    format!("the accounts are in {}; keep both files together\n", accounts.display())
                        .as_bytes(),
                ),
                None => Ok(()),
            }
        }
        CliCommand::Migrate(args) => migrate(args),
        CliCommand::Tls(args) => tls(args),
        CliCommand::User(args) => user(args),
        CliCommand::Token(args) => token(args),
        CliCommand::Audit(args) => audit(&args),
        CliCommand::Restore(args) => {
            let restored = runtime()?.block_on(backup::restore(&args.folder.path()?, &args.file))?;
            print_checked(&args.file, &restored.lists)?;
            let accounts = match restored.has_accounts {
                true => {
                    "the accounts, roles and tokens are those of the backup, and everybody has to sign in again: \
                      disable and revoke again what was disabled or revoked since\n"
                }
                false => {
                    "the backup has no accounts: those of the data folder, if it has any, are unchanged\n"
                }
            };
            print(accounts.as_bytes())?;
            match restored.replaced {
                Some(replaced) => {
                    print(format!("the replaced journal is kept as {}\n", replaced.display()).as_bytes())
                }
                None => Ok(()),
            }
        }
    }
}

fn print_checked(file: &Path, lists: &[CheckedList]) -> anyhow::Result<()> {
    let line = |list: &CheckedList| {
        let state = if list.record.deleted_at.is_some() { "deleted" } else { "undamaged" };
        format!("{}\t{state}\n", summary(&list.record, list.commits, list.answers))
    };
    let lines: String = lists.iter().map(line).collect();
    print(format!("{lines}{} is undamaged\n", file.display()).as_bytes())
}

fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let file = args.settings.as_deref().map(|path| {
        let text = fs::read_to_string(path);
        text.map(|text| (path, text))
            .with_context(|| format!("the settings file {} cannot be read", path.display()))
    });
    let mut settings = Settings::read(file.transpose()?, |name| env::var(name).ok())?;
    settings.listen = args.listen.unwrap_or(settings.listen);
    settings.journal = args.journal.unwrap_or(settings.journal);
    settings.tls_cert = args.tls_cert.unwrap_or(settings.tls_cert);
    settings.tls_key = args.tls_key.unwrap_or(settings.tls_key);
    if settings.tls_cert.as_os_str().is_empty()
        && settings.tls_key.as_os_str().is_empty()
        && let Some((certificate, key)) = service_credentials()
    {
        (settings.tls_cert, settings.tls_key) = (certificate, key);
    }
    settings.insecure_lan |= args.insecure_lan;
    settings.data_dir = args.data_dir.unwrap_or(settings.data_dir);
    if settings.data_dir.as_os_str().is_empty() {
        settings.data_dir = default_data_dir_or_error()?;
    }
    let folder = lock_or_wait(&settings.data_dir)?;
    runtime()?.block_on(async {
        // Installed before the server is announced, so that no signal is missed.
        let mut stop_signal = std::pin::pin!(stop_signal()?);
        let user_name = system_user_name();
        let running = tokio::select! {
            running = start(settings, folder, &user_name, clock::system()) => running?,
            stopped = &mut stop_signal => return stopped,
        };
        print(format!("listening on {}\n", running.url).as_bytes())?;
        if !running.accounts().has_accounts() {
            tracing::info!("there are no accounts: only the user of the data folder can connect; add one with `afterglow-server user add NAME`");
        }
        notify_systemd();
        stop_signal.await?;
        running.stop().await;
        Ok(())
    })
}

/// Returns the certificate and the key that systemd passes to the service, which cannot read the files
/// themselves.
fn service_credentials() -> Option<(PathBuf, PathBuf)> {
    let folder = PathBuf::from(env::var_os("CREDENTIALS_DIRECTORY")?);
    let files = (folder.join("tls_cert.pem"), folder.join("tls_key.pem"));
    (files.0.is_file() && files.1.is_file()).then_some(files)
}

/// Notifies systemd, if it started this process, that the server listens.
#[cfg(target_os = "linux")]
fn notify_systemd() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "failed to notify systemd that the server listens");
    }
}

#[cfg(not(target_os = "linux"))]
fn notify_systemd() {}

/// Installs the signal handlers. The returned future completes at SIGINT or SIGTERM.
#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    Ok(async { Ok(tokio::signal::ctrl_c().await?) })
}

fn import(args: &ImportArgs) -> anyhow::Result<()> {
    let table = read_table(&args.file)?;
    with_server(&args.target, Missing::Created, |client| {
        let id = client.import(&args.name, &table)?;
        print(format!("{id}\n").as_bytes())
    })
}

fn read_table(file: &Path) -> anyhow::Result<Table> {
    let mut bytes = Vec::new();
    let opened = fs::File::open(file);
    let read = opened.and_then(|opened| opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("{} cannot be read", file.display()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        bail!("{} has more than {} MiB", file.display(), MAX_FILE_BYTES >> 20);
    }
    sheet::csv::read(&bytes, &Limits::default())
        .map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))
}
