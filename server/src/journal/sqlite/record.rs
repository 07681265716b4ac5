//! Stored form of commits, answers and snapshots. Each record has a checksum over all of its fields.

use std::collections::BTreeSet;

use shared::{
    edit::{Author, Change, Commit},
    ids::{ClientId, EditId, Epoch, Revision, RowId, UserId, WatchlistId},
    rejection::Rejection,
    time::Timestamp,
    wire::codec::Encoding,
};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::Uuid;

use super::error::store;
use crate::journal::{
    record::{AnswerRecord, NewCommit, Record, Sender, StoredPart, Verdict},
    store::JournalError,
};

/// Columns of a commit, in the order of [`read_commit`].
pub(super) const COMMIT: &str =
    "c.revision, c.at, c.user, c.name, c.client, c.edit, c.changes, c.checksum FROM commits c";
/// Columns of an answer, in the order of [`read_answer`].
pub(super) const ANSWER: &str =
    "a.user, a.client, a.edit, a.digest, a.revision, a.rejection, a.checksum FROM answers a";
/// Columns of a snapshot's part, in the order of [`read_part`].
pub(super) const PART: &str = "s.revision, s.part, s.parts, s.data, s.checksum FROM snapshots s";

/// A commit as read, before its checksum is verified.
pub(super) struct ReadCommit {
    /// The commit, with the replaced value of each `set` in `was` if it is known.
    pub(super) commit: Commit,
    /// Size of the stored changes, in bytes.
    pub(super) bytes: usize,
    pub(super) sum: i64,
    pub(super) stored_sum: Option<i64>,
}

impl ReadCommit {
    /// Returns the commit and its size if the checksum matches.
    pub(super) fn checked(self) -> Result<(Commit, usize), JournalError> {
        verify_checksum(self.sum, self.stored_sum, || format!("revision {}", self.commit.revision))?;
        Ok((self.commit, self.bytes))
    }
}

fn verify_checksum(sum: i64, stored: Option<i64>, what: impl Fn() -> String) -> Result<(), JournalError> {
    match stored {
        Some(stored) if stored == sum => Ok(()),
        Some(_) => Err(JournalError::Damaged(format!("the checksum of {} does not match", what()))),
        None => Err(JournalError::Damaged(format!("{} has no checksum", what()))),
    }
}

/// Returns a checksum over fields. Each field's length is included, so that bytes cannot move between fields.
fn checksum(fields: &[&[u8]]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    i64::from(hasher.finalize())
}

/// Returns the stored form of a commit's changes, with the replaced value in each `set`.
pub(super) fn stored_changes(new: &NewCommit) -> String {
    let mut replaced = new.replaced.iter();
    let changes: Vec<Change> = new
        .commit
        .changes
        .iter()
        .map(|change| match change {
            Change::Set(set) => {
                let was = replaced.next().cloned();
                Change::Set(shared::edit::Set { was, ..set.clone() })
            }
            other => other.clone(),
        })
        .collect();
    serde_json::to_string(&changes).expect("changes are plain data")
}

pub(super) fn commit_sum(id: WatchlistId, commit: &Commit, changes: &str) -> i64 {
    checksum(&[
        id.0.as_bytes(),
        &commit.revision.0.to_le_bytes(),
        &commit.at.as_millis().to_le_bytes(),
        commit.by.user.0.as_bytes(),
        commit.by.name.as_bytes(),
        commit.by.client.0.as_bytes(),
        &commit.by.edit.0.to_le_bytes(),
        changes.as_bytes(),
    ])
}

pub(super) fn read_commit(id: WatchlistId, row: &SqliteRow) -> Result<ReadCommit, JournalError> {
    let revision = Revision(unsigned(row.try_get(0).map_err(store)?)?);
    let changes: String = row.try_get(6).map_err(store)?;
    let mut commit = Commit {
        revision,
        at: Timestamp::from_millis(row.try_get(1).map_err(store)?),
        by: Author {
            user: UserId(row.try_get::<Uuid, _>(2).map_err(store)?),
            name: row.try_get::<String, _>(3).map_err(store)?.into(),
            client: ClientId(row.try_get::<Uuid, _>(4).map_err(store)?),
            edit: EditId(unsigned(row.try_get(5).map_err(store)?)?),
        },
        changes: Vec::new(),
    };
    let sum = commit_sum(id, &commit, &changes);
    commit.changes = serde_json::from_str(&changes)
        .map_err(|error| JournalError::Damaged(format!("the changes of revision {revision}: {error}")))?;
    Ok(ReadCommit { commit, bytes: changes.len(), sum, stored_sum: row.try_get(7).map_err(store)? })
}

/// Returns the rows that a commit changes.
pub(super) fn touched(commit: &Commit) -> BTreeSet<RowId> {
    commit.changes.iter().filter_map(Change::row).collect()
}

/// Returns the stored form of a verdict: the revision of an accepted edit, or the rejection as JSON.
pub(super) fn stored_verdict(verdict: &Verdict) -> (Option<i64>, Option<String>) {
    match verdict {
        Verdict::Accepted(revision) => (Some(signed(revision.0)), None),
        Verdict::Rejected(rejection) => {
            (None, Some(serde_json::to_string(rejection).expect("a rejection is plain data")))
        }
    }
}

