-- Registrations have an authority, and may come from sources that are read again and again; payloads that are known.

-- A signing may be registered several times: by a command, and by each file of a source. `leaves` names one of these. For a
-- registration by the operator's command it is SHA-256 over the sorted leaf hashes, as before; for all others SHA-256 over that
-- hash, the authority, the source and the file, each with its length before it.

-- Who registered it: 'operator', 'repository', 'signer'. Earlier versions had only the operator.
ALTER TABLE expectation ADD COLUMN authority TEXT NOT NULL DEFAULT 'operator';
-- The name of the source that its file was found in; NULL: a command registered it.
ALTER TABLE expectation ADD COLUMN source TEXT;
-- Of a git repository: the commit that gave the file its present content, hex; NULL: another kind of source.
ALTER TABLE expectation ADD COLUMN commit_id TEXT;
-- Who made that commit, or gave the command; NULL: not known.
ALTER TABLE expectation ADD COLUMN author TEXT;
-- JSON array of the names of the watches whose findings it counts for; NULL: every watch.
ALTER TABLE expectation ADD COLUMN watches TEXT;
-- What the file contained when it was read, as its source names contents: a hash, hex. NULL: a command registered it.
ALTER TABLE expectation ADD COLUMN content TEXT;

-- The registrations of a source.
CREATE INDEX expectation_source ON expectation (source, number) WHERE source IS NOT NULL;

-- Where registrations are read from.
CREATE TABLE registration_source (
    name      TEXT    NOT NULL PRIMARY KEY,  -- its name in the configuration
    location  TEXT    NOT NULL,              -- what is read: its type, address and branch; with another one it begins anew
    at        INTEGER NOT NULL,              -- time: when it was last tried
    failures  INTEGER NOT NULL DEFAULT 0,    -- how often in a row it could not be read
    error     TEXT,                          -- why the last time; NULL: it was read
    problems  TEXT    NOT NULL DEFAULT '[]', -- JSON array of sentences: files that were there and do not count, at the last time
    commit_id TEXT,                          -- git: the newest commit whose files were taken, hex; NULL: none yet
    rewritten TEXT                           -- git: the commit of a branch that no longer contains `commit_id`, hex; NULL: it does
) STRICT, WITHOUT ROWID;

-- Statements that bundles contain, by what an entry of their signing holds. The digest is computed from the statement, so it is known
-- whoever showed the bundle, and stays known without its registration.
CREATE TABLE known_payload (
    part      TEXT    NOT NULL, -- what the digest is of, as in `expected_signing`
    digest    TEXT    NOT NULL, -- 'algorithm:hex'
    model     INTEGER NOT NULL, -- 1: its predicate is that of a model signature; 0: another one
    statement TEXT    NOT NULL, -- its type and subjects in words; the signer chose the text
    file      TEXT    NOT NULL, -- the file with the bundle that showed it first
    PRIMARY KEY (part, digest)
) STRICT, WITHOUT ROWID;

-- The findings of which it is not known what was signed.
CREATE INDEX finding_unknown_payload ON finding (digest)
    WHERE judged_verdict = 'identity-unexpected' AND digest IS NOT NULL;
-- The findings whose exit code is that of the verdict without the registration.
CREATE INDEX finding_self_registered ON finding (judged_severity)
    WHERE verdict = 'self-registered' AND state IN ('open', 'disputed');
