-- modelwatch's store, first schema.
--
-- Conventions: every time is an INTEGER of microseconds since 1970-01-01T00:00:00Z; positions and
-- indices are INTEGERs counted in entries from the log's first; hashes are BLOBs unless it says hex;
-- the words of `verdict`, `state`, `kind`, `chain` are those of the JSON contract; JSON is UTF-8 TEXT.

-- 'mwat': a database of another program is never touched.
PRAGMA application_id = 1836540276;

-- One row per log that a pass has ended over.
CREATE TABLE log (
    origin          TEXT    NOT NULL PRIMARY KEY, -- first line of its checkpoints: its identity
    name            TEXT    NOT NULL,             -- its name in the configuration at the last pass
    protocol        TEXT    NOT NULL,             -- `type` in the configuration; '' while it has no position
    first           INTEGER,                      -- index where reading began: what lies before is no gap; NULL: no position yet
    seen            INTEGER,                      -- every entry below was read; NULL: no position yet
    seen_frontier   BLOB,                         -- compact range of [0, seen): 32 bytes a hash, largest subtree first
    proven          INTEGER,                      -- a signed checkpoint vouches for every entry below; never decreases; NULL: no position yet
    proven_frontier BLOB,                         -- compact range of [0, proven), as above
    frozen_size     INTEGER,                      -- size of the checkpoint by which the log said that it has ended
    frozen_note     BLOB,                         -- that checkpoint, as it was received
    behind_passes   INTEGER NOT NULL DEFAULT 0,   -- passes in a row that were shown a smaller checkpoint than the largest
    backlog_passes  INTEGER NOT NULL DEFAULT 0,   -- passes in a row that ended below the newest checkpoint
    failed_passes   INTEGER NOT NULL DEFAULT 0,   -- passes in a row that could not be finished
    last_success    INTEGER,                      -- time: end of the last pass that proved everything
    size_since      INTEGER NOT NULL,             -- time: when the present size was seen first, or a witness's later time
    error_kind      TEXT,                         -- why the last pass could not be finished, in the contract's word
    error_message   TEXT,                         -- the same as a sentence; may hold text from the log
    CHECK ((first IS NULL) = (seen IS NULL) AND (seen IS NULL) = (proven IS NULL)),
    CHECK (first <= proven AND proven <= seen)
) STRICT;

-- The checkpoints that a log's state stands on, each with its raw note as evidence.
CREATE TABLE head (
    origin TEXT    NOT NULL REFERENCES log (origin), -- the log
    role   TEXT    NOT NULL,                         -- 'proven': up to it all is proven; 'largest': the largest accepted; 'pending': to be compared when read that far
    size   INTEGER NOT NULL,                         -- tree size in entries
    root   BLOB    NOT NULL,                         -- root hash, 32 bytes
    note   BLOB    NOT NULL,                         -- the signed note, as it was received
    PRIMARY KEY (origin, role, size)
) STRICT;

-- Every checkpoint that was verified; old ones are thinned out to one a day.
CREATE TABLE checkpoint (
    origin TEXT    NOT NULL, -- the log
    size   INTEGER NOT NULL, -- tree size in entries
    root   BLOB    NOT NULL, -- root hash, 32 bytes
    note   BLOB    NOT NULL, -- the signed note, as it was first received
    at     INTEGER NOT NULL, -- time: when it was first recorded
    UNIQUE (origin, size, root)
) STRICT;

-- What was matched against which watch.
CREATE TABLE coverage (
    origin     TEXT    NOT NULL, -- the log
    watch      TEXT    NOT NULL, -- the watch's name
    conditions BLOB    NOT NULL, -- hash of its selecting conditions, 32 bytes
    start      INTEGER NOT NULL, -- first index that was matched
    until      INTEGER,          -- index after the last; NULL: up to the log's `seen`, wherever that is
    PRIMARY KEY (origin, watch, conditions, start),
    CHECK (until IS NULL OR start < until)
) STRICT, WITHOUT ROWID;

-- A watch goes on covering a log once, not twice.
CREATE UNIQUE INDEX coverage_open ON coverage (origin, watch, conditions) WHERE until IS NULL;

-- Rescans that were asked for and not yet taken up by the monitor.
CREATE TABLE rescan (
    watch TEXT NOT NULL PRIMARY KEY, -- the watch's name; '' is every watch
    at    INTEGER NOT NULL           -- time: when it was asked for
) STRICT;

