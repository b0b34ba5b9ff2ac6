-- Signings that are logged again, what is odd about a signing, and holds that a wrong clock began.

-- Of a signing: SHA-256 of its signature, hex; of an ECDSA signature of that one of (r, s) and (r, n - s) which comes first.
-- NULL: its entry does not hold the signature, or an earlier version recorded it.
ALTER TABLE finding ADD COLUMN signature_sha256 TEXT;
-- Of a signing with a certificate whose signature is known: SHA-256 of the TBSCertificate, hex.
ALTER TABLE finding ADD COLUMN tbs_sha256 TEXT;
-- What is odd about it: JSON array of phrases; NULL: an earlier version recorded it, and only its summary says so.
ALTER TABLE finding ADD COLUMN anomalies TEXT;
-- Time: from when its hold counts, where `first_seen` lay ahead of now; NULL: from `first_seen`.
ALTER TABLE finding ADD COLUMN held_from INTEGER;

-- Which findings are of one signing.
CREATE INDEX finding_signature ON finding (signature_sha256) WHERE signature_sha256 IS NOT NULL;
-- Where the signature is not known: whether the digest was seen before.
CREATE INDEX finding_digest ON finding (digest) WHERE signature_sha256 IS NULL AND digest IS NOT NULL;

-- What any entry of a declared signing holds, whoever logs it. Of a registration of an earlier version there is nothing here
-- until an entry is seen that its hashes in `expected_leaf` belong to.
CREATE TABLE expected_signing (
    signature_sha256   TEXT    NOT NULL,                                 -- as in `finding`
    part               TEXT    NOT NULL,                                 -- what the digest is of: 'message' in kinds of entries that hold the signed bytes' digest, 'payload' in those that hold that of an envelope's payload
    digest             TEXT    NOT NULL,                                 -- what entries of such kinds hold, 'algorithm:hex'
    certificate_sha256 TEXT    NOT NULL,                                 -- hex; SHA-256 of the DER certificate
    tbs_sha256         TEXT    NOT NULL,                                 -- hex; SHA-256 of its TBSCertificate
    expectation        INTEGER NOT NULL REFERENCES expectation (number), -- the registration
    PRIMARY KEY (signature_sha256, part, digest, expectation)
) STRICT, WITHOUT ROWID;

CREATE INDEX expected_signing_expectation ON expected_signing (expectation);

-- 1: the bundle names an entry that is this leaf, or none at all, or an earlier version recorded it and it was not seen since;
-- 0: a form that others may give to the same signing.
ALTER TABLE expected_leaf ADD COLUMN named INTEGER NOT NULL DEFAULT 1;
