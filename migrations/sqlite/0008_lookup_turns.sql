-- Turns in the queue of look-ups: what failed, and what is too long for one turn, comes after what waits for its first.
--
-- A certificate is known by its key and the start of its validity from here on, 'HEX' or 'HEX@SECONDS' in the columns `key` of
-- `sought`, `sought_name`, `sought_finding` and `known_entry`: a signer may use one key for many certificates.

-- Time: when it is asked for again, although it has been due since `due`; NULL: it waits for its turn.
ALTER TABLE lookup ADD COLUMN retry INTEGER;
-- How often in a row it failed.
ALTER TABLE lookup ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
-- What kind of error it failed with the last time, as `log.error_kind`; NULL: the last time it was answered.
ALTER TABLE lookup ADD COLUMN error_kind TEXT;
-- The same in words.
ALTER TABLE lookup ADD COLUMN error_message TEXT;

-- What the end of the search has added to the sentences of the certificate's findings; NULL: the search goes on.
ALTER TABLE sought ADD COLUMN said TEXT;

-- Which certificates ended lately.
CREATE INDEX sought_not_after ON sought (log, not_after);
