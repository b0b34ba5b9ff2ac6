-- SQLite checks at the end of a transaction, no longer of a statement, that the signer of a finding exists. A statement that may
-- fail keeps a copy of each page that it changes, in memory: for a row of `finding`, of a page of each index of hashes. That was
-- a sixth of what a finding costs. ALTER TABLE cannot change a reference; what is stored of the table does not change
-- (https://www.sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, 'REFERENCES signer (key)', 'REFERENCES signer (key) DEFERRABLE INITIALLY DEFERRED')
WHERE type = 'table' AND name = 'finding';
-- Reads the schema again, for this connection. Others open the database after the migrations.
PRAGMA writable_schema = RESET;