pub(super) fn answer_sum(
    id: WatchlistId,
    sender: Sender,
    edit: EditId,
    digest: &[u8],
    (revision, rejection): (Option<i64>, Option<&str>),
) -> i64 {
    checksum(&[
        id.0.as_bytes(),
        sender.user.0.as_bytes(),
        sender.client.0.as_bytes(),
        &edit.0.to_le_bytes(),
        digest,
        &revision.map(i64::to_le_bytes).unwrap_or_default(),
        rejection.unwrap_or_default().as_bytes(),
    ])
}

/// Reads an answer, its computed checksum and its stored checksum.
pub(super) fn read_answer(
    id: WatchlistId,
    row: &SqliteRow,
) -> Result<(AnswerRecord, i64, Option<i64>), JournalError> {
    let sender = Sender {
        user: UserId(row.try_get::<Uuid, _>(0).map_err(store)?),
        client: ClientId(row.try_get::<Uuid, _>(1).map_err(store)?),
    };
    let edit = EditId(unsigned(row.try_get(2).map_err(store)?)?);
    let damaged = |what: String| JournalError::Damaged(format!("the answer to edit {edit}: {what}"));
    let digest: Vec<u8> = row.try_get(3).map_err(store)?;
    let revision: Option<i64> = row.try_get(4).map_err(store)?;
    let rejection: Option<String> = row.try_get(5).map_err(store)?;
    let sum = answer_sum(id, sender, edit, &digest, (revision, rejection.as_deref()));
    let verdict = match (revision, rejection) {
        (Some(revision), None) => Verdict::Accepted(Revision(unsigned(revision)?)),
        (None, Some(json)) => Verdict::Rejected(
            serde_json::from_str::<Rejection>(&json).map_err(|error| damaged(error.to_string()))?,
        ),
        _ => return Err(damaged("it is neither accepted nor rejected".to_owned())),
    };
    let digest = <[u8; 16]>::try_from(digest)
        .map_err(|digest| damaged(format!("its digest has {} bytes", digest.len())))?;
    let record = AnswerRecord { sender, edit, digest, verdict };
    Ok((record, sum, row.try_get(6).map_err(store)?))
}

/// Reads an answer and verifies its checksum.
pub(super) fn checked_answer(id: WatchlistId, row: &SqliteRow) -> Result<AnswerRecord, JournalError> {
    let (record, sum, stored) = read_answer(id, row)?;
    verify_checksum(sum, stored, || {
        format!("the answer to edit {} of client {}", record.edit, record.sender.client)
    })?;
    Ok(record)
}

pub(super) fn part_sum(id: WatchlistId, revision: i64, (part, parts): (i64, i64), data: &[u8]) -> i64 {
    checksum(&[id.0.as_bytes(), &revision.to_le_bytes(), &part.to_le_bytes(), &parts.to_le_bytes(), data])
}

/// Reads a part of a snapshot and verifies its checksum.
pub(super) fn read_part(id: WatchlistId, row: &SqliteRow) -> Result<StoredPart, JournalError> {
    let (revision, part, parts): (i64, i64, i64) =
        (row.try_get(0).map_err(store)?, row.try_get(1).map_err(store)?, row.try_get(2).map_err(store)?);
    let data: Vec<u8> = row.try_get(3).map_err(store)?;
    let stored: Option<i64> = row.try_get(4).map_err(store)?;
    let what = || format!("part {part} of the snapshot at revision {revision}");
    verify_checksum(part_sum(id, revision, (part, parts), &data), stored, what)?;
    Encoding::MessagePack.decode(&data).map_err(|error| JournalError::Damaged(format!("{}: {error}", what())))
}

pub(super) fn read_record(row: &SqliteRow) -> Result<Record, JournalError> {
    Ok(Record {
        id: WatchlistId(row.try_get::<Uuid, _>(0).map_err(store)?),
        epoch: Epoch(row.try_get::<Uuid, _>(1).map_err(store)?),
        name: row.try_get::<String, _>(2).map_err(store)?.into(),
        revision: Revision(unsigned(row.try_get(3).map_err(store)?)?),
        rows: usize::try_from(unsigned(row.try_get(4).map_err(store)?)?).unwrap_or(usize::MAX),
        deleted_at: row.try_get::<Option<i64>, _>(5).map_err(store)?.map(Timestamp::from_millis),
    })
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> Result<u64, JournalError> {
    u64::try_from(number).map_err(|error| JournalError::Damaged(format!("the number {number}: {error}")))
}

/// Returns the commit as subscribers receive it: without replaced values.
pub(super) fn without_replaced(mut commit: Commit) -> Commit {
    commit.changes = commit.changes.into_iter().map(Change::without_guard).collect();
    commit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_distinguishes_field_boundaries() {
        assert_ne!(checksum(&[b"ab", b"c"]), checksum(&[b"a", b"bc"]));
        assert_ne!(checksum(&[b"", b"a"]), checksum(&[b"a", b""]));
        assert_eq!(checksum(&[b"ab", b"c"]), checksum(&[b"ab", b"c"]));
    }
}
