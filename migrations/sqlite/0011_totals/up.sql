-- Totals of source tweets by day and run, so that adding up does not read all tweets. Triggers write down each change of
-- the totals, and a worker adds the changes to the totals. So two transactions that change the totals of the same run do
-- not wait for each other.

-- The day of the date in UTC, counted from 1970-01-01. Dates outside the calendar (years 1 to 9999) count as its first or
-- last day. The sum is never negative, so the division rounds down.
ALTER TABLE source_tweets ADD COLUMN day INTEGER NOT NULL GENERATED ALWAYS AS
    ((min(max(date, -62135596800000000), 253402300799999999) + 62135596800000000) / 86400000000 - 719162) VIRTUAL;

CREATE TABLE source_tweet_totals (
    day          INTEGER NOT NULL,
    execution_id TEXT NOT NULL,
    tweets       INTEGER NOT NULL,                         -- 0 after all have been deleted
    likes        INTEGER NOT NULL,
    retweets     INTEGER NOT NULL,
    views        INTEGER NOT NULL,
    PRIMARY KEY (day, execution_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE source_tweet_total_changes (
    id           INTEGER PRIMARY KEY,
    day          INTEGER NOT NULL,
    execution_id TEXT NOT NULL,
    tweets       INTEGER NOT NULL,                         -- by how much they change; negative for fewer
    likes        INTEGER NOT NULL,
    retweets     INTEGER NOT NULL,
    views        INTEGER NOT NULL
) STRICT;

INSERT INTO source_tweet_totals (day, execution_id, tweets, likes, retweets, views)
SELECT day, execution_id, COUNT(*), SUM(likes), SUM(retweets), SUM(views) FROM source_tweets GROUP BY 1, 2;

CREATE TRIGGER source_tweets_added AFTER INSERT ON source_tweets BEGIN
    INSERT INTO source_tweet_total_changes (day, execution_id, tweets, likes, retweets, views)
    VALUES (NEW.day, NEW.execution_id, 1, NEW.likes, NEW.retweets, NEW.views);
END;

CREATE TRIGGER source_tweets_changed AFTER UPDATE OF date, execution_id, likes, retweets, views ON source_tweets BEGIN
    INSERT INTO source_tweet_total_changes (day, execution_id, tweets, likes, retweets, views)
    VALUES (OLD.day, OLD.execution_id, -1, -OLD.likes, -OLD.retweets, -OLD.views), (NEW.day, NEW.execution_id, 1, NEW.likes, NEW.retweets, NEW.views);
END;

CREATE TRIGGER source_tweets_removed AFTER DELETE ON source_tweets BEGIN
    INSERT INTO source_tweet_total_changes (day, execution_id, tweets, likes, retweets, views)
    VALUES (OLD.day, OLD.execution_id, -1, -OLD.likes, -OLD.retweets, -OLD.views);
END;
