-- Checksums are computed by the program: see `journal/sqlite/record.rs`. Rows that were written before there were any
-- are given theirs when the journal is next opened.
ALTER TABLE commits ADD COLUMN checksum INTEGER;
ALTER TABLE answers ADD COLUMN checksum INTEGER;
ALTER TABLE snapshots ADD COLUMN checksum INTEGER;

-- Which commits touched a row, for its history.
CREATE TABLE touched (
    watchlist INTEGER NOT NULL REFERENCES watchlists (key) ON DELETE CASCADE,
    row       BLOB NOT NULL,
    revision  INTEGER NOT NULL,
    PRIMARY KEY (watchlist, row, revision)
) STRICT, WITHOUT ROWID;
