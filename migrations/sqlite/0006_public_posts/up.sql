-- What is public on a platform belongs to one post; attempts belong to a round; posts can wait for an account.

ALTER TABLE posts ADD COLUMN round INTEGER NOT NULL DEFAULT 1;             -- counts how often a person queued it
ALTER TABLE posts ADD COLUMN is_held INTEGER NOT NULL DEFAULT 0            -- waits for the owner of its account
    CHECK (is_held IN (0, 1));
CREATE INDEX posts_held ON posts (platform) WHERE is_held = 1;

CREATE TABLE public_posts (
    platform         TEXT NOT NULL,
    platform_post_id TEXT NOT NULL,                        -- the platform's id
    post_id          INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    url              TEXT NOT NULL DEFAULT '',             -- its address on the platform
    found_at         INTEGER NOT NULL,                     -- when it became known that it is public
    -- No two posts have the same id.
    PRIMARY KEY (platform, platform_post_id)
) STRICT;
CREATE INDEX public_posts_post ON public_posts (post_id, found_at);

-- Where two posts claimed the same id, the first of them keeps it.
INSERT INTO public_posts (platform, platform_post_id, post_id, url, found_at)
SELECT posts.platform, posts.platform_post_id, posts.id, posts.url, posts.published_time
FROM posts
JOIN (SELECT MIN(id) AS id FROM posts WHERE status = 'published' GROUP BY platform, platform_post_id) AS first
    ON first.id = posts.id;

-- Rebuilt for the new state. No other table refers to it.
CREATE TABLE new_deliveries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    post_id          INTEGER NOT NULL REFERENCES posts (id),
    attempt          INTEGER NOT NULL,                     -- from 1
    round            INTEGER NOT NULL DEFAULT 1,           -- the round of the post that it belongs to
    state            TEXT NOT NULL,
    platform         TEXT NOT NULL,
    channel          TEXT NOT NULL DEFAULT '',             -- the account that it was sent with; empty where it is not known
    key              TEXT NOT NULL,                        -- what tells this post from all others on the platform
    request          TEXT NOT NULL,                        -- exactly what is sent, without credentials
    hash             TEXT NOT NULL,                        -- SHA-256 of the publication in it
    marker           TEXT,                                 -- where the platform stood before; NULL where it did not say
    started_at       INTEGER NOT NULL,                     -- written before anything is sent
    settled_at       INTEGER,
    platform_post_id TEXT,
    error            TEXT,
    looks            INTEGER NOT NULL DEFAULT 0,           -- how often it was looked for
    absences         INTEGER NOT NULL DEFAULT 0,           -- how often it was not there
    UNIQUE (post_id, attempt),
    CHECK (state IN ('in_flight', 'published', 'refused', 'not_sent', 'absent', 'unknown', 'also_published')),
    CHECK ((state = 'in_flight') = (settled_at IS NULL)),
    CHECK (json_valid(request))
) STRICT;
INSERT INTO new_deliveries (id, post_id, attempt, state, platform, channel, key, request, hash, started_at, settled_at,
    platform_post_id, error, looks, absences)
SELECT id, post_id, attempt, state, platform, channel, key, request, hash, started_at, settled_at,
    platform_post_id, error, looks, absences
FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE new_deliveries RENAME TO deliveries;
-- Once: no second delivery can be begun while one may have reached the platform.
CREATE UNIQUE INDEX deliveries_once ON deliveries (post_id) WHERE state IN ('in_flight', 'unknown', 'published');
-- Those with the same content whose end is not known.
CREATE INDEX deliveries_open ON deliveries (platform, hash) WHERE state IN ('in_flight', 'unknown');
