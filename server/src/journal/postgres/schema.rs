//! The tables, and their changes from version to version.

use super::connections::{Connections, Lease, Use};
use crate::journal::store::JournalError;

/// Version of the tables.
const VERSION: i32 = 1;
/// Held while tables are created or changed.
const LOCK: i64 = 0x6166_7465_7267_6c01;
/// Number of partitions of the tables that grow with the edits. A watchlist is in one of each.
const PARTITIONS: usize = 16;

/// Names are bytes: a text of PostgreSQL cannot have a zero character.
const TABLES: &str = "
    CREATE SCHEMA afterglow;
    CREATE TABLE afterglow.meta (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        version int4 NOT NULL,
        writes int8 NOT NULL DEFAULT 0);
    CREATE TABLE afterglow.watchlists (
        id uuid PRIMARY KEY,
        number int8 NOT NULL GENERATED ALWAYS AS IDENTITY,
        epoch uuid NOT NULL,
        name bytea NOT NULL,
        revision int8 NOT NULL,
        rows int8 NOT NULL,
        bytes int8 NOT NULL DEFAULT 0,
        deleted_at int8) WITH (fillfactor = 40);
    CREATE TABLE afterglow.log (
        watchlist uuid NOT NULL,
        before int8 NOT NULL,
        last int8 NOT NULL,
        at int8 NOT NULL,
        data bytea NOT NULL,
        checksum int8 NOT NULL,
        terms int4[] NOT NULL,
        PRIMARY KEY (watchlist, last)) PARTITION BY HASH (watchlist);
    CREATE TABLE afterglow.answers (
        watchlist uuid NOT NULL,
        account uuid NOT NULL,
        client uuid NOT NULL,
        edit int8 NOT NULL,
        digest bytea NOT NULL,
        revision int8,
        rejection text,
        checksum int8 NOT NULL,
        day int8 NOT NULL,
        PRIMARY KEY (watchlist, account, client, edit)) PARTITION BY HASH (watchlist);
    CREATE TABLE afterglow.snapshots (
        watchlist uuid NOT NULL,
        revision int8 NOT NULL,
        part int8 NOT NULL,
        parts int8 NOT NULL,
        data bytea NOT NULL,
        checksum int8 NOT NULL,
        PRIMARY KEY (watchlist, revision, part));
    CREATE TABLE afterglow.days (number int8 PRIMARY KEY, day int8 NOT NULL UNIQUE);
    CREATE TABLE afterglow.erased (watchlist uuid PRIMARY KEY);
";

/// Creates the tables in a database that has none, or changes those of an older version.
pub(super) async fn prepare(connections: &Connections) -> Result<(), JournalError> {
    let lease = lock(connections).await?;
    if !exists(connections, &lease).await? {
        create(&lease).await?;
    }
    check_complete(connections, &lease).await
}

/// Checks that the database has a journal of this version, which is complete, or was moved to this target.
pub(super) async fn check(connections: &Connections, target: &str) -> Result<(), JournalError> {
    let lease = lock(connections).await?;
    if !exists(connections, &lease).await? {
        let place = connections.place();
        return Err(JournalError::NotOurs(format!("the database {place} has no journal")));
    }
    if mark(&lease, "moved", "target").await?.as_deref() == Some(target) {
        return Ok(());
    }
    check_complete(connections, &lease).await
}

/// Returns a connection that has locked the tables for changes of them, until it is dropped.
async fn lock(connections: &Connections) -> Result<Lease, JournalError> {
    let lease = connections.lease(Use::Keep).await?;
    // The lock ends with the connection, whatever has failed on it.
    lease.discard();
    lease.query("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    Ok(lease)
}

async fn create(lease: &Lease) -> Result<(), JournalError> {
    let partitions = ["log", "answers"].into_iter().flat_map(|table| {
        (0..PARTITIONS).map(move |number| {
            format!(
                "CREATE TABLE afterglow.{table}_{number} PARTITION OF afterglow.{table}
                 FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number});"
            )
        })
    });
    let partitions: String = partitions.collect();
    let version = format!("INSERT INTO afterglow.meta (version) VALUES ({VERSION});");
    lease.batch(&format!("BEGIN; {TABLES} {partitions} {version} COMMIT")).await
}

