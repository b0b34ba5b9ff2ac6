-- Unreadable entries that name a watch are told once a day for each watch and log: what went out within a day is asked for with each
-- of them.
CREATE INDEX alert_closed ON alert (due) WHERE closed = 1;
