-- Rekor v1 counts its entries over all trees of a log. Positions, frontiers and coverage go on counting within a tree;
-- `finding.entry_index` is what people see and counts over all trees.
ALTER TABLE log ADD COLUMN base INTEGER NOT NULL DEFAULT 0; -- entries of the log before this tree's first one; 0 for logs of one tree
