-- Quiet hours of channels, and acknowledgements that are passed on to services.

-- Time: when the alert was due before the quiet hours of its channel delayed it; `due` is their end then. NULL: not delayed.
ALTER TABLE alert ADD COLUMN delayed INTEGER;

-- The delayed ones of a channel: due again if its quiet hours change.
CREATE INDEX alert_delayed ON alert (channel, due) WHERE state = 'pending' AND delayed IS NOT NULL;
-- An alert is acknowledged once. The kind is 'acknowledged', and `key` the id of the alert.
CREATE UNIQUE INDEX alert_acknowledgement ON alert (key) WHERE kind = 'acknowledged';
