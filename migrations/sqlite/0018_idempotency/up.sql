-- Calls that were made with an Idempotency-Key, and their answers.

CREATE TABLE idempotency_keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    caller       TEXT NOT NULL,                                   -- who made the call: user:3
    key          TEXT NOT NULL,
    fingerprint  BLOB NOT NULL,                                   -- a keyed hash of the call
    status       INTEGER NOT NULL,                                -- of the answer
    content_type TEXT NOT NULL,
    answer       BLOB,                                            -- none if it has a secret
    created_at   INTEGER NOT NULL,
    UNIQUE (caller, key),
    CHECK (length(fingerprint) = 32)
) STRICT;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
