DROP TRIGGER source_tweets_added ON source_tweets;
DROP TRIGGER source_tweets_changed ON source_tweets;
DROP TRIGGER source_tweets_removed ON source_tweets;
DROP FUNCTION source_tweets_added, source_tweets_changed, source_tweets_removed;
DROP TABLE source_tweet_total_changes;
DROP TABLE source_tweet_totals;
DROP FUNCTION source_tweet_day;
