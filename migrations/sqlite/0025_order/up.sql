-- The order of the tweets of a batch, as people gave it. A tweet that nobody moved has its id in place of this.
ALTER TABLE generated_tweets ADD COLUMN place INTEGER;
DROP INDEX generated_tweets_created;
DROP INDEX generated_tweets_status;
DROP INDEX generated_tweets_type;
DROP INDEX generated_tweets_ready;
DROP INDEX generated_tweets_edited;
DROP INDEX generated_tweets_waiting;
CREATE INDEX generated_tweets_created ON generated_tweets (created_at, coalesce(place, id));
CREATE INDEX generated_tweets_status ON generated_tweets (status, created_at, coalesce(place, id));
CREATE INDEX generated_tweets_type ON generated_tweets (type, created_at, coalesce(place, id));
CREATE INDEX generated_tweets_ready ON generated_tweets (ready_for_deployment, created_at, coalesce(place, id));
CREATE INDEX generated_tweets_edited ON generated_tweets (is_edited, created_at, coalesce(place, id));
-- In words that let SQLite use it for what waits.
CREATE INDEX generated_tweets_waiting ON generated_tweets (created_at, coalesce(place, id))
    WHERE status NOT IN ('Approved', 'Posted', 'Rejected', 'Deleted');
-- The statistics of an index go with it.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('generated_tweets', 'generated_tweets_created', '300000 3 1'),
    ('generated_tweets', 'generated_tweets_status', '300000 50000 3 1'),
    ('generated_tweets', 'generated_tweets_type', '300000 50000 3 1'),
    ('generated_tweets', 'generated_tweets_ready', '300000 150000 3 1'),
    ('generated_tweets', 'generated_tweets_edited', '300000 150000 3 1'),
    ('generated_tweets', 'generated_tweets_waiting', '10000 3 1');
-- Loads them.
ANALYZE sqlite_schema;
