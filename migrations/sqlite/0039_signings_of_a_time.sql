-- The signings of a time are found without reading all signings.

-- Who signed in a time; NULL: no certificate shows it.
CREATE INDEX signer_not_before ON signer (not_before);
-- Signings of which no trusted certificate shows the time.
CREATE INDEX finding_without_time ON finding (number)
    WHERE chain IS NOT 'trusted' AND watch IS NOT NULL AND leaf_hash IS NOT NULL AND health = 0 AND fault IS NULL;
