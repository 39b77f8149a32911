-- Counts are scattered, so that in a plain index of a count each new tweet changes a page of its own. These indexes are
-- ordered by blocks of 4,096 ids first: new tweets are all in the last block. Lists merge the blocks.

DROP INDEX source_tweets_likes;
DROP INDEX source_tweets_retweets;
DROP INDEX source_tweets_views;
DROP INDEX source_tweets_total_engagement;
CREATE INDEX source_tweets_likes ON source_tweets (id >> 12, likes, id);
CREATE INDEX source_tweets_retweets ON source_tweets (id >> 12, retweets, id);
CREATE INDEX source_tweets_views ON source_tweets (id >> 12, views, id);
CREATE INDEX source_tweets_total_engagement ON source_tweets (id >> 12, total_engagement, id);
