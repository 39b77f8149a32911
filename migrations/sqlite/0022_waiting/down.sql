DELETE FROM sqlite_stat1 WHERE idx = 'generated_tweets_waiting';
DROP INDEX generated_tweets_waiting;
