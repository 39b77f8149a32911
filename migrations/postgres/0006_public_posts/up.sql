-- What is public on a platform belongs to one post; attempts belong to a round; posts can wait for an account.

ALTER TABLE posts ADD COLUMN round BIGINT NOT NULL DEFAULT 1;              -- counts how often a person queued it
ALTER TABLE posts ADD COLUMN is_held BOOLEAN NOT NULL DEFAULT FALSE;       -- waits for the owner of its account
CREATE INDEX posts_held ON posts (platform) WHERE is_held;

CREATE TABLE public_posts (
    platform         TEXT NOT NULL,
    platform_post_id TEXT NOT NULL,                        -- the platform's id
    post_id          BIGINT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    url              TEXT NOT NULL DEFAULT '',             -- its address on the platform
    found_at         TIMESTAMPTZ NOT NULL,                 -- when it became known that it is public
    -- No two posts have the same id.
    PRIMARY KEY (platform, platform_post_id)
);
CREATE INDEX public_posts_post ON public_posts (post_id, found_at);

-- Where two posts claimed the same id, the first of them keeps it.
INSERT INTO public_posts (platform, platform_post_id, post_id, url, found_at)
SELECT posts.platform, posts.platform_post_id, posts.id, posts.url, posts.published_time
FROM posts
JOIN (SELECT MIN(id) AS id FROM posts WHERE status = 'published' GROUP BY platform, platform_post_id) AS first
    ON first.id = posts.id;

ALTER TABLE deliveries ADD COLUMN round BIGINT NOT NULL DEFAULT 1;         -- the round of the post that it belongs to
ALTER TABLE deliveries ADD COLUMN marker TEXT;             -- where the platform stood before; NULL where it did not say
ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_state_check
    CHECK (state IN ('in_flight', 'published', 'refused', 'not_sent', 'absent', 'unknown', 'also_published'));
-- Those with the same content whose end is not known.
CREATE INDEX deliveries_open ON deliveries (platform, hash) WHERE state IN ('in_flight', 'unknown');
