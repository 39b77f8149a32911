-- What waits for a decision, oldest first.
CREATE INDEX generated_tweets_waiting ON generated_tweets (created_at, id)
    WHERE status IN ('Brand Aligned', 'Draft');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('generated_tweets', 'generated_tweets_waiting', '10000 3 1');
-- Loads it.
ANALYZE sqlite_schema;
