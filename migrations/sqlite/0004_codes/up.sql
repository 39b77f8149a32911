-- Codes that are mailed, mails that wait, Google accounts, and whose an API token is.

CREATE TABLE verification_codes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    purpose    TEXT NOT NULL,
    address    TEXT NOT NULL,                                   -- to which it was mailed
    flow       BLOB NOT NULL UNIQUE,                            -- the SHA-256 of what has to be shown with the code
    key        TEXT NOT NULL,                                   -- the server's key that the code was hashed with
    code       BLOB NOT NULL,                                   -- the keyed hash of the code
    link       BLOB NOT NULL UNIQUE,                            -- the SHA-256 of the link's token
    intent     TEXT NOT NULL,                                   -- what becomes true when it is used
    user_id    INTEGER REFERENCES users (id) ON DELETE CASCADE, -- whom it is about, where there is one already
    details    TEXT NOT NULL CHECK (json_valid(details)),       -- what else the intent needs; a password as its hash
    asked_by   INTEGER NOT NULL,                                -- the user who wants the address for himself; 0 for all others
    tries      INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    UNIQUE (purpose, address, asked_by),
    CHECK (purpose IN ('EMAIL_VERIFICATION', 'PASSWORD_RESET', 'GOOGLE_VERIFICATION')),
    CHECK (intent IN ('nothing', 'register', 'reset_password', 'change_address', 'link_google', 'register_google')),
    CHECK (length(flow) = 32 AND length(code) = 32 AND length(link) = 32)
) STRICT;
CREATE INDEX verification_codes_of_user ON verification_codes (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX verification_codes_of_address ON verification_codes (address);
CREATE INDEX verification_codes_by_end ON verification_codes (expires_at);

CREATE TABLE mails (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient  TEXT NOT NULL,
    letter     TEXT NOT NULL,                                   -- which letter it is
    data       TEXT NOT NULL CHECK (json_valid(data)),          -- what the letter says besides
    proof_key  TEXT,                                            -- the server's key that the proof is sealed with
    proof      BLOB,                                            -- a code and a link, sealed
    created_at INTEGER NOT NULL,
    useless_at INTEGER NOT NULL,                                -- when it need not go out any more
    due_at     INTEGER,                                         -- when it is tried next; none when it was given up
    tries      INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    CHECK ((proof_key IS NULL) = (proof IS NULL))
) STRICT;
CREATE INDEX mails_due ON mails (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX mails_given_up ON mails (useless_at) WHERE due_at IS NULL;

CREATE TABLE google_accounts (
    issuer    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    user_id   INTEGER NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    linked_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT;

-- Those who are at Google and have not come back.
CREATE TABLE google_sign_ins (
    hash       BLOB NOT NULL PRIMARY KEY,                         -- the SHA-256 of what the browser keeps
    return_to  TEXT NOT NULL,                                   -- where they wanted to go
    expires_at INTEGER NOT NULL,
    CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX google_sign_ins_by_end ON google_sign_ins (expires_at);

-- None where the operator made the token.
ALTER TABLE api_tokens ADD COLUMN user_id INTEGER REFERENCES users (id) ON DELETE CASCADE;
CREATE INDEX api_tokens_of_user ON api_tokens (user_id) WHERE user_id IS NOT NULL;

-- Those who have the right are few among many.
CREATE INDEX users_super_admin ON users (id) WHERE is_super_admin = 1;
