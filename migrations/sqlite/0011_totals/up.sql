-- Totals of source tweets by day and run, so that adding up does not read all tweets. Triggers keep them true.

CREATE TABLE source_tweet_totals (
    day          INTEGER NOT NULL,                         -- of the tweets' dates in UTC, counted from 1970-01-01
    execution_id TEXT NOT NULL,
    tweets       INTEGER NOT NULL,                         -- 0 after all have been deleted
    likes        INTEGER NOT NULL,
    retweets     INTEGER NOT NULL,
    views        INTEGER NOT NULL,
    PRIMARY KEY (day, execution_id)
) STRICT, WITHOUT ROWID;

-- Rounds down, before 1970 too.
INSERT INTO source_tweet_totals (day, execution_id, tweets, likes, retweets, views)
SELECT (date - (date < 0) * 86399999999) / 86400000000, execution_id, COUNT(*), SUM(likes), SUM(retweets), SUM(views)
FROM source_tweets GROUP BY 1, 2;

CREATE TRIGGER source_tweets_added AFTER INSERT ON source_tweets BEGIN
    INSERT INTO source_tweet_totals (day, execution_id, tweets, likes, retweets, views)
    VALUES ((NEW.date - (NEW.date < 0) * 86399999999) / 86400000000, NEW.execution_id, 1, NEW.likes, NEW.retweets, NEW.views)
    ON CONFLICT (day, execution_id) DO UPDATE SET tweets = tweets + 1, likes = likes + excluded.likes,
        retweets = retweets + excluded.retweets, views = views + excluded.views;
END;

CREATE TRIGGER source_tweets_changed AFTER UPDATE OF date, execution_id, likes, retweets, views ON source_tweets BEGIN
    UPDATE source_tweet_totals SET tweets = tweets - 1, likes = likes - OLD.likes, retweets = retweets - OLD.retweets,
        views = views - OLD.views
    WHERE day = (OLD.date - (OLD.date < 0) * 86399999999) / 86400000000 AND execution_id = OLD.execution_id;
    INSERT INTO source_tweet_totals (day, execution_id, tweets, likes, retweets, views)
    VALUES ((NEW.date - (NEW.date < 0) * 86399999999) / 86400000000, NEW.execution_id, 1, NEW.likes, NEW.retweets, NEW.views)
    ON CONFLICT (day, execution_id) DO UPDATE SET tweets = tweets + 1, likes = likes + excluded.likes,
        retweets = retweets + excluded.retweets, views = views + excluded.views;
END;

CREATE TRIGGER source_tweets_removed AFTER DELETE ON source_tweets BEGIN
    UPDATE source_tweet_totals SET tweets = tweets - 1, likes = likes - OLD.likes, retweets = retweets - OLD.retweets,
        views = views - OLD.views
    WHERE day = (OLD.date - (OLD.date < 0) * 86399999999) / 86400000000 AND execution_id = OLD.execution_id;
END;
