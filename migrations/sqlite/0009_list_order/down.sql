DROP INDEX source_tweets_execution;
DROP INDEX source_tweets_status;
CREATE INDEX source_tweets_execution ON source_tweets (execution_id, date);
CREATE INDEX source_tweets_status ON source_tweets (status, date);
