DROP INDEX generated_tweets_waiting;