-- Who signed: shared by the findings of one certificate or key.
CREATE TABLE signer (
    key                BLOB NOT NULL PRIMARY KEY, -- first 16 bytes of SHA-256 over the other columns, length-prefixed
    san                TEXT NOT NULL,             -- JSON array of {"type","value"}
    issuer             TEXT,                      -- OIDC issuer that the certificate names
    extensions         TEXT NOT NULL,             -- JSON object: Fulcio's other extensions by name
    certificate_sha256 TEXT,                      -- hex
    key_sha256         TEXT,                      -- hex; SHA-256 of the DER SubjectPublicKeyInfo
    not_before         INTEGER,                   -- time: start of the certificate's validity
    certificate        BLOB                       -- the DER certificate
) STRICT;

-- One row per finding; never deleted.
CREATE TABLE finding (
    number          INTEGER NOT NULL PRIMARY KEY, -- internal
    id              BLOB    NOT NULL UNIQUE,      -- 16 bytes; hex in the contract
    verdict         TEXT    NOT NULL,             -- as it stands, registrations taken into account
    severity        INTEGER NOT NULL,             -- as it stands: 0 info, 1 low, 2 medium, 3 high, 4 critical
    judged_verdict  TEXT    NOT NULL,             -- as it would stand without registrations
    judged_severity INTEGER NOT NULL,             -- as it would stand without registrations
    health          INTEGER NOT NULL,             -- 1: about the health of the watch; 0: about security
    state           TEXT    NOT NULL,             -- 'open', 'held', 'acked', 'disputed', 'resolved'
    prior_state     TEXT,                         -- set while its batch counts as false: the state that it returns to with its leaf
    watch           TEXT,                         -- the watch's name; NULL: about a log or a channel
    rule            BLOB,                         -- hash of the watch's selecting part and shape at the time, 32 bytes
    in_shape        INTEGER,                      -- 1 meets the watch's shape, 0 does not, NULL: there is no shape
    log             TEXT,                         -- the log's name at the time
    origin          TEXT,                         -- the log
    entry_index     INTEGER,                      -- the entry's index
    leaf_hash       TEXT,                         -- RFC 6962 leaf hash, hex
    proven          INTEGER,                      -- 1: a signed checkpoint vouches for the entry; NULL: about a log
    kind            TEXT,                         -- of the entry, such as 'hashedrekord 0.0.2'
    digest          TEXT,                         -- the hash that the entry holds, 'algorithm:hex'
    signer          BLOB REFERENCES signer (key), -- who signed
    chain           TEXT,                         -- 'trusted', 'untrusted', 'none', 'unknown'
    first_seen      INTEGER NOT NULL,             -- time
    fault           TEXT,                         -- which promise the log broke
    occurrence      BLOB,                         -- of a fault, as seen last: hash of the contradicting root, 32 bytes
    subject         TEXT,                         -- of a health finding: what tells it from others of its verdict
    summary         TEXT    NOT NULL,             -- one sentence; may hold text from the log
    -- The order of lists, without NULLs so that pages can go on from a row.
    list_log        TEXT    NOT NULL GENERATED ALWAYS AS (ifnull(log, '')) VIRTUAL,
    list_index      INTEGER NOT NULL GENERATED ALWAYS AS (ifnull(entry_index, -1)) VIRTUAL,
    list_watch      TEXT    NOT NULL GENERATED ALWAYS AS (ifnull(watch, '')) VIRTUAL
) STRICT;

-- `findings list --all`, and without `--all`.
CREATE INDEX finding_list ON finding (list_log, list_index, list_watch, id);
CREATE INDEX finding_list_unresolved ON finding (list_log, list_index, list_watch, id) WHERE state <> 'resolved';
-- The exit code.
CREATE INDEX finding_open ON finding (health, severity) WHERE state IN ('open', 'disputed');
-- What the next proof covers.
CREATE INDEX finding_unproven ON finding (origin, entry_index) WHERE proven = 0;
-- What waits for its registration.
CREATE INDEX finding_held ON finding (first_seen) WHERE state = 'held';
-- What is judged again when the trusted root changes.
CREATE INDEX finding_untrusted ON finding (id) WHERE judged_verdict = 'untrusted-chain';
-- What a registration is about.
CREATE INDEX finding_leaf ON finding (leaf_hash) WHERE leaf_hash IS NOT NULL;

