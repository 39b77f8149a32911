-- Totals of source tweets by day and run, so that adding up does not read all tweets. Triggers keep them true.

CREATE TABLE source_tweet_totals (
    day          BIGINT NOT NULL,                          -- of the tweets' dates in UTC, counted from 1970-01-01
    execution_id TEXT NOT NULL,
    tweets       BIGINT NOT NULL,                          -- 0 after all have been deleted
    likes        BIGINT NOT NULL,
    retweets     BIGINT NOT NULL,
    views        BIGINT NOT NULL,
    PRIMARY KEY (day, execution_id)
);

-- Nothing may be written between the sums and the triggers.
LOCK TABLE source_tweets IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO source_tweet_totals (day, execution_id, tweets, likes, retweets, views)
SELECT (date AT TIME ZONE 'UTC')::date - DATE '1970-01-01', execution_id, COUNT(*), SUM(likes), SUM(retweets), SUM(views)
FROM source_tweets GROUP BY 1, 2;

-- One change of a row of totals for a whole statement. The rows are locked in the same order by all transactions.
CREATE FUNCTION source_tweets_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO source_tweet_totals AS kept (day, execution_id, tweets, likes, retweets, views)
    SELECT (date AT TIME ZONE 'UTC')::date - DATE '1970-01-01', execution_id, COUNT(*), SUM(likes), SUM(retweets), SUM(views)
    FROM added GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (day, execution_id) DO UPDATE SET tweets = kept.tweets + excluded.tweets,
        likes = kept.likes + excluded.likes, retweets = kept.retweets + excluded.retweets,
        views = kept.views + excluded.views;
    RETURN NULL;
END $$;

CREATE FUNCTION source_tweets_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO source_tweet_totals AS kept (day, execution_id, tweets, likes, retweets, views)
    SELECT (date AT TIME ZONE 'UTC')::date - DATE '1970-01-01', execution_id, SUM(sign), SUM(sign * likes),
        SUM(sign * retweets), SUM(sign * views)
    FROM (SELECT 1 AS sign, date, execution_id, likes, retweets, views FROM added
        UNION ALL SELECT -1, date, execution_id, likes, retweets, views FROM removed) AS changes
    GROUP BY 1, 2
    HAVING (SUM(sign), SUM(sign * likes), SUM(sign * retweets), SUM(sign * views)) <> (0, 0, 0, 0)
    ORDER BY 1, 2
    ON CONFLICT (day, execution_id) DO UPDATE SET tweets = kept.tweets + excluded.tweets,
        likes = kept.likes + excluded.likes, retweets = kept.retweets + excluded.retweets,
        views = kept.views + excluded.views;
    RETURN NULL;
END $$;

CREATE FUNCTION source_tweets_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO source_tweet_totals AS kept (day, execution_id, tweets, likes, retweets, views)
    SELECT (date AT TIME ZONE 'UTC')::date - DATE '1970-01-01', execution_id, -COUNT(*), -SUM(likes), -SUM(retweets),
        -SUM(views)
    FROM removed GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (day, execution_id) DO UPDATE SET tweets = kept.tweets + excluded.tweets,
        likes = kept.likes + excluded.likes, retweets = kept.retweets + excluded.retweets,
        views = kept.views + excluded.views;
    RETURN NULL;
END $$;

CREATE TRIGGER source_tweets_added AFTER INSERT ON source_tweets
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION source_tweets_added();
CREATE TRIGGER source_tweets_changed AFTER UPDATE ON source_tweets
    REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION source_tweets_changed();
CREATE TRIGGER source_tweets_removed AFTER DELETE ON source_tweets
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION source_tweets_removed();
