-- The link that makes the first admin.
CREATE TABLE setup_link (
    id         BIGINT PRIMARY KEY CHECK (id = 1),          -- there is at most one row
    token_hash BYTEA NOT NULL CHECK (octet_length(token_hash) = 32),
    expires_at TIMESTAMPTZ NOT NULL
);
