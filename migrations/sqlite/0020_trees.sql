-- A log has trees. Until now `log` held trees, and one more row for each log of several trees; which tree belongs to which log
-- was found by its name.
--
-- Trees stay known by their origins, as in `checkpoint`, `coverage`, `pace`, `restart`, `vouched` and `finding`.

ALTER TABLE log RENAME TO old_log;
ALTER TABLE head RENAME TO old_head;
ALTER TABLE guided RENAME TO old_guided;
ALTER TABLE guided_by RENAME TO old_guided_by;
ALTER TABLE lookup RENAME TO old_lookup;
ALTER TABLE sought RENAME TO old_sought;
ALTER TABLE sought_name RENAME TO old_sought_name;
ALTER TABLE sought_finding RENAME TO old_sought_finding;
ALTER TABLE known_entry RENAME TO old_known_entry;
DROP INDEX lookup_due;
DROP INDEX sought_name_key;
DROP INDEX sought_not_after;
DROP INDEX known_entry_key;
DROP INDEX known_entry_alike;

-- The logs that were followed.
CREATE TABLE log (
    number        INTEGER NOT NULL PRIMARY KEY, -- internal
    id            TEXT    NOT NULL UNIQUE,      -- which log: its origin; of a Rekor v1 log the URL of its server
    name          TEXT    NOT NULL,             -- its name in the configuration at the last pass
    protocol      TEXT    NOT NULL,             -- `type` in the configuration; '' while it has no position
    signed_name   TEXT,                         -- Rekor v1: its name in the origins of its trees; NULL: another type, or no tree is known
    failed_passes INTEGER NOT NULL DEFAULT 0,   -- Rekor v1: passes in a row in which the log as a whole failed, such as the list of its trees
    last_success  INTEGER,                      -- time: Rekor v1: end of the last pass in which the log as a whole did not fail
    error_kind    TEXT,                         -- Rekor v1: why the log as a whole failed in the last pass, in the contract's word
    error_message TEXT                          -- the same as a sentence; may hold text from the log
) STRICT;

-- The trees of each log. Most logs have one, whose origin is the log's id.
CREATE TABLE tree (
    origin          TEXT    NOT NULL PRIMARY KEY,           -- first line of its checkpoints
    log             INTEGER NOT NULL REFERENCES log (number), -- the log that it is of
    place           INTEGER,                      -- Rekor v1: its place in the log's last list of trees, the oldest at 0; NULL: it was not in that list
    base            INTEGER NOT NULL DEFAULT 0,   -- entries of the log before this tree's first one; 0 for logs of one tree
    first           INTEGER,                      -- index where reading began: what lies before is no gap; NULL: no position yet
    seen            INTEGER,                      -- every entry below was read; NULL: no position yet
    seen_frontier   BLOB,                         -- compact range of [0, seen): 32 bytes a hash, largest subtree first
    proven          INTEGER,                      -- a signed checkpoint covers every entry below; never decreases; NULL: no position yet
    proven_frontier BLOB,                         -- compact range of [0, proven), as above
    frozen_size     INTEGER,                      -- size of the checkpoint that ended the tree; NULL: it has not ended
    frozen_note     BLOB,                         -- that checkpoint, as it was received
    behind_passes   INTEGER NOT NULL DEFAULT 0,   -- passes in a row that were shown a smaller checkpoint than the largest
    behind_since    INTEGER,                      -- time: end of the first of those; NULL: there is none, or it is not known
    backlog_passes  INTEGER NOT NULL DEFAULT 0,   -- passes in a row that ended below the newest checkpoint
    failed_passes   INTEGER NOT NULL DEFAULT 0,   -- passes in a row that could not be finished
    last_success    INTEGER,                      -- time: end of the last pass that proved everything
    size_since      INTEGER NOT NULL,             -- time: when the present size was seen first, or a witness's later time
    error_kind      TEXT,                         -- why the last pass could not be finished, in the contract's word
    error_message   TEXT,                         -- the same as a sentence; may hold text from the log
    CHECK ((first IS NULL) = (seen IS NULL) AND (seen IS NULL) = (proven IS NULL)),
    CHECK (first <= proven AND proven <= seen)
) STRICT;

CREATE INDEX tree_log ON tree (log);

