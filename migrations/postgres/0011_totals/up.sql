-- Totals of source tweets by day and run, so that adding up does not read all tweets. Triggers write down each change of
-- the totals, and a worker adds the changes to the totals. So two transactions that change the totals of the same run do
-- not wait for each other.

-- The day of a date in UTC, counted from 1970-01-01. Dates outside the calendar (years 1 to 9999), such as infinity,
-- count as its first or last day.
CREATE FUNCTION source_tweet_day(date TIMESTAMPTZ) RETURNS BIGINT LANGUAGE sql IMMUTABLE AS $$
    SELECT (LEAST(GREATEST(date, '0001-01-01 00:00:00+00'), '9999-12-31 23:59:59+00') AT TIME ZONE 'UTC')::date
        - DATE '1970-01-01'
$$;

CREATE TABLE source_tweet_totals (
    day          BIGINT NOT NULL,
    execution_id TEXT NOT NULL,
    tweets       BIGINT NOT NULL,                         -- 0 after all have been deleted
    likes        BIGINT NOT NULL,
    retweets     BIGINT NOT NULL,
    views        BIGINT NOT NULL,
    PRIMARY KEY (day, execution_id)
);

CREATE TABLE source_tweet_total_changes (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day          BIGINT NOT NULL,
    execution_id TEXT NOT NULL,
    tweets       BIGINT NOT NULL,                         -- by how much they change; negative for fewer
    likes        BIGINT NOT NULL,
    retweets     BIGINT NOT NULL,
    views        BIGINT NOT NULL
);

-- Nothing may be written between the sums and the triggers.
LOCK TABLE source_tweets IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO source_tweet_totals (day, execution_id, tweets, likes, retweets, views)
SELECT source_tweet_day(date), execution_id, COUNT(*), SUM(likes), SUM(retweets), SUM(views)
FROM source_tweets GROUP BY 1, 2;

-- One change for each day and run of a statement.
CREATE FUNCTION source_tweets_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO source_tweet_total_changes (day, execution_id, tweets, likes, retweets, views)
    SELECT source_tweet_day(date), execution_id, COUNT(*), SUM(likes), SUM(retweets), SUM(views)
    FROM added GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE TRIGGER source_tweets_added AFTER INSERT ON source_tweets
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION source_tweets_added();

CREATE FUNCTION source_tweets_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO source_tweet_total_changes (day, execution_id, tweets, likes, retweets, views)
    SELECT source_tweet_day(date), execution_id, SUM(sign), SUM(sign * likes), SUM(sign * retweets), SUM(sign * views)
    FROM (SELECT 1 AS sign, date, execution_id, likes, retweets, views FROM added
        UNION ALL SELECT -1, date, execution_id, likes, retweets, views FROM removed) AS changes
    GROUP BY 1, 2
    HAVING (SUM(sign), SUM(sign * likes), SUM(sign * retweets), SUM(sign * views)) <> (0, 0, 0, 0);
    RETURN NULL;
END $$;
CREATE TRIGGER source_tweets_changed AFTER UPDATE ON source_tweets
    REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION source_tweets_changed();

CREATE FUNCTION source_tweets_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO source_tweet_total_changes (day, execution_id, tweets, likes, retweets, views)
    SELECT source_tweet_day(date), execution_id, -COUNT(*), -SUM(likes), -SUM(retweets), -SUM(views)
    FROM removed GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE TRIGGER source_tweets_removed AFTER DELETE ON source_tweets
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION source_tweets_removed();
