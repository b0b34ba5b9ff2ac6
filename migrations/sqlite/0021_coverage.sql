-- Coverage in rows of watches whose ranges differ from those of their tree. The watches that new entries of a tree are
-- matched against are one set, which trees share. A tree without a set has, as before, a row in `coverage` for each watch;
-- the next pass over it gives it a set.

CREATE TABLE watch_set (
    number INTEGER NOT NULL PRIMARY KEY,
    hash   BLOB    NOT NULL UNIQUE         -- SHA-256 over names and conditions, in the order of the configuration
) STRICT;

CREATE TABLE watch_set_member (
    watch_set  INTEGER NOT NULL REFERENCES watch_set (number),
    watch      TEXT    NOT NULL,           -- name of the watch
    conditions BLOB    NOT NULL,           -- SHA-256 of its selecting conditions
    PRIMARY KEY (watch_set, watch, conditions)
) STRICT, WITHOUT ROWID;

CREATE TABLE tree_watch_set (
    origin    TEXT    NOT NULL PRIMARY KEY, -- the tree
    watch_set INTEGER NOT NULL REFERENCES watch_set (number) -- those that cover up to `seen`; without a row in `coverage`, from the first position on
) STRICT, WITHOUT ROWID;

CREATE INDEX tree_watch_set_by_set ON tree_watch_set (watch_set);

-- What a rescan has reached and not joined with `coverage` yet: one row for all of its watches.
CREATE TABLE rescan_stretch (
    origin    TEXT    NOT NULL,            -- the tree
    watch_set INTEGER NOT NULL REFERENCES watch_set (number), -- the watches of the rescan
    start     INTEGER NOT NULL,            -- first entry, within the tree
    until     INTEGER NOT NULL,            -- end, exclusive
    PRIMARY KEY (origin, watch_set, start),
    CHECK (start < until)
) STRICT, WITHOUT ROWID;

CREATE INDEX rescan_stretch_by_set ON rescan_stretch (watch_set);
