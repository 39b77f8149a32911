-- The pipeline: who calls, what n8n hands in, what people decide, what Waggle publishes.
-- Times are microseconds since 1970 in UTC; booleans are 0 and 1.

CREATE TABLE api_tokens (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id     TEXT NOT NULL UNIQUE,                    -- the 12 hexadecimal digits by which a token is found
    hash          BLOB NOT NULL,                           -- SHA-256 of the whole token
    name          TEXT NOT NULL,                           -- what it is for
    scopes        TEXT NOT NULL,                           -- names of scopes with commas between them
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,                                 -- when it ends by itself
    revoked_at    INTEGER,                                 -- when it was ended
    last_used_at  INTEGER,                                 -- to the minute
    CHECK (length(public_id) = 12),
    CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE app_settings (
    key         TEXT NOT NULL PRIMARY KEY,                 -- the name of the setting
    value       TEXT,                                      -- empty counts as not set
    description TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    CHECK (length(key) BETWEEN 1 AND 100)
) STRICT;

CREATE TABLE source_tweets (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    tweet_id         TEXT NOT NULL UNIQUE,                 -- X's id
    url              TEXT NOT NULL,
    content          TEXT NOT NULL,
    likes            INTEGER NOT NULL DEFAULT 0,
    retweets         INTEGER NOT NULL DEFAULT 0,
    replies          INTEGER NOT NULL DEFAULT 0,
    quotes           INTEGER NOT NULL DEFAULT 0,
    views            INTEGER NOT NULL DEFAULT 0,
    total_engagement INTEGER NOT NULL DEFAULT 0,           -- likes + retweets + replies + quotes, to sort by
    date             INTEGER NOT NULL,                     -- when it was posted
    date_raw         TEXT NOT NULL,                        -- the same as the workflow wrote it
    status           TEXT NOT NULL DEFAULT 'success', -- what the workflow says of its own success
    tweet_url        TEXT NOT NULL,
    execution_id     TEXT NOT NULL,                        -- the run that brought it first
    source_url       TEXT NOT NULL,                        -- where that run came from
    run_key          TEXT NOT NULL,                        -- by what a repetition of that run is known
    received_from    TEXT NOT NULL,                        -- who handed it in
    unauthenticated  INTEGER NOT NULL,                     -- came without a credential, from a trusted network
    processed_at     INTEGER NOT NULL,                     -- when it was stored
    refreshed_at     INTEGER,                              -- when its numbers were last changed
    is_processed     INTEGER NOT NULL DEFAULT 0, -- a batch was made from it
    lease            TEXT,                                 -- the lease that has it in hand
    leased_until     INTEGER,
    CHECK (length(tweet_id) BETWEEN 1 AND 100),
    CHECK (likes >= 0 AND retweets >= 0 AND replies >= 0 AND quotes >= 0 AND views >= 0),
    CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CHECK (unauthenticated IN (0, 1)),
    CHECK (is_processed IN (0, 1))
) STRICT;
CREATE INDEX source_tweets_date ON source_tweets (date, id);
CREATE INDEX source_tweets_likes ON source_tweets (likes, id);
CREATE INDEX source_tweets_retweets ON source_tweets (retweets, id);
CREATE INDEX source_tweets_views ON source_tweets (views, id);
CREATE INDEX source_tweets_total_engagement ON source_tweets (total_engagement, id);
CREATE INDEX source_tweets_execution ON source_tweets (execution_id, date);
CREATE INDEX source_tweets_status ON source_tweets (status, date);
-- Few are unprocessed; the queue of workflows looks at those alone, oldest first.
CREATE INDEX source_tweets_waiting ON source_tweets (id) WHERE is_processed = 0;
CREATE INDEX source_tweets_processed ON source_tweets (is_processed, date, id);
CREATE INDEX source_tweets_lease ON source_tweets (lease) WHERE lease IS NOT NULL;

CREATE TABLE campaign_batches (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_id              TEXT NOT NULL UNIQUE,            -- the workflow's name, with a suffix where that was taken
    claimed_batch_id      TEXT NOT NULL,                   -- the name that the workflow gave
    analysis_summary      TEXT NOT NULL,
    brand_alignment_score REAL,
    total_tweets          INTEGER NOT NULL,                -- as the workflow counted
    ready_for_deployment  INTEGER NOT NULL,                -- as the workflow counted
    source_type           TEXT NOT NULL DEFAULT 'multi_agent_automation',
    title                 TEXT NOT NULL,
    description           TEXT NOT NULL,
    generated_at          TEXT,                            -- when the workflow says it made the batch
    execution_id          TEXT,                            -- the run whose source tweets it was made from
    status                TEXT NOT NULL DEFAULT 'Draft', -- follows from the states of its tweets
    received_from         TEXT NOT NULL,                   -- who handed it in
    unauthenticated       INTEGER NOT NULL,                -- came without a credential, from a trusted network
    created_at            INTEGER NOT NULL,
    deleted_at            INTEGER,                         -- put away; NULL: not
    version               INTEGER NOT NULL DEFAULT 1,
    CHECK (length(batch_id) BETWEEN 1 AND 100),
    CHECK (status IN ('Draft', 'Reviewed', 'Published')),
    CHECK (total_tweets >= 0 AND ready_for_deployment >= 0),
    CHECK (unauthenticated IN (0, 1)),
    CHECK (json_valid(analysis_summary))
) STRICT;
CREATE INDEX campaign_batches_created ON campaign_batches (created_at, id);
CREATE INDEX campaign_batches_claimed ON campaign_batches (claimed_batch_id);
CREATE INDEX campaign_batches_status ON campaign_batches (status, created_at);
CREATE INDEX campaign_batches_source_type ON campaign_batches (source_type, created_at);
CREATE INDEX campaign_batches_score ON campaign_batches (brand_alignment_score);
CREATE INDEX campaign_batches_deleted ON campaign_batches (created_at, id) WHERE deleted_at IS NOT NULL;

CREATE TABLE campaign_batch_sources (
    campaign_batch_id INTEGER NOT NULL REFERENCES campaign_batches (id) ON DELETE CASCADE,
    source_tweet_id   INTEGER NOT NULL REFERENCES source_tweets (id) ON DELETE CASCADE,
    PRIMARY KEY (campaign_batch_id, source_tweet_id)
) STRICT;
CREATE INDEX campaign_batch_sources_source ON campaign_batch_sources (source_tweet_id);

CREATE TABLE generated_tweets (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_batch_id       INTEGER NOT NULL REFERENCES campaign_batches (id) ON DELETE CASCADE,
    tweet_id                TEXT NOT NULL,                 -- the workflow's name for it
    type                    TEXT NOT NULL,                 -- of the workflow's own list
    content                 TEXT NOT NULL,
    character_count         INTEGER NOT NULL,              -- as X counts
    claimed_character_count INTEGER,                       -- as the workflow counted
    engagement_hook         TEXT NOT NULL,
    coophive_elements       TEXT NOT NULL,
    discord_voice_patterns  TEXT NOT NULL,
    theme_connection        TEXT NOT NULL,
    ready_for_deployment    INTEGER NOT NULL,              -- X would take it, and the workflow did not object
    claimed_ready           INTEGER,                       -- what the workflow said
    fingerprint             TEXT NOT NULL,                 -- SHA-256 of what was handed in, to know it again
    status                  TEXT NOT NULL DEFAULT 'Brand Aligned',
    is_edited               INTEGER NOT NULL DEFAULT 0,
    approved_by             TEXT,
    approved_at             INTEGER,
    approved_hash           TEXT,                          -- SHA-256 of exactly what may go out
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    published_at            INTEGER,
    x_com_post_id           TEXT,                          -- the platform's id; 'sandbox-...' never was on X
    version                 INTEGER NOT NULL DEFAULT 1,
    UNIQUE (campaign_batch_id, tweet_id),
    CHECK (length(tweet_id) BETWEEN 1 AND 200),
    CHECK (status IN ('Brand Aligned', 'Draft', 'Approved', 'Posted', 'Rejected', 'Deleted')),
    -- What is approved says by whom, when, and what exactly.
    CHECK (status <> 'Approved' OR (approved_by IS NOT NULL AND approved_at IS NOT NULL AND approved_hash IS NOT NULL)),
    -- What is posted says when, and under which id.
    CHECK (status <> 'Posted' OR (published_at IS NOT NULL AND x_com_post_id IS NOT NULL)),
    CHECK (ready_for_deployment IN (0, 1)),
    CHECK (claimed_ready IN (0, 1)),
    CHECK (is_edited IN (0, 1)),
    CHECK (json_valid(coophive_elements)),
    CHECK (json_valid(discord_voice_patterns))
) STRICT;
CREATE INDEX generated_tweets_batch ON generated_tweets (campaign_batch_id, status);
CREATE INDEX generated_tweets_created ON generated_tweets (created_at, id);
CREATE INDEX generated_tweets_status ON generated_tweets (status, created_at, id);
CREATE INDEX generated_tweets_type ON generated_tweets (type, created_at, id);
CREATE INDEX generated_tweets_ready ON generated_tweets (ready_for_deployment, created_at, id);
CREATE INDEX generated_tweets_edited ON generated_tweets (is_edited, created_at, id);

CREATE TABLE generated_tweet_history (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    generated_tweet_id INTEGER NOT NULL REFERENCES generated_tweets (id) ON DELETE CASCADE,
    action             TEXT NOT NULL,
    actor              TEXT NOT NULL,                      -- 'system', 'token:3:n8n', 'network:10.0.0.7'
    at                 INTEGER NOT NULL,
    from_status        TEXT NOT NULL,
    to_status          TEXT NOT NULL,
    content_before     TEXT,                               -- where the words were changed
    content_after      TEXT,
    note               TEXT,
    CHECK (action IN ('edit', 'approve', 'reject', 'delete', 'restore', 'publish', 'queue', 'cancel'))
) STRICT;
CREATE INDEX generated_tweet_history_tweet ON generated_tweet_history (generated_tweet_id, id);

CREATE TABLE posts (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    platform         TEXT NOT NULL,
    content          TEXT NOT NULL,
    status           TEXT NOT NULL,
    scheduled_time   INTEGER,                              -- when it was meant to go out
    published_time   INTEGER,
    platform_post_id TEXT NOT NULL DEFAULT '',             -- the platform's id, once it is public
    url              TEXT NOT NULL DEFAULT '',             -- its address on the platform
    likes            INTEGER NOT NULL DEFAULT 0,
    shares           INTEGER NOT NULL DEFAULT 0,
    comments         INTEGER NOT NULL DEFAULT 0,
    views            INTEGER NOT NULL DEFAULT 0,
    hashtags         TEXT NOT NULL,
    mentions         TEXT NOT NULL,
    media_urls       TEXT NOT NULL,
    approved_by      TEXT NOT NULL,
    approved_at      INTEGER NOT NULL,
    approved_hash    TEXT NOT NULL,                        -- SHA-256 of exactly what may go out
    due_at           INTEGER,                              -- when a worker looks at it next: its time, or the end of a lease
    fence            INTEGER NOT NULL DEFAULT 0,           -- counts the hands that had it
    attempts         INTEGER NOT NULL DEFAULT 0,           -- counts the deliveries that were begun
    last_error       TEXT,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    version          INTEGER NOT NULL DEFAULT 1,
    CHECK (platform IN ('x', 'linkedin', 'farcaster', 'bluesky', 'sandbox')),
    CHECK (status IN ('scheduled', 'publishing', 'published', 'failed', 'unknown', 'missed', 'cancelled')),
    CHECK ((status IN ('scheduled', 'publishing')) = (due_at IS NOT NULL)),
    -- What is published is public: it has the platform's id.
    CHECK (status <> 'published' OR (platform_post_id <> '' AND published_time IS NOT NULL)),
    CHECK (json_valid(hashtags)),
    CHECK (json_valid(mentions)),
    CHECK (json_valid(media_urls))
) STRICT;
-- The queue: the same size however many posts went out.
CREATE INDEX posts_due ON posts (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX posts_created ON posts (created_at, id);
CREATE INDEX posts_status ON posts (status, created_at, id);
CREATE INDEX posts_platform ON posts (platform, created_at, id);

CREATE TABLE twitter_posts (
    post_id               INTEGER NOT NULL PRIMARY KEY REFERENCES posts (id) ON DELETE CASCADE,
    reply_to_tweet_id     TEXT NOT NULL DEFAULT '',
    quoted_tweet_id       TEXT NOT NULL DEFAULT '',
    is_thread             INTEGER NOT NULL DEFAULT 0,
    thread_position       INTEGER NOT NULL DEFAULT 0,
    retweets              INTEGER NOT NULL DEFAULT 0,
    quote_tweets          INTEGER NOT NULL DEFAULT 0,
    bookmarks             INTEGER NOT NULL DEFAULT 0,
    impressions           INTEGER NOT NULL DEFAULT 0,
    generated_tweet_id    INTEGER UNIQUE REFERENCES generated_tweets (id) ON DELETE SET NULL,
    campaign_batch_id     INTEGER REFERENCES campaign_batches (id) ON DELETE SET NULL,
    brand_alignment_score REAL,
    audience_target       TEXT,
    coophive_elements     TEXT,
    CHECK (is_thread IN (0, 1)),
    CHECK (json_valid(coophive_elements))
) STRICT;
CREATE INDEX twitter_posts_batch ON twitter_posts (campaign_batch_id);

CREATE TABLE deliveries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    post_id          INTEGER NOT NULL REFERENCES posts (id),
    attempt          INTEGER NOT NULL,                     -- from 1
    state            TEXT NOT NULL,
    platform         TEXT NOT NULL,
    key              TEXT NOT NULL,                        -- what tells this post from all others on the platform
    request          TEXT NOT NULL,                        -- exactly what is sent, without credentials
    hash             TEXT NOT NULL,                        -- SHA-256 of the publication in it
    started_at       INTEGER NOT NULL,                     -- written before anything is sent
    settled_at       INTEGER,
    platform_post_id TEXT,
    error            TEXT,
    looks            INTEGER NOT NULL DEFAULT 0,           -- how often it was looked for
    absences         INTEGER NOT NULL DEFAULT 0,           -- how often it was not there
    UNIQUE (post_id, attempt),
    CHECK (state IN ('in_flight', 'published', 'refused', 'not_sent', 'absent', 'unknown')),
    CHECK ((state = 'in_flight') = (settled_at IS NULL)),
    CHECK (json_valid(request))
) STRICT;
-- Once: no second delivery can be begun while one may have reached the platform.
CREATE UNIQUE INDEX deliveries_once ON deliveries (post_id) WHERE state IN ('in_flight', 'unknown', 'published');
