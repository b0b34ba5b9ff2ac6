-- A rollback takes time, not only passes: three passes within a second say no more about a lagging replica than one.

-- Time: end of the first of the passes in a row that `behind_passes` counts; NULL: there is none, or it is not known.
ALTER TABLE log ADD COLUMN behind_since INTEGER;
