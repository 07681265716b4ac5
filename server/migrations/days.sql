-- Number of the next segment of the log as of a day, which is counted from 1970: see `journal/sqlite/expire.rs`.
CREATE TABLE IF NOT EXISTS days (day INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
