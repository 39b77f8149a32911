DROP TRIGGER source_tweets_added;
DROP TRIGGER source_tweets_changed;
DROP TRIGGER source_tweets_removed;
DROP TABLE source_tweet_total_changes;
DROP TABLE source_tweet_totals;
ALTER TABLE source_tweets DROP COLUMN day;
