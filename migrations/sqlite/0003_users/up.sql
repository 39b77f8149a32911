-- People, their sessions, what happened at the door, and how often something was done.

CREATE TABLE users (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    username          TEXT NOT NULL,                            -- the name to sign in with, as it was given
    username_folded   TEXT NOT NULL UNIQUE,                     -- the same in lower case
    email             TEXT NOT NULL UNIQUE,                     -- the mail address, in lower case
    email_verified_at INTEGER,                                  -- when it was shown that it is theirs
    first_name        TEXT NOT NULL DEFAULT '',
    last_name         TEXT NOT NULL DEFAULT '',
    role              TEXT NOT NULL,
    is_active         INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    is_super_admin    INTEGER NOT NULL DEFAULT 0 CHECK (is_super_admin IN (0, 1)),
    password          TEXT NOT NULL,                            -- a hash; '!' where there is none
    date_joined       INTEGER NOT NULL,
    last_login        INTEGER,
    version           INTEGER NOT NULL DEFAULT 1,               -- counts the changes
    CHECK (role IN ('viewer', 'editor', 'approver', 'admin')),
    CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
    CHECK (length(username) BETWEEN 1 AND 150 AND instr(username, '@') = 0)
) STRICT;

CREATE TABLE sessions (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    hash             BLOB NOT NULL UNIQUE,                      -- the SHA-256 of the token
    user_id          INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at       INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,                          -- when somebody last proved who they are
    last_used_at     INTEGER NOT NULL,
    idle_until       INTEGER NOT NULL,                          -- when it ends if nothing is done
    ends_at          INTEGER NOT NULL,                          -- when it ends whatever is done
    ip               TEXT NOT NULL,
    user_agent       TEXT NOT NULL,
    CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user_id, id);

-- No reference to users: what happened stays, whatever becomes of them.
CREATE TABLE auth_events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    event_type TEXT NOT NULL,
    user_id    INTEGER,                                         -- whom it is about, where that is known
    email      TEXT NOT NULL,                                   -- as it was typed, cut
    actor      TEXT NOT NULL,                                   -- who did it
    ip         TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    request_id TEXT NOT NULL,
    metadata   TEXT NOT NULL CHECK (json_valid(metadata)),
    timestamp  INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_events_of_user ON auth_events (user_id, id);
CREATE INDEX auth_events_of_type ON auth_events (event_type, id);
CREATE TRIGGER auth_events_stay BEFORE UPDATE ON auth_events
BEGIN
    SELECT RAISE(ABORT, 'what happened is not changed');
END;
CREATE TRIGGER auth_events_remain BEFORE DELETE ON auth_events
BEGIN
    SELECT RAISE(ABORT, 'what happened is not removed');
END;

-- REPLACE would remove a row without asking the trigger for it.
CREATE TRIGGER auth_events_are_new BEFORE INSERT ON auth_events
WHEN EXISTS (SELECT 1 FROM auth_events WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'what happened is not replaced');
END;

CREATE TABLE limit_counters (
    key            TEXT NOT NULL PRIMARY KEY,                   -- what is counted, and of whom
    count          INTEGER NOT NULL,
    window_ends_at INTEGER NOT NULL                             -- when it is counted from the start again
) STRICT;
CREATE INDEX limit_counters_by_end ON limit_counters (window_ends_at);
