-- What SQLite's planner shall assume. Without statistics, it assumes that each value of an indexed column is in ten rows,
-- and so looks for a tweet by its id among all tweets that are not processed. These are the figures of a database of the
-- size that Waggle is measured with: the number of rows, and of the rows with the same first column, the same first two
-- columns, and so on. Plans do not change while the database grows.

-- With `is_processed = 0`, the planner prefers the index of all tweets by `is_processed`, which it then sorts.
DROP INDEX source_tweets_waiting;
CREATE INDEX source_tweets_waiting ON source_tweets (id) WHERE NOT is_processed;

-- Replaces the statistics of an earlier ANALYZE. This creates an empty table, and nothing else.
DROP TABLE IF EXISTS sqlite_stat4;
DROP TABLE IF EXISTS sqlite_stat1;
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('source_tweets', 'sqlite_autoindex_source_tweets_1', '1000000 1'),
    ('source_tweets', 'source_tweets_date', '1000000 2 1'),
    ('source_tweets', 'source_tweets_likes', '1000000 4096 2 1'),
    ('source_tweets', 'source_tweets_retweets', '1000000 4096 2 1'),
    ('source_tweets', 'source_tweets_views', '1000000 4096 2 1'),
    ('source_tweets', 'source_tweets_total_engagement', '1000000 4096 2 1'),
    ('source_tweets', 'source_tweets_execution', '1000000 100 2 1'),
    ('source_tweets', 'source_tweets_status', '1000000 500000 2 1'),
    ('source_tweets', 'source_tweets_processed', '1000000 500000 2 1'),
    ('source_tweets', 'source_tweets_waiting', '100000 1'),
    ('source_tweets', 'source_tweets_lease', '100000 50'),
    ('source_tweets', 'source_tweets_leased', '100000 50'),
    ('generated_tweets', 'sqlite_autoindex_generated_tweets_1', '300000 3 1'),
    ('generated_tweets', 'generated_tweets_batch', '300000 3 2'),
    ('generated_tweets', 'generated_tweets_created', '300000 3 1'),
    ('generated_tweets', 'generated_tweets_status', '300000 50000 3 1'),
    ('generated_tweets', 'generated_tweets_type', '300000 50000 3 1'),
    ('generated_tweets', 'generated_tweets_ready', '300000 150000 3 1'),
    ('generated_tweets', 'generated_tweets_edited', '300000 150000 3 1'),
    ('generated_tweets', 'generated_tweets_fingerprint', '300000 1'),
    ('campaign_batches', 'sqlite_autoindex_campaign_batches_1', '100000 1'),
    ('campaign_batches', 'campaign_batches_created', '100000 1 1'),
    ('campaign_batches', 'campaign_batches_claimed', '100000 2 1'),
    ('campaign_batches', 'campaign_batches_status', '100000 30000 1'),
    ('campaign_batches', 'campaign_batches_source_type', '100000 50000 1'),
    ('campaign_batches', 'campaign_batches_score', '100000 1000'),
    ('campaign_batches', 'campaign_batches_deleted', '1000 1 1'),
    ('posts', 'posts_due', '100 1 1'),
    ('posts', 'posts_created', '100000 1 1'),
    ('posts', 'posts_status', '100000 15000 1 1'),
    ('posts', 'posts_platform', '100000 25000 1 1');
-- Loads them.
ANALYZE sqlite_schema;
