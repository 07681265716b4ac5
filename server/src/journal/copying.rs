//! Copies everything that a journal holds into an empty one of another kind, and compares the two. A copy that
//! was interrupted continues where it stopped. No server uses either journal while it runs.

use std::{collections::BTreeMap, path::Path};

use sha2::{Digest, Sha256};
use shared::ids::{Revision, WatchlistId};

use super::{
    archive::Archive,
    form::{answer::answer_sum, error::store, segment::NewSegment},
    postgres::archive::PostgresArchive,
    record::Record,
    sqlite::archive::SqliteArchive,
    store::JournalError,
};

/// What a journal holds of a watchlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The watchlist.
    pub record: Record,
    /// Number of its commits.
    pub commits: u64,
    /// Number of its answers.
    pub answers: u64,
    digest: [u8; 32],
}

/// Callback for the progress of a copy: the watchlist, and its last revision that is copied.
pub type Report<'a> = &'a mut (dyn FnMut(&Record, Revision) + Send);

/// A copy in a database. Servers do not use it until it is marked as complete.
pub struct DatabaseCopy {
    to: PostgresArchive,
    lists: Vec<Copied>,
}

impl DatabaseCopy {
    /// Copies the journal in a file into a database, and compares what both hold.
    ///
    /// # Errors
    /// Either cannot be read or written, or the database has a journal that is no copy of this one.
    pub async fn of_file(file: &Path, url: &str, report: Report<'_>) -> Result<Self, JournalError> {
        let source = std::path::absolute(file).map_err(store)?;
        let from = SqliteArchive::open(file)?;
        let to = PostgresArchive::target(url, &source.display().to_string()).await?;
        let lists = copy_all(&from, &to, report).await?;
        Ok(Self { to, lists })
    }

    /// Marks the copy as complete, and returns what it holds.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn complete(self) -> Result<Vec<Copied>, JournalError> {
        self.to.complete().await?;
        self.to.close().await;
        Ok(self.lists)
    }
}

/// Copies the journal in a database into a file for a data folder, marks the one in the database as moved, and
/// returns what both hold then.
///
/// # Errors
/// Either cannot be read or written, the database has no journal, or the file has another copy.
pub async fn move_to_file(
    url: &str,
    (folder, file): (&Path, &Path),
    report: Report<'_>,
) -> Result<Vec<Copied>, JournalError> {
    let target = format!("the data folder {}", std::path::absolute(folder).map_err(store)?.display());
    let from = PostgresArchive::source(url, &target).await?;
    let to = SqliteArchive::target(file, from.place())?;
    let copied = copy_all(&from, &to, report).await?;
    to.complete()?;
    to.close()?;
    from.end_use(&target).await?;
    from.close().await;
    Ok(copied)
}

/// Copies the watchlists of a journal, and compares what both hold. A watchlist that has changed since an earlier
/// copy is copied again.
async fn copy_all(
    from: &dyn Archive,
    to: &dyn Archive,
    report: Report<'_>,
) -> Result<Vec<Copied>, JournalError> {
    let records = from.records().await?;
    for known in to.records().await? {
        if !records.iter().any(|record| record.id == known.id) {
            to.remove(known.id).await?;
        }
    }
    copy(from, to, report).await?;
    let mut copies: BTreeMap<WatchlistId, Record> =
        to.records().await?.into_iter().map(|record| (record.id, record)).collect();
    let mut lists = Vec::new();
    for record in records {
        let source = read(from, &record).await?;
        let copied = copies.remove(&record.id).unwrap_or_else(|| record.clone());
        if read(to, &copied).await? != source {
            to.reset(record.clone()).await?;
            copy_list(from, to, &record, report).await.map_err(|error| of_list(&record, error))?;
            if read(to, &record).await? != source {
                return Err(of_list(&record, JournalError::Damaged("its copy differs".to_owned())));
            }
        }
        lists.push(source);
    }
    Ok(lists)
}

async fn copy(from: &dyn Archive, to: &dyn Archive, report: Report<'_>) -> Result<(), JournalError> {
    for record in from.records().await? {
        copy_list(from, to, &record, report).await.map_err(|error| of_list(&record, error))?;
    }
    Ok(())
}

async fn copy_list(
    from: &dyn Archive,
    to: &dyn Archive,
    record: &Record,
    report: Report<'_>,
) -> Result<(), JournalError> {
    let id = record.id;
    report(record, Revision(0));
    to.add(record.clone()).await?;
    let mut head = to.head(id).await?;
    loop {
        let segments = from.segments(id, head).await?;
        let Some(last) = segments.last() else { break };
        head = last.last;
        to.append(id, segments).await?;
        report(record, head);
    }
    let mut after = None;
    loop {
        let answers = from.answers(id, after).await?;
        let Some((last, _)) = answers.last() else { break };
        after = Some(*last);
        to.add_answers(id, answers).await?;
    }
    let mut number = 1;
    while let Some(part) = from.part(id, number).await? {
        to.add_part(id, part).await?;
        number += 1;
    }
    Ok(())
}

/// Names the watchlist of a damaged record.
fn of_list(record: &Record, error: JournalError) -> JournalError {
    match error {
        JournalError::Damaged(what) => {
            JournalError::Damaged(format!("watchlist {} \u{201c}{}\u{201d}: {what}", record.id, record.name))
        }
        error => error,
    }
}

/// Reads everything that a journal holds of a watchlist.
async fn read(archive: &dyn Archive, record: &Record) -> Result<Copied, JournalError> {
    read_list(archive, record).await.map_err(|error| of_list(record, error))
}

async fn read_list(archive: &dyn Archive, record: &Record) -> Result<Copied, JournalError> {
    let id = record.id;
    let (mut hash, mut head, mut commits, mut answers) = (Sha256::new(), Revision(0), 0, 0);
    loop {
        let segments = archive.segments(id, head).await?;
        let Some(last) = segments.last() else { break };
        head = last.last;
        for NewSegment { before, last, data, .. } in &segments {
            commits += last.0 - before.0;
            hash.update(
                [before.0.to_le_bytes(), last.0.to_le_bytes(), (data.len() as u64).to_le_bytes()]
                    .as_flattened(),
            );
            hash.update(data);
        }
    }
    let mut after = None;
    loop {
        let page = archive.answers(id, after).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (sender, answer) in
            page.iter().flat_map(|(sender, list)| list.iter().map(move |one| (sender, one)))
        {
            answers += 1;
            hash.update(answer_sum(id, *sender, answer).to_le_bytes());
            hash.update(answer.digest);
        }
    }
    let mut number = 1;
    while let Some(part) = archive.part(id, number).await? {
        hash.update([part.revision.to_le_bytes(), part.parts.to_le_bytes()].as_flattened());
        hash.update(&part.data);
        number += 1;
    }
    Ok(Copied { record: record.clone(), commits, answers, digest: hash.finalize().into() })
}
