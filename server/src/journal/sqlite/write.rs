//! Writes batches of commits and answers, parts of snapshots, and new watchlists, each in one transaction.

use shared::{
    ids::{Revision, WatchlistId},
    wire::codec::Encoding,
};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{
    error::store,
    file::SqliteJournal,
    keys::{INSERT_CHUNK, insert_touched, key_of},
    record::{answer_sum, commit_sum, part_sum, signed, stored_changes, stored_verdict},
};
use crate::journal::{
    record::{AnswerRecord, Batch, NewCommit, Record, StoredPart},
    store::JournalError,
};

impl SqliteJournal {
    pub(super) async fn write_batch(&self, id: WatchlistId, batch: &Batch) -> Result<(), JournalError> {
        let mut transaction = self.begin().await?;
        let key = key_of(&mut transaction, id).await?;
        check_expected(&mut transaction, id, key, batch.expected).await?;
        insert_commits(&mut transaction, id, key, &batch.commits).await?;
        for answers in batch.answers.chunks(INSERT_CHUNK) {
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO answers (watchlist, user, client, edit, digest, revision, rejection, checksum) ",
            );
            insert.push_values(answers, |mut row, answer| {
                let AnswerRecord { sender, edit, digest, verdict } = answer;
                let (revision, rejection) = stored_verdict(verdict);
                let sum = answer_sum(id, *sender, *edit, digest, (revision, rejection.as_deref()));
                row.push_bind(key)
                    .push_bind(sender.user.0)
                    .push_bind(sender.client.0)
                    .push_bind(signed(edit.0))
                    .push_bind(digest.to_vec())
                    .push_bind(revision)
                    .push_bind(rejection)
                    .push_bind(sum);
            });
            insert.build().execute(&mut *transaction).await.map_err(store)?;
        }
        for (sender, below) in &batch.evicted {
            sqlx::query("DELETE FROM answers WHERE watchlist = ? AND user = ? AND client = ? AND edit < ?")
                .bind(key)
                .bind(sender.user.0)
                .bind(sender.client.0)
                .bind(signed(below.0))
                .execute(&mut *transaction)
                .await
                .map_err(store)?;
        }
        if let Some(NewCommit { commit: last, .. }) = batch.commits.last() {
            sqlx::query("UPDATE watchlists SET name = ?, revision = ?, rows = ? WHERE key = ?")
                .bind(batch.name.to_string())
                .bind(signed(last.revision.0))
                .bind(i64::try_from(batch.rows).unwrap_or(i64::MAX))
                .bind(key)
                .execute(&mut *transaction)
                .await
                .map_err(store)?;
        }
        transaction.commit().await.map_err(store)
    }

    pub(super) async fn write_part(&self, id: WatchlistId, part: StoredPart) -> Result<(), JournalError> {
        let mut transaction = self.begin().await?;
        let key = key_of(&mut transaction, id).await?;
        insert_part(&mut transaction, id, key, &part).await?;
        if part.snapshot.part == part.snapshot.parts {
            sqlx::query("DELETE FROM snapshots WHERE watchlist = ? AND revision < ?")
                .bind(key)
                .bind(signed(part.snapshot.revision.0))
                .execute(&mut *transaction)
                .await
                .map_err(store)?;
        }
        transaction.commit().await.map_err(store)
    }

    pub(super) async fn write_new(&self, record: Record, first: StoredPart) -> Result<(), JournalError> {
        let mut transaction = self.begin().await?;
        let (key,): (i64,) = sqlx::query_as(
            "INSERT INTO watchlists (id, epoch, name, revision, rows) VALUES (?, ?, ?, 0, 0) RETURNING key",
        )
        .bind(record.id.0)
        .bind(record.epoch.0)
        .bind(record.name.to_string())
        .fetch_one(&mut *transaction)
        .await
        .map_err(store)?;
        insert_part(&mut transaction, record.id, key, &first).await?;
        transaction.commit().await.map_err(store)
    }
}

/// Checks that a watchlist is not deleted and has a revision. The transaction keeps other writers out until it ends.
async fn check_expected(
    connection: &mut SqliteConnection,
    id: WatchlistId,
    key: i64,
    expected: Revision,
) -> Result<(), JournalError> {
    let (revision, is_deleted): (i64, bool) =
        sqlx::query_as("SELECT revision, deleted_at IS NOT NULL FROM watchlists WHERE key = ?")
            .bind(key)
            .fetch_one(connection)
            .await
            .map_err(store)?;
    if is_deleted {
        return Err(JournalError::Refused(format!("watchlist {id} is deleted")));
    }
    if revision != signed(expected.0) {
        return Err(JournalError::Refused(format!(
            "watchlist {id} is at revision {revision} instead of {expected}: another process has written it"
        )));
    }
    Ok(())
}

async fn insert_commits(
    connection: &mut SqliteConnection,
    id: WatchlistId,
    key: i64,
    commits: &[NewCommit],
) -> Result<(), JournalError> {
    for commits in commits.chunks(INSERT_CHUNK) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO commits (watchlist, revision, at, user, name, client, edit, changes, checksum) ",
        );
        insert.push_values(commits, |mut row, new| {
            let (commit, changes) = (&new.commit, stored_changes(new));
            let sum = commit_sum(id, commit, &changes);
            row.push_bind(key)
                .push_bind(signed(commit.revision.0))
                .push_bind(commit.at.as_millis())
                .push_bind(commit.by.user.0)
                .push_bind(commit.by.name.to_string())
                .push_bind(commit.by.client.0)
                .push_bind(signed(commit.by.edit.0))
                .push_bind(changes)
                .push_bind(sum);
        });
        insert.build().execute(&mut *connection).await.map_err(store)?;
    }
    insert_touched(connection, key, commits.iter().map(|new| &*new.commit)).await
}

async fn insert_part(
    connection: &mut SqliteConnection,
    id: WatchlistId,
    key: i64,
    part: &StoredPart,
) -> Result<(), JournalError> {
    let signed_size = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let (revision, place) = (
        signed(part.snapshot.revision.0),
        (signed_size(part.snapshot.part), signed_size(part.snapshot.parts)),
    );
    let data = Encoding::MessagePack.encode(part);
    let sum = part_sum(id, revision, place, &data);
    sqlx::query(
        "INSERT OR REPLACE INTO snapshots (watchlist, revision, part, parts, data, checksum) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(key)
    .bind(revision)
    .bind(place.0)
    .bind(place.1)
    .bind(data)
    .bind(sum)
    .execute(connection)
    .await
    .map_err(store)?;
    Ok(())
}
