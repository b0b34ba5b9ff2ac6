-- The entries that registered bundles name: whether the log has them there.

CREATE TABLE registered_entry (
    number      INTEGER NOT NULL PRIMARY KEY,                     -- internal
    expectation INTEGER NOT NULL REFERENCES expectation (number), -- the registration
    origin      TEXT,                                             -- the tree, from the checkpoint in the bundle; NULL: the bundle has none
    key         TEXT    NOT NULL,                                 -- the first 4 bytes of the log's id in the bundle, hex: the id of the key that signs its checkpoints
    entry_index INTEGER NOT NULL,                                 -- the entry's index as the bundle has it, over all trees of the log
    state       TEXT    NOT NULL DEFAULT 'waiting',               -- 'waiting', 'there', 'missing'
    misses      INTEGER NOT NULL DEFAULT 0,                       -- passes in which another leaf was proven there
    UNIQUE (expectation, key, entry_index)
) STRICT;

-- What can be looked at when a tree has grown.
CREATE INDEX registered_entry_origin ON registered_entry (origin, entry_index) WHERE state = 'waiting' AND origin IS NOT NULL;
CREATE INDEX registered_entry_key ON registered_entry (key, entry_index) WHERE state = 'waiting' AND origin IS NULL;

-- Of registrations that are there already.
INSERT OR IGNORE INTO registered_entry (expectation, origin, key, entry_index)
SELECT x.number, json_extract(n.value, '$.origin'), substr(json_extract(n.value, '$.log_id'), 1, 8), json_extract(n.value, '$.log_index')
FROM expectation x, json_each(x.body, '$.entries') n
WHERE json_type(n.value, '$.log_index') = 'integer' AND json_type(n.value, '$.log_id') = 'text' ORDER BY x.number, n.key;

-- Which findings are of a registration: set on `missing`.
ALTER TABLE finding ADD COLUMN registration INTEGER;
CREATE INDEX finding_registration ON finding (registration) WHERE registration IS NOT NULL;
