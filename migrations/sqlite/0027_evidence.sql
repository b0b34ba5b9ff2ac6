-- What proves the entries of findings to a third party, kept by the pass that found them: logs retire.

-- Leaves. One row for each entry that was found, with the number of one of its findings.
CREATE TABLE kept_leaf (
    finding   INTEGER NOT NULL PRIMARY KEY REFERENCES finding (number), -- one finding of the entry
    before    BLOB    NOT NULL,                                         -- the bytes of the leaf before the signer's certificate; all of it for 'whole'
    form      TEXT    NOT NULL,                                         -- how the certificate is written between them: 'whole' (not at all), 'der', 'base64', 'pem' (base64 of PEM)
    after     BLOB    NOT NULL,                                         -- the bytes after it
    path_size INTEGER,                                                  -- of an entry that was proven alone: the leaves of the tree that `path` is for; NULL: see kept_hashes
    path      BLOB                                                      -- of such an entry: its inclusion proof, 32 bytes a hash, from the leaf up
) STRICT;

-- The hashes of trees that the inclusion proofs of those entries need, in the tiles of C2SP tlog-tiles: only those hashes.
CREATE TABLE kept_hashes (
    number INTEGER NOT NULL PRIMARY KEY, -- internal
    origin TEXT    NOT NULL,             -- the tree
    level  INTEGER NOT NULL,             -- level of the tile: its lowest nodes are the roots of 256^level leaves
    tile   INTEGER NOT NULL,             -- number of the tile within its level
    hashes BLOB    NOT NULL,             -- 34 bytes each, in order: level above the lowest (0 to 7), place within that level of the tile, hash
    UNIQUE (origin, level, tile)
) STRICT;

-- The checkpoints that cover those entries. An entry is proven by the smallest one above it.
CREATE TABLE kept_checkpoint (
    origin       TEXT    NOT NULL, -- the tree
    size         INTEGER NOT NULL, -- tree size in entries
    root         BLOB    NOT NULL, -- root hash, 32 bytes
    note         BLOB    NOT NULL, -- the signed note with its cosignatures, as it was received
    trusted_root BLOB,             -- SHA-256 of the trusted root that was in force; NULL: none was configured
    PRIMARY KEY (origin, size)
) STRICT;

-- Trusted roots that were in force, each once.
CREATE TABLE kept_trusted_root (
    sha256 BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the body
    body   BLOB NOT NULL              -- the document, as it was published
) STRICT;
