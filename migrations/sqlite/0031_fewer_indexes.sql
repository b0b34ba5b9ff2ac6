-- The index of findings whose statement is unknown had the same values as `finding_of_digest`, which has been there since, and
-- was as large. Digests are random: each batch of a flood changed most of its pages.
DROP INDEX finding_unknown_payload;
