-- Second factors: authenticator apps, passkeys, recovery codes. And who has a password that is compared slowly.

ALTER TABLE users ADD COLUMN has_second_factor INTEGER NOT NULL DEFAULT 0 CHECK (has_second_factor IN (0, 1));
-- Whether the session opens nothing before the second factor was shown.
ALTER TABLE sessions ADD COLUMN is_pending INTEGER NOT NULL DEFAULT 0 CHECK (is_pending IN (0, 1));

CREATE INDEX users_imported ON users (id) WHERE password LIKE 'pbkdf2_sha256$%';

CREATE TABLE totp_apps (
    user_id      INTEGER NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    key          TEXT NOT NULL,                                   -- the server's key that the secret is sealed with
    secret       BLOB NOT NULL,                                   -- sealed
    is_confirmed INTEGER NOT NULL DEFAULT 0 CHECK (is_confirmed IN (0, 1)), -- whether it was shown that the app has the secret
    last_step    INTEGER NOT NULL DEFAULT 0,                      -- of 30 seconds each since 1970; codes up to it are used up
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE recovery_codes (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash    BLOB NOT NULL,                                        -- the SHA-256 of the code
    PRIMARY KEY (user_id, hash),
    CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE passkeys (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,                                  -- what the user calls it
    credential_id BLOB NOT NULL UNIQUE,                           -- the id that the authenticator gave it
    public_key    BLOB NOT NULL,                                  -- and all that never changes
    state         BLOB NOT NULL,                                  -- what changes with each use
    created_at    INTEGER NOT NULL,
    last_used_at  INTEGER,
    CHECK (length(credential_id) BETWEEN 1 AND 1023)
) STRICT;
CREATE INDEX passkeys_of_user ON passkeys (user_id, id);

-- What an authenticator was asked, one of each purpose in a session.
CREATE TABLE passkey_challenges (
    session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    purpose    TEXT NOT NULL,
    state      BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, purpose),
    CHECK (purpose IN ('register', 'prove'))
) STRICT;
