CREATE TABLE watchlists (
    key        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    epoch      BLOB NOT NULL,
    name       TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    rows       INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE TABLE commits (
    watchlist INTEGER NOT NULL REFERENCES watchlists (key) ON DELETE CASCADE,
    revision  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    user      BLOB NOT NULL,
    name      TEXT NOT NULL,
    client    BLOB NOT NULL,
    edit      INTEGER NOT NULL,
    changes   TEXT NOT NULL,
    PRIMARY KEY (watchlist, revision)
) STRICT, WITHOUT ROWID;

-- The first answer to every edit; `rejection` is empty where it was accepted.
CREATE TABLE answers (
    watchlist INTEGER NOT NULL REFERENCES watchlists (key) ON DELETE CASCADE,
    user      BLOB NOT NULL,
    client    BLOB NOT NULL,
    edit      INTEGER NOT NULL,
    digest    BLOB NOT NULL,
    revision  INTEGER,
    rejection TEXT,
    PRIMARY KEY (watchlist, user, client, edit)
) STRICT, WITHOUT ROWID;

-- A snapshot counts once all its parts are there.
CREATE TABLE snapshots (
    watchlist INTEGER NOT NULL REFERENCES watchlists (key) ON DELETE CASCADE,
    revision  INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    parts     INTEGER NOT NULL,
    data      BLOB NOT NULL,
    PRIMARY KEY (watchlist, revision, part)
) STRICT;
