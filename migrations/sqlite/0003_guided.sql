-- How a log is covered that is not read in full ("guided"): certificates that CT logs show are looked up in the log's
-- search index, and so are the names that watches spell out.
--
-- The verified checkpoints of its trees are rows of `head` with the role 'verified': they need no position.
--
-- `log` names such a log over all its trees: it is what stands before " - " in the origin of each.

-- One row per guided log, from the first pass that verified its trees.
CREATE TABLE guided (
    log         TEXT    NOT NULL PRIMARY KEY, -- the log
    start       INTEGER NOT NULL,             -- index over all trees: entries below were there before the watch began, and are not told
    cursor      INTEGER NOT NULL,             -- `finding.number` up to which certificates were taken up
    rules       BLOB    NOT NULL,             -- hash of the watches that entries were matched against, 32 bytes
    spent       INTEGER NOT NULL,             -- time: when the requests made so far would have ended, had they been evenly spread
    mail_only   INTEGER                       -- time: when the server last refused to be asked for other names than mail addresses; NULL: it answers
) STRICT;

-- Names to ask the index for.
CREATE TABLE lookup (
    log     TEXT    NOT NULL,           -- the log
    subject TEXT    NOT NULL,           -- the name, in ASCII lower case
    direct  INTEGER NOT NULL,           -- 1: a watch spells it out, and it is asked for with or without a certificate
    tries   INTEGER NOT NULL DEFAULT 0, -- answers since the newest certificate of this name
    due     INTEGER,                    -- time: not asked before; NULL: not asked any more
    asked   INTEGER,                    -- time of the last answer; NULL: none yet
    entries INTEGER NOT NULL DEFAULT 0, -- how many entries the last answer named
    PRIMARY KEY (log, subject)
) STRICT, WITHOUT ROWID;

-- What is due, the longest first.
CREATE INDEX lookup_due ON lookup (log, due) WHERE due IS NOT NULL;

-- Certificates whose entries are looked for.
CREATE TABLE sought (
    log       TEXT    NOT NULL,                -- the log
    key       TEXT    NOT NULL,                -- hex; SHA-256 of the certificate's SubjectPublicKeyInfo
    not_after INTEGER NOT NULL,                -- time: end of its validity
    state     TEXT    NOT NULL DEFAULT 'open', -- 'open', 'here' (an entry was found), 'elsewhere' (in another log), 'nowhere' (its time is over)
    PRIMARY KEY (log, key)
) STRICT, WITHOUT ROWID;

-- The names of a certificate.
CREATE TABLE sought_name (
    log     TEXT NOT NULL, -- the log
    subject TEXT NOT NULL, -- the name, in ASCII lower case
    key     TEXT NOT NULL, -- the certificate, as in `sought`
    PRIMARY KEY (log, subject, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX sought_name_key ON sought_name (log, key);

-- The findings that tell of a certificate: what becomes of it is added to their sentences.
CREATE TABLE sought_finding (
    log     TEXT    NOT NULL,                              -- the log
    key     TEXT    NOT NULL,                              -- the certificate, as in `sought`
    finding INTEGER NOT NULL REFERENCES finding (number),  -- a finding in a CT log
    PRIMARY KEY (log, key, finding)
) STRICT, WITHOUT ROWID;

-- Entries by who signed. Of the log itself: those that the index named and that were fetched, proven and matched, so that
-- they are not fetched again. Of other logs: those with a finding, for a certificate may have been used there.
CREATE TABLE known_entry (
    log         TEXT    NOT NULL, -- the guided log
    origin      TEXT    NOT NULL, -- the tree or the other log that holds the entry
    leaf_hash   TEXT    NOT NULL, -- RFC 6962 leaf hash, hex
    key         TEXT    NOT NULL, -- hex; SHA-256 of a signer's SubjectPublicKeyInfo; '' if none can be read
    entry_index INTEGER NOT NULL, -- as findings name it
    name        TEXT    NOT NULL, -- the log's name at the time
    own         INTEGER NOT NULL, -- 1: an entry of the guided log; 0: of another
    PRIMARY KEY (log, leaf_hash, origin, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX known_entry_key ON known_entry (log, key);
