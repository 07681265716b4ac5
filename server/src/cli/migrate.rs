//! The sub-command that moves a journal.

use std::{path::PathBuf, str::FromStr};

use anyhow::{Context, bail};
use clap::Args;
use shared::ids::{Revision, WatchlistId};

use super::{
    connection::runtime,
    output::{pluralized, print, printable, summary},
};
use crate::{
    folder::migration::{Moved, move_to_database, move_to_folder},
    journal::{Record, copying::Copied},
};

#[derive(Args, Debug)]
pub(super) struct MigrateArgs {
    /// Where the journal is: sqlite:FOLDER for a data folder; for a database its URL, or `postgres` for the one of --journal
    #[arg(long, value_name = "PLACE")]
    from: Place,
    /// Where the journal is moved to, in the same form
    #[arg(long, value_name = "PLACE")]
    to: Place,
    /// URL of the database that `postgres` stands for. Other users of this machine can read a command line: the variable
    /// keeps the password from them
    #[arg(long, value_name = "URL", env = "AFTERGLOW_JOURNAL", hide_env_values = true)]
    journal: Option<String>,
}

/// Where a journal is.
#[derive(Clone, Debug)]
enum Place {
    Folder(PathBuf),
    /// The URL of a database; `None` for the one that is named by itself.
    Database(Option<String>),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", folder)) if !folder.is_empty() => Ok(Self::Folder(folder.into())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Database(Some(text.to_owned()))),
            None if text == "postgres" => Ok(Self::Database(None)),
            Some(_) | None => {
                Err("use sqlite:FOLDER, postgres://USER:PASSWORD@HOST:PORT/DATABASE, or postgres".to_owned())
            }
        }
    }
}

/// Moves a journal.
///
/// # Errors
/// A sentence for stderr.
pub(super) fn migrate(args: MigrateArgs) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let mut progress = Progress::default();
    let mut report = |record: &Record, revision| progress.show(record, revision);
    let url = |url: Option<String>| {
        url.or(args.journal)
            .context("no database is named; set AFTERGLOW_JOURNAL to its URL, or use --journal")
    };
    let moved = match (args.from, args.to) {
        (Place::Folder(folder), Place::Database(database)) => {
            runtime.block_on(move_to_database(&folder, &url(database)?, &mut report))?
        }
        (Place::Database(database), Place::Folder(folder)) => {
            runtime.block_on(move_to_folder(&url(database)?, &folder, &mut report))?
        }
        _ => bail!("a journal is moved from a data folder into a database, or back"),
    };
    print_moved(&moved)
}

fn print_moved(moved: &Moved) -> anyhow::Result<()> {
    let line = |list: &Copied| format!("{}\n", summary(&list.record, list.commits, list.answers));
    let lines: String = moved.lists.iter().map(line).collect();
    let replaced = match &moved.replaced {
        Some(file) => format!(". The previous file is kept as {}", file.display()),
        None => ". The database keeps its copy, which no server uses any more".to_owned(),
    };
    let count = pluralized(moved.lists.len() as u64, "watchlist");
    print(format!("{lines}{count} moved and compared{replaced}\n").as_bytes())
}

/// Says on stderr how far a copy is.
#[derive(Default)]
struct Progress {
    shown: Option<(WatchlistId, u64)>,
}

impl Progress {
    /// Shows a watchlist once for each tenth of its commits.
    fn show(&mut self, record: &Record, revision: Revision) {
        let tenth = (revision.0 * 10).checked_div(record.revision.0).unwrap_or(10);
        if self.shown != Some((record.id, tenth)) {
            self.shown = Some((record.id, tenth));
            eprintln!("{}: revision {revision} of {}", printable(&record.name), record.revision);
        }
    }
}
