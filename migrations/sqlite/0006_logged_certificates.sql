-- Certificates in CT logs: they are registered by what they are, not by their leaf, which holds the log's time as well.

-- Of a certificate in a CT log: SHA-256 of its TBSCertificate as the log holds it, hex; NULL: a signing.
ALTER TABLE finding ADD COLUMN logged_sha256 TEXT;
-- What a registration must name to expect this finding; the hashes of `expected_leaf` are of either kind.
ALTER TABLE finding ADD COLUMN registered_as TEXT GENERATED ALWAYS AS (ifnull(logged_sha256, leaf_hash)) VIRTUAL;

DROP INDEX finding_leaf;
-- What a registration is about.
CREATE INDEX finding_registered_as ON finding (registered_as) WHERE registered_as IS NOT NULL;
