-- The values of signers in the order in which the signers were recorded, so that a look-up stops when it has found as many signings
-- as it shows. A new row is behind the others with its value; a hash put it anywhere among them, which cost more with each signer.
CREATE TABLE signer_term_by_time (
    kind     TEXT NOT NULL,    -- 'name', 'issuer', 'repository', 'commit', 'key', 'certificate'; 'odd': the version that recorded the signer stored a name that readers write in several ways
    value    TEXT NOT NULL,    -- in ASCII lower case, the issuer as it is; its first 200 characters; hashes in hex; '' for 'odd'
    recorded INTEGER NOT NULL, -- the row number of the signer when it was recorded: a later signer has a larger one
    signer   BLOB NOT NULL,    -- the signer, as in `signer.key`; no reference, so that nothing is looked up here when a signer is written
    PRIMARY KEY (kind, value, recorded, signer)
) STRICT, WITHOUT ROWID;

INSERT INTO signer_term_by_time (kind, value, recorded, signer)
SELECT t.kind, t.value, ifnull(s.rowid, 0) AS recorded, t.signer
FROM signer_term t LEFT JOIN signer s ON s.key = t.signer
ORDER BY t.kind, t.value, recorded, t.signer;

DROP TABLE signer_term;
ALTER TABLE signer_term_by_time RENAME TO signer_term;
