//! The command line of `afterglow-server`.

use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use shared::{
    address::address,
    csv_table::CsvTable,
    ids::{ClientId, EditId, RowId, WatchlistId},
    limits::Limits,
};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    backup, clock,
    data_folder::{DataFolder, FolderError},
    journal::sqlite::Sound,
    remote::{Remote, RemoteError, read_token},
    settings::Settings,
    start::start,
};

/// How long a process that has taken a data folder may take to say where it serves it.
const STARTING: Duration = Duration::from_secs(5);

/// Orders, keeps and sends the edits of shared watchlists.
#[derive(Parser, Debug)]
#[command(name = "afterglow-server", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Subcommand, Debug)]
enum CliCommand {
    /// Serve a data folder until SIGINT or SIGTERM; the first line on stdout says where.
    Serve(ServeArgs),
    /// Make a watchlist from a CSV file and print its id.
    Import(ImportArgs),
    /// Write a watchlist to stdout.
    Export(ExportArgs),
    /// Print every watchlist: id, name and rows, separated by tabs.
    List(Target),
    /// Look through a journal, in use or not, and say whether every record is as it was written.
    Check(CheckArgs),
    /// Write a copy of a data folder's journal, also while it is served.
    Backup(BackupArgs),
    /// Put a backup in the place of a data folder's journal, which is kept aside.
    Restore(BackupArgs),
}

#[derive(Args, Debug)]
struct ServeArgs {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:7878]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Where the journal, the token and the lock are [default: this user's data folder]
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// A TOML file with settings; every setting may be an environment variable, too, as AFTERGLOW_HISTORY_DAYS.
    #[arg(long, env = "AFTERGLOW_SETTINGS")]
    settings: Option<PathBuf>,
}

/// Which watchlists: those of a data folder, or of a server.
#[derive(Args, Debug)]
struct Target {
    /// A data folder; asked through the server that holds it, if one runs.
    /// Without a flag AFTERGLOW_CONNECT or AFTERGLOW_DATA_DIR says it.
    #[arg(long, conflicts_with = "connect")]
    data_dir: Option<PathBuf>,
    /// A server, as http://127.0.0.1:7878.
    #[arg(long, requires = "token_file")]
    connect: Option<String>,
    /// The file with the server's token.
    #[arg(long, env = "AFTERGLOW_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct ImportArgs {
    /// The file; its first line names the columns.
    file: PathBuf,
    /// What the watchlist is to be called.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
struct ExportArgs {
    /// The watchlist's id.
    id: Uuid,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// A backup; without it the journal of the data folder.
    file: Option<PathBuf>,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Args, Debug)]
struct BackupArgs {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
}

/// Which data folder, on this machine.
#[derive(Args, Debug)]
struct Folder {
    /// The data folder; without it this user's.
    #[arg(long, env = "AFTERGLOW_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl Folder {
    fn path(&self) -> anyhow::Result<PathBuf> {
        self.data_dir.clone().map_or_else(default_data_dir, Ok)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
}

impl Cli {
    /// What is logged unless somebody says otherwise: a command that is done in a moment says only what went wrong.
    pub fn log_filter(&self) -> &'static str {
        match self.command {
            CliCommand::Serve(_) => "info,sqlx=warn",
            CliCommand::Import(_)
            | CliCommand::Export(_)
            | CliCommand::List(_)
            | CliCommand::Check(_)
            | CliCommand::Backup(_)
            | CliCommand::Restore(_) => "off",
        }
    }
}

/// Does what the command line says.
///
/// # Errors
/// One sentence for stderr.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        CliCommand::Serve(args) => serve(args),
        CliCommand::Import(args) => import(&args),
        CliCommand::Export(args) => {
            let ExportArgs { id, format: Format::Csv, target } = args;
            with_server(&target, Missing::Refused, |remote| print(&remote.csv(WatchlistId(id))?))
        }
        CliCommand::List(target) => with_server(&target, Missing::Refused, |remote| {
            let list = remote.list()?.list;
            let line = |summary: &shared::wire::server::Summary| {
                format!(
                    "{}\t{}\t{}\n",
                    summary.watchlist,
                    summary.name.replace(['\t', '\n', '\r'], " "),
                    summary.rows
                )
            };
            print(list.iter().map(line).collect::<String>().as_bytes())
        }),
        CliCommand::Check(args) => {
            let file = match args.file {
                Some(file) => file,
                None => backup::existing_journal(&args.folder.path()?)?,
            };
            print_sound(&file, &runtime()?.block_on(backup::check(&file))?)
        }
        CliCommand::Backup(args) => {
            let sound = runtime()?.block_on(backup::backup(&args.folder.path()?, &args.file))?;
            print_sound(&args.file, &sound)
        }
        CliCommand::Restore(args) => {
            let restored = runtime()?.block_on(backup::restore(&args.folder.path()?, &args.file))?;
            print_sound(&args.file, &restored.sound)?;
            match restored.kept {
                Some(kept) => {
                    print(format!("the journal before it is kept as {}\n", kept.display()).as_bytes())
                }
                None => Ok(()),
            }
        }
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    Runtime::new().context("the runtime cannot start")
}

fn print_sound(file: &Path, sound: &[Sound]) -> anyhow::Result<()> {
    let line = |list: &Sound| {
        let Sound { record, commits, answers } = list;
        let name = record.name.replace(['\t', '\n', '\r'], " ");
        let state = if record.deleted_at.is_some() { "deleted" } else { "sound" };
        format!(
            "{}\t{name}\t{}\trevision {}\t{}\t{}\t{state}\n",
            record.id,
            counted(record.rows as u64, "row"),
            record.revision,
            counted(*commits, "commit"),
            counted(*answers, "answer"),
        )
    };
    let lines: String = sound.iter().map(line).collect();
    print(format!("{lines}{} is sound\n", file.display()).as_bytes())
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The data folder of this user, by the platform's rules.
///
/// # Errors
/// The platform names no home for this user.
pub fn default_data_dir() -> anyhow::Result<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "afterglow")
        .context("this user has no home folder; name a data folder with --data-dir")?;
    Ok(folders.data_dir().to_owned())
}

