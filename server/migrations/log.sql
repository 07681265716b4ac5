-- Size of the segments that blocks list.
ALTER TABLE watchlists ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
-- Number of the last segment that is pruned.
ALTER TABLE watchlists ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
-- Whether the watchlist was deleted long ago and is being erased.
ALTER TABLE watchlists ADD COLUMN erasing INTEGER NOT NULL DEFAULT 0;

-- Commits and rejections in the order in which they were written: see `journal/sqlite/segment.rs`. Rows are
-- only appended, and deleted once they are folded.
CREATE TABLE log (
    seq       INTEGER PRIMARY KEY,
    watchlist INTEGER NOT NULL,
    before    INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    data      BLOB NOT NULL,
    checksum  INTEGER NOT NULL
) STRICT;

-- The segments of the log that are folded, by watchlist and revision: see `journal/sqlite/block.rs`.
CREATE TABLE blocks (
    watchlist INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    before    INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    data      BLOB NOT NULL,
    checksum  INTEGER NOT NULL,
    PRIMARY KEY (watchlist, last, seq)
) STRICT;

-- The answers of folded segments, by sender: see `journal/sqlite/answer.rs`.
CREATE TABLE runs (
    watchlist INTEGER NOT NULL,
    user      BLOB NOT NULL,
    client    BLOB NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    data      BLOB NOT NULL,
    checksum  INTEGER NOT NULL,
    PRIMARY KEY (watchlist, user, client, first)
) STRICT, WITHOUT ROWID;

-- Number of the last folded segment; one row.
CREATE TABLE folded (seq INTEGER NOT NULL) STRICT;
INSERT INTO folded VALUES (0);

INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (3, 'log', TRUE, x'', 0);