/// Whether the database has a journal, which is of this version.
async fn exists(connections: &Connections, lease: &Lease) -> Result<bool, JournalError> {
    let exists = "SELECT to_regnamespace('afterglow') IS NOT NULL, to_regclass('afterglow.meta') IS NOT NULL";
    let found = lease.query_one(exists, &[]).await?;
    let place = connections.place();
    match found.map_or((false, false), |row| (row.get(0), row.get(1))) {
        (false, _) => return Ok(false),
        (true, false) => {
            return Err(JournalError::NotOurs(format!(
                "the database {place} has a schema \u{201c}afterglow\u{201d} that is no journal: name another database"
            )));
        }
        (true, true) => {}
    }
    let row = lease.query_one("SELECT version FROM afterglow.meta", &[]).await?;
    match row.map(|row| row.get::<_, i32>(0)) {
        Some(VERSION) => Ok(true),
        Some(version) if version > VERSION => Err(JournalError::NotOurs(format!(
            "the journal {place} was written by a newer version of Afterglow (its version is {version}, this \
             program knows {VERSION})"
        ))),
        Some(version) => {
            Err(JournalError::NotOurs(format!("the journal {place} has the unsupported version {version}")))
        }
        None => Err(JournalError::Damaged(format!("the journal {place} has no version"))),
    }
}

async fn check_complete(connections: &Connections, lease: &Lease) -> Result<(), JournalError> {
    if let Some(target) = mark(lease, "moved", "target").await? {
        let place = connections.place();
        return Err(JournalError::NotOurs(format!(
            "the journal {place} was moved to {target}: name another database, or drop the schema \u{201c}afterglow\u{201d}"
        )));
    }
    match copied_from(lease).await? {
        None => Ok(()),
        Some(source) => Err(JournalError::NotOurs(format!(
            "the journal {} is not complete: it is being copied from {source}. Run the same `afterglow-server \
             migrate` again",
            connections.place()
        ))),
    }
}

/// Returns what the journal is being copied from.
async fn copied_from(lease: &Lease) -> Result<Option<String>, JournalError> {
    mark(lease, "copying", "source").await
}

/// Returns the text of a mark, which is a table of one row.
async fn mark(lease: &Lease, table: &str, column: &str) -> Result<Option<String>, JournalError> {
    let exists = format!("SELECT to_regclass('afterglow.{table}') IS NOT NULL");
    if !lease.query_one(&exists, &[]).await?.is_some_and(|row| row.get(0)) {
        return Ok(None);
    }
    let row = lease.query_one(&format!("SELECT {column} FROM afterglow.{table}"), &[]).await?;
    Ok(row.map(|row| row.get(0)))
}

async fn set_mark(lease: &Lease, table: &str, column: &str, text: &str) -> Result<(), JournalError> {
    lease.batch(&format!("BEGIN; CREATE TABLE afterglow.{table} ({column} text NOT NULL)")).await?;
    lease.execute(&format!("INSERT INTO afterglow.{table} VALUES ($1)"), &[&text]).await?;
    lease.batch("COMMIT").await
}

/// Marks a journal without watchlists as a copy that is not complete, unless it is marked as such a copy already.
pub(super) async fn begin_copy(connections: &Connections, source: &str) -> Result<(), JournalError> {
    let lease = lock(connections).await?;
    if !exists(connections, &lease).await? {
        create(&lease).await?;
    }
    if copied_from(&lease).await?.is_some_and(|known| known == source) {
        return Ok(());
    }
    check_complete(connections, &lease).await?;
    if lease.query_one("SELECT 1 FROM afterglow.watchlists LIMIT 1", &[]).await?.is_some() {
        let place = connections.place();
        return Err(JournalError::NotOurs(format!(
            "the journal {place} has watchlists: name an empty database"
        )));
    }
    set_mark(&lease, "copying", "source", source).await
}

/// Marks a journal as moved to another place, so that no server uses it any more.
pub(super) async fn end_use(connections: &Connections, target: &str) -> Result<(), JournalError> {
    let lease = lock(connections).await?;
    match mark(&lease, "moved", "target").await? {
        Some(_) => Ok(()),
        None => set_mark(&lease, "moved", "target", target).await,
    }
}

/// Whether the database has a journal that servers can use.
pub(super) async fn is_complete(connections: &Connections) -> Result<bool, JournalError> {
    let lease = lock(connections).await?;
    Ok(exists(connections, &lease).await? && copied_from(&lease).await?.is_none())
}

/// Marks a copy as complete.
pub(super) async fn end_copy(connections: &Connections) -> Result<(), JournalError> {
    connections.lease(Use::Keep).await?.batch("DROP TABLE afterglow.copying").await
}

/// Writes something of no importance, to check that writes are stored.
pub(super) async fn write(connections: &Connections) -> Result<(), JournalError> {
    let lease = connections.lease(Use::Keep).await?;
    lease.execute("UPDATE afterglow.meta SET writes = writes + 1", &[]).await.map(drop)
}

/// Checks that the journal can be read.
pub(super) async fn read(connections: &Connections) -> Result<(), JournalError> {
    let lease = connections.lease(Use::Read).await?;
    lease.query("SELECT version FROM afterglow.meta", &[]).await.map(drop)
}