-- What is kept beside a finding.
CREATE TABLE evidence (
    finding INTEGER NOT NULL REFERENCES finding (number), -- the finding
    ordinal INTEGER NOT NULL,                             -- order of the notes
    kind    TEXT    NOT NULL,                             -- 'note': a signed note; 'leaf': the entry's bytes
    body    BLOB    NOT NULL,                             -- as received
    PRIMARY KEY (finding, kind, ordinal)
) STRICT;

-- What became of a finding; its beginning is written with its first change.
CREATE TABLE history (
    number   INTEGER NOT NULL PRIMARY KEY,                 -- order
    finding  INTEGER NOT NULL REFERENCES finding (number), -- the finding
    at       INTEGER NOT NULL,                             -- time
    verdict  TEXT    NOT NULL,                             -- from then on
    severity INTEGER NOT NULL,                             -- from then on, as in `finding`
    state    TEXT    NOT NULL,                             -- from then on
    reason   TEXT    NOT NULL                              -- why
) STRICT;

CREATE INDEX history_finding ON history (finding);

-- Signings that the owner declared.
CREATE TABLE expectation (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- for `expect remove`: never used twice
    leaves BLOB    NOT NULL UNIQUE,                    -- SHA-256 over its sorted leaf hashes: the same signing is registered once
    body   TEXT    NOT NULL,                           -- JSON: what was registered
    file   TEXT    NOT NULL,                           -- from which file
    at     INTEGER NOT NULL                            -- time: when
) STRICT;

-- The leaves that a declared signing may be, one per form of entry.
CREATE TABLE expected_leaf (
    leaf_hash   TEXT    NOT NULL,                                 -- RFC 6962 leaf hash, hex
    expectation INTEGER NOT NULL REFERENCES expectation (number), -- the registration
    PRIMARY KEY (leaf_hash, expectation)
) STRICT, WITHOUT ROWID;

CREATE INDEX expected_leaf_expectation ON expected_leaf (expectation);

-- The outbox: one row per message and channel.
CREATE TABLE alert (
    number     INTEGER NOT NULL PRIMARY KEY,                        -- order of creation
    id         TEXT    NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16)))), -- hex; receivers drop repeats by it
    channel    TEXT    NOT NULL,                                    -- the channel's name
    kind       TEXT    NOT NULL,                                    -- 'alert', 'digest', 'resolved'
    key        TEXT,                                                -- of a resolution: the id of the alert that is over; NULL: its own id
    group_key  TEXT    NOT NULL,                                    -- what belongs together while the group is not closed
    closed     INTEGER NOT NULL DEFAULT 0,                          -- 1: it was claimed for sending, nothing joins it any more
    created    INTEGER NOT NULL,                                    -- time
    due        INTEGER NOT NULL,                                    -- time: not sent before
    state      TEXT    NOT NULL DEFAULT 'pending',                  -- 'pending', 'delivered', 'failed' (given up)
    attempts   INTEGER NOT NULL DEFAULT 0,                          -- so far
    delivered  INTEGER,                                             -- time
    last_error TEXT                                                 -- of the last attempt that failed
) STRICT;

CREATE UNIQUE INDEX alert_group ON alert (channel, group_key) WHERE closed = 0;
CREATE UNIQUE INDEX alert_resolution ON alert (key) WHERE kind = 'resolved';
CREATE INDEX alert_due ON alert (channel, due) WHERE state = 'pending';
CREATE INDEX alert_error ON alert (channel, number) WHERE last_error IS NOT NULL;
CREATE INDEX alert_failed ON alert (channel) WHERE state = 'failed';

-- Which findings a message tells of.
CREATE TABLE member (
    alert   INTEGER NOT NULL REFERENCES alert (number),   -- the message
    finding INTEGER NOT NULL REFERENCES finding (number), -- the finding
    PRIMARY KEY (alert, finding)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_finding ON member (finding, alert);

-- Small things to remember, such as when the last heartbeat was sent.
CREATE TABLE memory (
    key   TEXT NOT NULL PRIMARY KEY, -- what
    value TEXT NOT NULL              -- as its owner writes it
) STRICT, WITHOUT ROWID;