/// What others see of this machine's user.
pub fn user_name() -> String {
    let named = ["USER", "USERNAME", "LOGNAME"].into_iter().find_map(|variable| std::env::var(variable).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "local".to_owned())
}

fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let mut settings = Settings::read(args.settings.as_deref(), |name| std::env::var(name).ok())?;
    settings.listen = args.listen.unwrap_or(settings.listen);
    settings.data_dir = args.data_dir.unwrap_or(settings.data_dir);
    if settings.data_dir.as_os_str().is_empty() {
        settings.data_dir = default_data_dir()?;
    }
    let folder = DataFolder::take(&settings.data_dir)?;
    runtime()?.block_on(async {
        // Listened for before anybody is told that there is a server to stop.
        let stop_asked = stop_asked()?;
        let running = start(settings, folder, &user_name(), clock::system()).await?;
        print(format!("listening on http://{}\n", running.serving.address).as_bytes())?;
        tell_systemd();
        stop_asked.await?;
        running.stop().await;
        Ok(())
    })
}

/// Where systemd started this, it waits until the server listens.
#[cfg(target_os = "linux")]
fn tell_systemd() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "systemd cannot be told that the server listens");
    }
}

#[cfg(not(target_os = "linux"))]
fn tell_systemd() {}

/// Listens from now on; what it gives ends at SIGINT or SIGTERM.
#[cfg(unix)]
fn stop_asked() -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
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
fn stop_asked() -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    Ok(async { Ok(tokio::signal::ctrl_c().await?) })
}

/// Asks the server of the target; a data folder that nobody serves is served for as long as it takes.
fn with_server(
    target: &Target,
    missing: Missing,
    act: impl FnOnce(&Remote) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // A flag counts more than a variable: with either flag the other's variable is not looked at.
    let variable = |name: &str, other: bool| std::env::var(name).ok().filter(|_| !other);
    let connect = target.connect.clone();
    let connect = connect.or_else(|| variable("AFTERGLOW_CONNECT", target.data_dir.is_some()));
    if let Some(base) = connect {
        let base = address(&base).map_err(anyhow::Error::msg)?;
        let token_file = target.token_file.as_ref();
        let token_file = token_file
            .with_context(|| format!("{base} asks for a token: name its file with --token-file"))?;
        let token = read_token(token_file).map_err(anyhow::Error::msg)?;
        return act(&Remote::new(&base, &token)).map_err(|error| match error.downcast_ref() {
            Some(RemoteError::Unauthorized { .. }) => {
                anyhow::anyhow!(
                    "{base} does not take the token in {}: name the server's own",
                    token_file.display()
                )
            }
            _ => error,
        });
    }
    let data_dir =
        target.data_dir.clone().or_else(|| variable("AFTERGLOW_DATA_DIR", false).map(PathBuf::from));
    let data_dir = data_dir.map_or_else(default_data_dir, Ok)?;
    if missing == Missing::Refused && !data_dir.is_dir() {
        bail!("there is no data folder {}; name another with --data-dir", data_dir.display());
    }
    let folder = match serve_or_join(&data_dir)? {
        Either::Join(remote) => return act(&remote),
        Either::Serve(folder) => folder,
    };
    let settings =
        Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), data_dir, ..Settings::default() };
    let runtime = runtime()?;
    let running = runtime.block_on(start(settings, folder, &user_name(), clock::system()))?;
    let remote = Remote::new(&format!("http://{}", running.serving.address), running.token());
    let done = act(&remote);
    runtime.block_on(running.stop());
    done
}

/// What is done where the data folder is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It is made.
    Made,
    /// Nothing can be read from it.
    Refused,
}

enum Either {
    Serve(DataFolder),
    Join(Remote),
}

/// Takes a data folder, or finds who serves it: a process that has just taken it says where a moment later.
fn serve_or_join(data_dir: &Path) -> anyhow::Result<Either> {
    let started = Instant::now();
    loop {
        if let Some(remote) = Remote::of_folder(data_dir) {
            return Ok(Either::Join(remote));
        }
        match DataFolder::take(data_dir) {
            Ok(folder) => return Ok(Either::Serve(folder)),
            Err(FolderError::Served { .. }) if started.elapsed() < STARTING => thread::sleep(STARTING / 50),
            Err(error) => return Err(error.into()),
        }
    }
}

fn import(args: &ImportArgs) -> anyhow::Result<()> {
    let table = read_table(&args.file)?;
    with_server(&args.target, Missing::Made, |remote| {
        let id = remote.create(&args.name, &table.columns)?;
        let client = ClientId(Uuid::new_v4());
        let inserts = table.inserts(&Limits::default(), || RowId(Uuid::now_v7()));
        for (changes, edit) in inserts.iter().zip(1..) {
            if let Err(error) = remote.edit(id, client, EditId(edit), changes) {
                // Half a watchlist is none: what was made of it goes, whether or not that can be said as well.
                drop(remote.delete(id));
                return Err(error.into());
            }
        }
        print(format!("{id}\n").as_bytes())
    })
}

fn read_table(file: &Path) -> anyhow::Result<CsvTable> {
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    CsvTable::read(&bytes, &Limits::default()).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))
}

fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        // Whoever reads may have had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => bail!("stdout cannot be written: {error}"),
        Ok(()) => Ok(()),
    }
}
