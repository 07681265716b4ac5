-- Watchlists and their snapshots. The name, the revision and the number of rows of a watchlist are those after
-- its last folded segment; the segments after it have newer ones.
CREATE TABLE watchlists (
    key        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    epoch      BLOB NOT NULL,
    name       TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    rows       INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

-- A snapshot counts once all its parts are there.
CREATE TABLE snapshots (
    watchlist INTEGER NOT NULL,
    revision  INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    parts     INTEGER NOT NULL,
    data      BLOB NOT NULL,
    checksum  INTEGER,
    PRIMARY KEY (watchlist, revision, part)
) STRICT;

-- Versions of the layout, in the form in which earlier programs look for them: they refuse a journal with a newer one.
CREATE TABLE _sqlx_migrations (
    version        BIGINT PRIMARY KEY,
    description    TEXT NOT NULL,
    installed_on   TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success        BOOLEAN NOT NULL,
    checksum       BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
