//! Copies everything that a journal holds into an empty one of another kind, and compares the two. A copy that
//! was interrupted continues where it stopped. Nobody else uses either journal in the meantime.

use std::path::Path;

use sha2::{Digest, Sha256};
use shared::ids::Revision;

use super::{
    archive::Archive,
    form::{answer::answer_sum, segment::NewSegment},
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

/// Is told how far a copy is: the watchlist, and its last revision that is copied.
pub type Report<'a> = &'a mut (dyn FnMut(&Record, Revision) + Send);

/// Copies the journal in a file into a database, and returns what both hold then.
///
/// # Errors
/// Either cannot be read or written, the database has watchlists, or the two differ.
pub async fn to_database(file: &Path, url: &str, report: Report<'_>) -> Result<Vec<Copied>, JournalError> {
    let from = SqliteArchive::open(file)?;
    let to = PostgresArchive::target(url, &file.display().to_string()).await?;
    let copied = copy_all(&from, &to, report).await;
    let copied = match copied {
        Ok(copied) => to.complete().await.map(|()| copied),
        Err(error) => Err(error),
    };
    to.close().await;
    copied
}

/// Copies the journal in a database into a file, and returns what both hold then.
///
/// # Errors
/// Either cannot be read or written, the file has something else, or the two differ.
pub async fn to_file(url: &str, file: &Path, report: Report<'_>) -> Result<Vec<Copied>, JournalError> {
    let from = PostgresArchive::source(url).await?;
    let copied = copy_to_file(&from, file, report).await;
    from.close().await;
    copied
}

async fn copy_to_file(
    from: &PostgresArchive,
    file: &Path,
    report: Report<'_>,
) -> Result<Vec<Copied>, JournalError> {
    let to = SqliteArchive::target(file, from.place())?;
    let copied = copy_all(from, &to, report).await?;
    to.complete()?;
    to.close()?;
    Ok(copied)
}

/// Copies the watchlists of a journal, and compares what both hold.
async fn copy_all(
    from: &dyn Archive,
    to: &dyn Archive,
    report: Report<'_>,
) -> Result<Vec<Copied>, JournalError> {
    copy(from, to, report).await?;
    let (source, copied) = (read_all(from).await?, read_all(to).await?);
    let differs = source.iter().zip(&copied).find(|(source, copied)| source != copied);
    if let Some((list, _)) = differs {
        return Err(of_list(&list.record, JournalError::Damaged("its copy differs".to_owned())));
    }
    match source.len() == copied.len() {
        true => Ok(copied),
        false => Err(JournalError::Damaged("the copy has other watchlists".to_owned())),
    }
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
        to.put_answers(id, answers).await?;
    }
    let mut number = 1;
    while let Some(part) = from.part(id, number).await? {
        to.put_part(id, part).await?;
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

/// Reads everything that a journal holds.
async fn read_all(archive: &dyn Archive) -> Result<Vec<Copied>, JournalError> {
    let mut lists = Vec::new();
    for record in archive.records().await? {
        let list = read(archive, &record).await.map_err(|error| of_list(&record, error))?;
        lists.push(list);
    }
    Ok(lists)
}

async fn read(archive: &dyn Archive, record: &Record) -> Result<Copied, JournalError> {
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
