-- The order of look-ups: every name has its turn, whatever waits under the others.
--
-- A certificate is known by the SHA-256 of its TBSCertificate as CT logs hold it, hex, in the columns `key` of `sought`,
-- `sought_name`, `sought_finding` and `known_entry`. A bare key, and a certificate that cannot be put into that form, is known
-- by what `alike` holds.

-- Turns that look-ups have had so far. It only grows, so that no clock decides about the order.
ALTER TABLE guided ADD COLUMN turns INTEGER NOT NULL DEFAULT 0;

-- `guided.turns` after its last turn; NULL: it had none.
ALTER TABLE lookup ADD COLUMN turn INTEGER;
-- `guided.turns` when its newest certificate came. Without a turn since then it comes before the others.
ALTER TABLE lookup ADD COLUMN news INTEGER NOT NULL DEFAULT 0;
-- Entries that the index named in the last answer and that are not read.
ALTER TABLE lookup ADD COLUMN unread INTEGER NOT NULL DEFAULT 0;
-- Where among these its next turn goes on, counted from the first.
ALTER TABLE lookup ADD COLUMN position INTEGER NOT NULL DEFAULT 0;

-- What other certificates may have in common with it: 'HEX@SECONDS', its key and the start of its validity; 'HEX' for a bare key.
ALTER TABLE sought ADD COLUMN alike TEXT NOT NULL DEFAULT '';
-- The same of the signer.
ALTER TABLE known_entry ADD COLUMN alike TEXT NOT NULL DEFAULT '';
CREATE INDEX known_entry_alike ON known_entry (log, alike) WHERE alike <> '';

-- The CT logs whose certificates are looked up in a guided log.
CREATE TABLE guided_by (
    log     TEXT    NOT NULL, -- the guided log
    guide   TEXT    NOT NULL, -- the CT log's name in the configuration
    pending INTEGER NOT NULL, -- 1: it was named later than the others, and what it showed before is not looked up yet
    PRIMARY KEY (log, guide)
) STRICT, WITHOUT ROWID;

-- What was known by key and start alone is taken up anew, unless its search is over.
DELETE FROM known_entry WHERE own = 0 OR key <> '';
DELETE FROM sought_finding WHERE EXISTS (
    SELECT 1 FROM sought s WHERE s.log = sought_finding.log AND s.key = sought_finding.key AND s.state = 'open');
DELETE FROM sought_name WHERE EXISTS (
    SELECT 1 FROM sought s WHERE s.log = sought_name.log AND s.key = sought_name.key AND s.state = 'open');
DELETE FROM sought WHERE state = 'open';
UPDATE guided SET cursor = 0;
