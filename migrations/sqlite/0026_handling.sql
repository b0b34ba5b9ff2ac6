-- What people do with findings: who did it, and what it was.

-- Who did it: a person's name as the command was given it; NULL: the program, or an earlier version recorded it.
ALTER TABLE history ADD COLUMN author TEXT;
-- What was done: 'seen' (the first row), 'change' (by the program), 'ack', 'reopen', 'note' (by a person).
ALTER TABLE history ADD COLUMN action TEXT NOT NULL DEFAULT 'change';

UPDATE history SET action = 'seen' WHERE reason = 'first seen' AND state <> 'acked';
-- The program itself changes acknowledged findings with these two reasons alone.
UPDATE history SET action = 'ack'
WHERE state = 'acked' AND reason NOT IN ('judged again by another trusted root', 'the log served its entry again');
