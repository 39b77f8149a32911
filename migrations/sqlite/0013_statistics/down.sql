DELETE FROM sqlite_stat1;
DROP INDEX source_tweets_waiting;
CREATE INDEX source_tweets_waiting ON source_tweets (id) WHERE is_processed = 0;
