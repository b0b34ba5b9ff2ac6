-- What is looked up: signings by who signed, by what was signed, and by their entry.

-- By which values a signer is found.
CREATE TABLE signer_term (
    kind   TEXT NOT NULL,                         -- 'name', 'issuer', 'repository', 'commit', 'key', 'certificate'; 'odd': a version before this one recorded a name that readers write in several ways
    value  TEXT NOT NULL,                         -- in ASCII lower case, the issuer as it is; its first 200 characters; hashes in hex; '' for 'odd'
    signer BLOB NOT NULL, -- the signer, as in `signer.key`; no reference, so that nothing is looked up here when a signer is written
    PRIMARY KEY (kind, value, signer)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO signer_term
SELECT 'name', substr(lower(json_extract(n.value, '$.value')), 1, 200), s.key FROM signer s, json_each(s.san) n;
INSERT OR IGNORE INTO signer_term
SELECT 'odd', '', s.key FROM signer s, json_each(s.san) n
WHERE json_extract(n.value, '$.value') GLOB '*[^][A-Za-z0-9._~!$&''()*+,;=:@/?-]*'
   OR substr(json_extract(n.value, '$.value'), 1, instr(json_extract(n.value, '$.value'), ':')) GLOB '*[A-Z]*';
INSERT OR IGNORE INTO signer_term SELECT 'issuer', substr(issuer, 1, 200), key FROM signer WHERE issuer IS NOT NULL;
INSERT OR IGNORE INTO signer_term
SELECT 'repository', substr(lower(e.value), 1, 200), s.key FROM signer s, json_each(s.extensions) e
WHERE e.key = 'source_repository_uri';
INSERT OR IGNORE INTO signer_term
SELECT 'repository', substr('https://github.com/' || lower(e.value), 1, 200), s.key FROM signer s, json_each(s.extensions) e
WHERE e.key = 'github_workflow_repository';
INSERT OR IGNORE INTO signer_term
SELECT 'commit', substr(lower(e.value), 1, 200), s.key FROM signer s, json_each(s.extensions) e
WHERE e.key IN ('source_repository_digest', 'build_signer_digest', 'build_config_digest', 'github_workflow_sha');
INSERT OR IGNORE INTO signer_term SELECT 'key', key_sha256, key FROM signer WHERE key_sha256 IS NOT NULL;
INSERT OR IGNORE INTO signer_term
SELECT 'certificate', certificate_sha256, key FROM signer WHERE certificate_sha256 IS NOT NULL;

-- Time: when a CT log logged the entry, as it states in the leaf; NULL: another log, or an earlier version recorded it.
ALTER TABLE finding ADD COLUMN logged_at INTEGER;

CREATE INDEX finding_signer ON finding (signer) WHERE signer IS NOT NULL;
CREATE INDEX finding_of_digest ON finding (digest) WHERE digest IS NOT NULL;
CREATE INDEX finding_entry ON finding (entry_index) WHERE entry_index IS NOT NULL;
CREATE INDEX finding_ct_leaf ON finding (leaf_hash) WHERE logged_sha256 IS NOT NULL;
CREATE INDEX finding_unreadable ON finding (watch) WHERE verdict = 'unreadable' AND watch IS NOT NULL;

-- What the statements are about that bundles showed: an entry holds only the digest of the whole statement.
CREATE TABLE known_digest (
    digest  TEXT NOT NULL, -- 'algorithm:hex', lower case: of a subject of the statement, or of a file that it lists
    part    TEXT NOT NULL, -- as in `known_payload`
    payload TEXT NOT NULL, -- `known_payload.digest`: what an entry holds
    PRIMARY KEY (digest, part, payload)
) STRICT, WITHOUT ROWID;

-- Of statements that an earlier version recorded, the first subject.
INSERT OR IGNORE INTO known_digest
SELECT lower(CASE WHEN instr(about, ',') > 0 THEN substr(about, 1, instr(about, ',') - 1)
                  WHEN instr(about, ' ') > 0 THEN substr(about, 1, instr(about, ' ') - 1)
                  ELSE about END), part, digest
FROM (SELECT part, digest, substr(statement, instr(statement, ' about ') + 7) AS about
      FROM known_payload WHERE instr(statement, ' about ') > 0);
