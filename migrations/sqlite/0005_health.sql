-- What judging the health of the watch needs to know of earlier passes.

-- How passes over a log went, one row per log.
CREATE TABLE pace (
    origin         TEXT    NOT NULL PRIMARY KEY, -- the log
    recent         TEXT    NOT NULL DEFAULT '[]', -- JSON array of the last passes, oldest first: {"began","ended" (times), "entries" (read), "proven" (everything)}
    limited_passes INTEGER NOT NULL DEFAULT 0,   -- passes in a row that the log ended by asking for fewer requests (429)
    limited_since  INTEGER                       -- time: the first of those; NULL: there is none
) STRICT, WITHOUT ROWID;

-- A first position that was taken although the log had been read before.
CREATE TABLE restart (
    origin  TEXT    NOT NULL PRIMARY KEY, -- the log
    at      INTEGER NOT NULL,             -- time: when it was begun anew
    first   INTEGER NOT NULL,             -- index where it begins since then
    reached INTEGER NOT NULL              -- index up to which findings or recorded checkpoints show that it had been followed
) STRICT, WITHOUT ROWID;

-- Checkpoints that registered bundles carry: what the log told somebody else.
CREATE TABLE vouched (
    number INTEGER NOT NULL PRIMARY KEY,       -- internal
    origin TEXT    NOT NULL,                   -- its first line: which log it says it is of
    note   BLOB    NOT NULL,                   -- the signed note, as the bundle has it; not verified
    file   TEXT    NOT NULL,                   -- the registered file
    state  TEXT    NOT NULL DEFAULT 'waiting', -- 'waiting': to be compared; 'agrees' with the log's history; 'contradicts' it; 'unknown': signed by no key that we know
    UNIQUE (origin, note)
) STRICT;

-- What is still to be compared.
CREATE INDEX vouched_waiting ON vouched (origin) WHERE state = 'waiting';
