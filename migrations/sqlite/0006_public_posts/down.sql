CREATE TABLE old_deliveries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    post_id          INTEGER NOT NULL REFERENCES posts (id),
    attempt          INTEGER NOT NULL,
    state            TEXT NOT NULL,
    platform         TEXT NOT NULL,
    key              TEXT NOT NULL,
    request          TEXT NOT NULL,
    hash             TEXT NOT NULL,
    started_at       INTEGER NOT NULL,
    settled_at       INTEGER,
    platform_post_id TEXT,
    error            TEXT,
    looks            INTEGER NOT NULL DEFAULT 0,
    absences         INTEGER NOT NULL DEFAULT 0,
    channel          TEXT NOT NULL DEFAULT '',
    UNIQUE (post_id, attempt),
    CHECK (state IN ('in_flight', 'published', 'refused', 'not_sent', 'absent', 'unknown')),
    CHECK ((state = 'in_flight') = (settled_at IS NULL)),
    CHECK (json_valid(request))
) STRICT;
-- The older schema has no name for what is public besides: it keeps that as an attempt that was not there.
INSERT INTO old_deliveries (id, post_id, attempt, state, platform, key, request, hash, started_at, settled_at,
    platform_post_id, error, looks, absences, channel)
SELECT id, post_id, attempt, CASE state WHEN 'also_published' THEN 'absent' ELSE state END, platform, key, request, hash,
    started_at, settled_at, platform_post_id, error, looks, absences, channel
FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE old_deliveries RENAME TO deliveries;
CREATE UNIQUE INDEX deliveries_once ON deliveries (post_id) WHERE state IN ('in_flight', 'unknown', 'published');

DROP TABLE public_posts;
DROP INDEX posts_held;
ALTER TABLE posts DROP COLUMN is_held;
ALTER TABLE posts DROP COLUMN round;
