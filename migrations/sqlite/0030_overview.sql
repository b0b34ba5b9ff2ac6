-- Numbers for metrics, each from an index instead of a table that grows.

-- How many findings are open, by verdict and severity.
CREATE INDEX finding_open_kind ON finding (verdict, severity) WHERE state IN ('open', 'disputed');
-- When a channel accepted an alert last.
CREATE INDEX alert_delivered ON alert (channel, delivered) WHERE state = 'delivered';
