-- Lists and counts of what is open or held, beside any number of findings that were acknowledged: they stay unresolved, and
-- would be looked at one by one in an index of all that is.
DROP INDEX finding_list_unresolved;
CREATE INDEX finding_list_open ON finding (list_log, list_index, list_watch, id) WHERE state IN ('open', 'disputed');
DROP INDEX finding_held;
CREATE INDEX finding_held ON finding (list_log, list_index, list_watch, id) WHERE state = 'held';

-- Open findings about the health of one log, which each pass over it looks up.
CREATE INDEX finding_unhealthy ON finding (origin) WHERE health = 1 AND state IN ('open', 'disputed');