-- The checkpoints that a tree's state stands on, each with its raw note as evidence.
CREATE TABLE head (
    origin TEXT    NOT NULL REFERENCES tree (origin), -- the tree
    role   TEXT    NOT NULL,                          -- 'proven': up to it all is proven; 'largest': the largest accepted; 'pending': to be compared when read that far; 'verified': the newest of a tree that is not read
    size   INTEGER NOT NULL,                          -- tree size in entries
    root   BLOB    NOT NULL,                          -- root hash, 32 bytes
    note   BLOB    NOT NULL,                          -- the signed note, as it was received
    PRIMARY KEY (origin, role, size)
) STRICT;

-- Guided logs: not read in full, but covered by way of CT logs and the log's search index. One row from the first pass that
-- verified its trees.
CREATE TABLE guided (
    log       INTEGER NOT NULL PRIMARY KEY REFERENCES log (number), -- the log
    start     INTEGER NOT NULL,           -- index over all trees: entries below were there before the watch began, and are not alerted
    cursor    INTEGER NOT NULL,           -- `finding.number` up to which certificates were taken up
    rules     BLOB    NOT NULL,           -- hash of the watches that entries were matched against, 32 bytes
    spent     INTEGER NOT NULL,           -- time: when the requests made so far would have ended, had they been evenly spread
    mail_only INTEGER,                    -- time: when the server last refused to be asked for other names than mail addresses; NULL: it answers
    turns     INTEGER NOT NULL DEFAULT 0  -- turns that look-ups have had so far: it only grows, so that no clock decides about the order
) STRICT;

-- The CT logs whose certificates are looked up in a guided log.
CREATE TABLE guided_by (
    log     INTEGER NOT NULL REFERENCES guided (log), -- the guided log
    guide   TEXT    NOT NULL,                         -- the CT log, as `log.id`
    pending INTEGER NOT NULL,                         -- 1: it was named later than the others, and what it showed before is not looked up yet
    PRIMARY KEY (log, guide)
) STRICT, WITHOUT ROWID;

-- Names to ask the index for.
CREATE TABLE lookup (
    log           INTEGER NOT NULL REFERENCES guided (log), -- the guided log
    subject       TEXT    NOT NULL,           -- the name, in ASCII lower case
    direct        INTEGER NOT NULL,           -- 1: a watch names it exactly, and it is asked for with or without a certificate
    tries         INTEGER NOT NULL DEFAULT 0, -- answers since the newest certificate of this name
    due           INTEGER,                    -- time: not asked before; NULL: not asked any more
    asked         INTEGER,                    -- time of the last answer; NULL: none yet
    entries       INTEGER NOT NULL DEFAULT 0, -- how many entries the last answer named
    retry         INTEGER,                    -- time: when it is asked for again, although it has been due since `due`; NULL: it waits for its turn
    failures      INTEGER NOT NULL DEFAULT 0, -- how often in a row it failed
    error_kind    TEXT,                       -- what kind of error it failed with the last time, as in `tree`; NULL: the last time it was answered
    error_message TEXT,                       -- the same in words
    turn          INTEGER,                    -- `guided.turns` after its last turn; NULL: it had none
    news          INTEGER NOT NULL DEFAULT 0, -- `guided.turns` when its newest certificate came: without a turn since then it comes before the others
    unread        INTEGER NOT NULL DEFAULT 0, -- entries that the index named in the last answer and that are not read
    position      INTEGER NOT NULL DEFAULT 0, -- where among these its next turn goes on, counted from the first
    PRIMARY KEY (log, subject)
) STRICT, WITHOUT ROWID;

-- What is due, the longest first.
CREATE INDEX lookup_due ON lookup (log, due) WHERE due IS NOT NULL;

-- Certificates whose entries are looked for. A certificate is known by the SHA-256 of its TBSCertificate as CT logs hold it;
-- a bare key, and a certificate that cannot be put into that form, by what `alike` holds.
CREATE TABLE sought (
    log       INTEGER NOT NULL REFERENCES guided (log), -- the guided log
    key       TEXT    NOT NULL,                -- hex; the certificate
    not_after INTEGER NOT NULL,                -- time: end of its validity
    state     TEXT    NOT NULL DEFAULT 'open', -- 'open', 'here' (an entry was found), 'elsewhere' (in another log), 'nowhere' (its time is over)
    said      TEXT,                            -- what the end of the search has added to the sentences of its findings; NULL: the search goes on
    alike     TEXT    NOT NULL DEFAULT '',     -- what other certificates may have in common with it: 'HEX@SECONDS', its key and the start of its validity; 'HEX' for a bare key
    PRIMARY KEY (log, key)
) STRICT, WITHOUT ROWID;

