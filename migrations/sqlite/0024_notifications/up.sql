-- What people are told of matters that need them, until a matter is settled.
ALTER TABLE users ADD COLUMN time_zone TEXT;               -- its name in the IANA database

CREATE TABLE notifications (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    object_id   TEXT NOT NULL,                             -- of the object among those of its kind
    batch_id    INTEGER,                                   -- the batch that it is about, or that its tweet belongs to
    summary     TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    read_at     INTEGER,
    mail_due_at INTEGER,                                   -- none if it was mailed, or is not to be mailed
    UNIQUE (user_id, kind, object_id)
) STRICT;
CREATE INDEX notifications_of_user ON notifications (user_id, id);
CREATE INDEX notifications_unread ON notifications (user_id, id) WHERE read_at IS NULL;
CREATE INDEX notifications_of_object ON notifications (kind, object_id);
CREATE INDEX notifications_of_batch ON notifications (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX notifications_due ON notifications (mail_due_at, user_id) WHERE mail_due_at IS NOT NULL;

CREATE TABLE notification_choices (
    user_id     INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    digest_hour INTEGER NOT NULL CHECK (digest_hour BETWEEN 0 AND 23),
    deliveries  TEXT NOT NULL CHECK (json_valid(deliveries)),  -- by kind, what differs from the defaults
    mailed_at   INTEGER                                    -- when an email with notifications was last queued
) STRICT;

CREATE TABLE notification_position (
    id       INTEGER PRIMARY KEY CHECK (id = 1),           -- there is one row
    position INTEGER NOT NULL                              -- of the last event that was considered
) STRICT;
INSERT INTO notification_position (id, position) SELECT 1, position FROM event_chain;

-- Source tweets whose last lease expired.
CREATE INDEX source_tweets_lapsed ON source_tweets (is_processed)
    WHERE lapsed_at IS NOT NULL AND lease IS NOT NULL;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('source_tweets', 'source_tweets_lapsed', '1000 500');
-- Loads it.
ANALYZE sqlite_schema;
