//! What the sub-commands print.

use std::io::{self, Write};

use anyhow::bail;

use crate::journal::Record;

/// Replaces control characters, which a terminal would act on, by spaces.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Prints bytes to stdout.
pub(super) fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        // The reader, such as `head`, may close the pipe early.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => bail!("cannot write to stdout: {error}"),
        Ok(()) => Ok(()),
    }
}

/// Returns a number of things.
pub(super) fn pluralized(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Returns what a journal has of a watchlist, in columns.
pub(super) fn summary(record: &Record, commits: u64, answers: u64) -> String {
    format!(
        "{}\t{}\t{}\trevision {}\t{}\t{}",
        record.id,
        printable(&record.name),
        pluralized(record.rows as u64, "row"),
        record.revision,
        pluralized(commits, "commit"),
        pluralized(answers, "answer"),
    )
}
