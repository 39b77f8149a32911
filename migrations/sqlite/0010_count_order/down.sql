DROP INDEX source_tweets_likes;
DROP INDEX source_tweets_retweets;
DROP INDEX source_tweets_views;
DROP INDEX source_tweets_total_engagement;
CREATE INDEX source_tweets_likes ON source_tweets (likes, id);
CREATE INDEX source_tweets_retweets ON source_tweets (retweets, id);
CREATE INDEX source_tweets_views ON source_tweets (views, id);
CREATE INDEX source_tweets_total_engagement ON source_tweets (total_engagement, id);