-- Which certificates ended lately.
CREATE INDEX sought_not_after ON sought (log, not_after);

-- The names of a certificate.
CREATE TABLE sought_name (
    log     INTEGER NOT NULL REFERENCES guided (log), -- the guided log
    subject TEXT    NOT NULL, -- the name, in ASCII lower case
    key     TEXT    NOT NULL, -- the certificate, as in `sought`
    PRIMARY KEY (log, subject, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX sought_name_key ON sought_name (log, key);

-- The findings of a certificate: what becomes of it is added to their sentences.
CREATE TABLE sought_finding (
    log     INTEGER NOT NULL REFERENCES guided (log),     -- the guided log
    key     TEXT    NOT NULL,                             -- the certificate, as in `sought`
    finding INTEGER NOT NULL REFERENCES finding (number), -- a finding in a CT log
    PRIMARY KEY (log, key, finding)
) STRICT, WITHOUT ROWID;

-- Entries by who signed. Of the log itself: those that the index named and that were fetched, proven and matched, so that
-- they are not fetched again. Of other logs: those with a finding, for a certificate may have been used there.
CREATE TABLE known_entry (
    log         INTEGER NOT NULL REFERENCES guided (log), -- the guided log
    origin      TEXT    NOT NULL, -- the tree that holds the entry, of this log or of another
    leaf_hash   TEXT    NOT NULL, -- RFC 6962 leaf hash, hex
    key         TEXT    NOT NULL, -- the signer's certificate, as in `sought`, or bare key; '' if no watch selects one
    entry_index INTEGER NOT NULL, -- as findings name it
    name        TEXT    NOT NULL, -- the log's name at the time
    own         INTEGER NOT NULL, -- 1: an entry of the guided log; 0: of another
    alike       TEXT    NOT NULL DEFAULT '', -- the signer, as `sought.alike`
    PRIMARY KEY (log, leaf_hash, origin, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX known_entry_key ON known_entry (log, key);
CREATE INDEX known_entry_alike ON known_entry (log, alike) WHERE alike <> '';

-- Rekor v1 logs as a whole: no tree's origin is a URL.
INSERT INTO log (id, name, protocol, failed_passes, last_success, error_kind, error_message)
SELECT origin, name, 'rekor-v1', failed_passes, last_success, error_kind, error_message FROM old_log
WHERE protocol = '' AND seen IS NULL AND (origin GLOB 'http://*' OR origin GLOB 'https://*') ORDER BY origin;

-- Which log each tree is of: the one that listed it last; for a tree of Rekor v1, and for one that never verified, the log of the
-- same name, as the version before found it; otherwise it is a log of its own.
CREATE TABLE moved (
    origin TEXT    NOT NULL PRIMARY KEY, -- the tree
    log    TEXT    NOT NULL,             -- the id of its log
    place  INTEGER                       -- its place in the log's last list
) STRICT;
INSERT OR IGNORE INTO moved (origin, log, place)
SELECT t.value, l.id, t.key FROM log l JOIN memory m ON m.key = 'trees ' || l.id AND json_valid(m.value), json_each(m.value) t
WHERE t.type = 'text' ORDER BY l.last_success DESC, t.key;
INSERT INTO moved (origin, log)
SELECT o.origin, coalesce(
    CASE WHEN o.protocol IN ('rekor-v1', '') THEN coalesce(
        (SELECT w.id FROM log w WHERE w.name = o.name ORDER BY w.last_success DESC, w.number DESC LIMIT 1),
        (SELECT min(r.origin) FROM old_log r WHERE r.name = o.name AND r.protocol = 'rekor-v1')) END,
    o.origin)
FROM old_log o WHERE o.origin NOT IN (SELECT id FROM log) AND o.origin NOT IN (SELECT origin FROM moved);

INSERT INTO log (id, name, protocol)
SELECT origin, name, protocol FROM old_log
WHERE origin IN (SELECT log FROM moved) AND origin NOT IN (SELECT id FROM log) ORDER BY origin;

INSERT INTO tree (origin, log, place, base, first, seen, seen_frontier, proven, proven_frontier, frozen_size, frozen_note, behind_passes,
    behind_since, backlog_passes, failed_passes, last_success, size_since, error_kind, error_message)
SELECT o.origin, l.number, m.place, o.base, o.first, o.seen, o.seen_frontier, o.proven, o.proven_frontier, o.frozen_size, o.frozen_note,
    o.behind_passes, o.behind_since, o.backlog_passes, o.failed_passes, o.last_success, o.size_since, o.error_kind, o.error_message
FROM old_log o JOIN moved m ON m.origin = o.origin JOIN log l ON l.id = m.log;
-- Trees that were listed, and over which no pass has ended yet.
INSERT OR IGNORE INTO tree (origin, log, place, size_since)
SELECT m.origin, l.number, m.place, ifnull(l.last_success, 0) FROM moved m JOIN log l ON l.id = m.log;
DELETE FROM memory WHERE key IN (SELECT 'trees ' || id FROM log);
INSERT INTO head SELECT origin, role, size, root, note FROM old_head;

-- The origin of a tree of Rekor v1 is the log's name, ' - ' and the tree's number.
UPDATE log SET signed_name = (
    SELECT substr(rtrim(t.origin, '0123456789'), 1, length(rtrim(t.origin, '0123456789')) - 3) FROM tree t
    WHERE t.log = log.number AND rtrim(t.origin, '0123456789') LIKE '% - '
    ORDER BY t.place IS NULL, t.place, t.base, t.origin LIMIT 1)
WHERE protocol = 'rekor-v1';

-- Look-ups were kept under that name.
CREATE TABLE renamed (
    old    TEXT    NOT NULL PRIMARY KEY, -- the guided log's name
    number INTEGER NOT NULL UNIQUE       -- the log
) STRICT;
INSERT OR IGNORE INTO renamed (old, number)
SELECT g.log, l.number FROM old_guided g JOIN log l ON l.signed_name = g.log ORDER BY l.last_success DESC, l.number DESC;
-- One whose trees are not known: it was followed under another name of its server.
INSERT INTO log (id, name, protocol, signed_name)
SELECT log, log, 'rekor-v1', log FROM old_guided WHERE log NOT IN (SELECT old FROM renamed);
INSERT OR IGNORE INTO renamed (old, number) SELECT g.log, l.number FROM old_guided g JOIN log l ON l.id = g.log;

INSERT INTO guided (log, start, cursor, rules, spent, mail_only, turns)
SELECT r.number, g.start, g.cursor, g.rules, g.spent, g.mail_only, g.turns FROM old_guided g JOIN renamed r ON r.old = g.log;
INSERT OR IGNORE INTO guided_by (log, guide, pending)
SELECT r.number, ifnull((SELECT min(l.id) FROM log l WHERE l.name = g.guide AND l.protocol <> 'rekor-v1'), g.guide), g.pending
FROM old_guided_by g JOIN renamed r ON r.old = g.log;
INSERT INTO lookup (log, subject, direct, tries, due, asked, entries, retry, failures, error_kind, error_message, turn, news, unread, position)
SELECT r.number, o.subject, o.direct, o.tries, o.due, o.asked, o.entries, o.retry, o.failures, o.error_kind, o.error_message, o.turn, o.news,
    o.unread, o.position
FROM old_lookup o JOIN renamed r ON r.old = o.log;
INSERT INTO sought (log, key, not_after, state, said, alike)
SELECT r.number, o.key, o.not_after, o.state, o.said, o.alike FROM old_sought o JOIN renamed r ON r.old = o.log;
INSERT INTO sought_name (log, subject, key)
SELECT r.number, o.subject, o.key FROM old_sought_name o JOIN renamed r ON r.old = o.log;
INSERT INTO sought_finding (log, key, finding)
SELECT r.number, o.key, o.finding FROM old_sought_finding o JOIN renamed r ON r.old = o.log;
INSERT INTO known_entry (log, origin, leaf_hash, key, entry_index, name, own, alike)
SELECT r.number, o.origin, o.leaf_hash, o.key, o.entry_index, o.name, o.own, o.alike FROM old_known_entry o JOIN renamed r ON r.old = o.log;

DROP TABLE moved;
DROP TABLE renamed;
DROP TABLE old_known_entry;
DROP TABLE old_sought_finding;
DROP TABLE old_sought_name;
DROP TABLE old_sought;
DROP TABLE old_lookup;
DROP TABLE old_guided_by;
DROP TABLE old_guided;
DROP TABLE old_head;
DROP TABLE old_log;
