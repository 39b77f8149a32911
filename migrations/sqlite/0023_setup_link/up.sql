-- The link that makes the first admin.
CREATE TABLE setup_link (
    id         INTEGER PRIMARY KEY CHECK (id = 1),         -- there is at most one row
    token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
    expires_at INTEGER NOT NULL
) STRICT;
