-- What a person does first with a finding is one row of its history.

-- Of a row that a person caused and before which there was none: the state of the finding until then. Its first row, 'seen', is not
-- stored: it has this state, the verdict and severity of this row, which people do not change, and the time `finding.first_seen`.
-- NULL: another row.
ALTER TABLE history ADD COLUMN began TEXT;
