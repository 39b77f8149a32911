-- Lists are ordered by date and id. Without the id in the index, all tweets of the same date are sorted for each page.

DROP INDEX source_tweets_execution;
DROP INDEX source_tweets_status;
CREATE INDEX source_tweets_execution ON source_tweets (execution_id, date, id);
CREATE INDEX source_tweets_status ON source_tweets (status, date, id);
