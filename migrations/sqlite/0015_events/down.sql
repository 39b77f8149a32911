DROP TABLE event_heads;
DROP TABLE event_chain;
DROP TABLE event_details;
DROP TABLE events;
DROP TABLE new_events;
CREATE TABLE generated_tweet_history (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    generated_tweet_id INTEGER NOT NULL REFERENCES generated_tweets (id) ON DELETE CASCADE,
    action             TEXT NOT NULL,
    actor              TEXT NOT NULL,
    at                 INTEGER NOT NULL,
    from_status        TEXT NOT NULL,
    to_status          TEXT NOT NULL,
    content_before     TEXT,
    content_after      TEXT,
    note               TEXT,
    CHECK (action IN ('edit', 'approve', 'reject', 'delete', 'restore', 'publish', 'queue', 'cancel'))
) STRICT;
CREATE INDEX generated_tweet_history_tweet ON generated_tweet_history (generated_tweet_id, id);
