-- Texts are searched with an index of their trigrams. Writing it for each new tweet would halve the rate of new tweets, so
-- a worker writes it later. Until then, the tweets are in the tables `..._to_index`, and searches read them besides.
-- The worker creates the indexes, because they need the extension pg_trgm, which may be missing.

-- Nothing may be written between the copies and the triggers. The tables are locked in the order in which a batch is
-- stored.
LOCK TABLE generated_tweets, source_tweets IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE source_tweet_search (
    id   BIGINT PRIMARY KEY,
    text TEXT NOT NULL                                     -- of the tweet, in lower case
);
CREATE TABLE source_tweets_to_index (
    id BIGINT PRIMARY KEY
);
INSERT INTO source_tweets_to_index (id) SELECT id FROM source_tweets;

CREATE FUNCTION source_tweets_text_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO source_tweets_to_index (id) SELECT id FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER source_tweets_text_added AFTER INSERT ON source_tweets
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION source_tweets_text_added();

-- In this order: the first statement waits for the worker if it is indexing the tweet. DO NOTHING would not wait.
CREATE FUNCTION source_tweets_text_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO source_tweets_to_index (id) VALUES (NEW.id) ON CONFLICT (id) DO UPDATE SET id = excluded.id;
    DELETE FROM source_tweet_search WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER source_tweets_text_changed AFTER UPDATE OF content ON source_tweets FOR EACH ROW
    WHEN (OLD.content <> NEW.content) EXECUTE FUNCTION source_tweets_text_changed();

-- In this order, for the same reason.
CREATE FUNCTION source_tweets_text_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM source_tweets_to_index WHERE id IN (SELECT id FROM removed);
    DELETE FROM source_tweet_search WHERE id IN (SELECT id FROM removed);
    RETURN NULL;
END $$;
CREATE TRIGGER source_tweets_text_removed AFTER DELETE ON source_tweets
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION source_tweets_text_removed();

CREATE TABLE generated_tweet_search (
    id   BIGINT PRIMARY KEY,
    text TEXT NOT NULL                                     -- of the tweet, in lower case
);
CREATE TABLE generated_tweets_to_index (
    id BIGINT PRIMARY KEY
);
INSERT INTO generated_tweets_to_index (id) SELECT id FROM generated_tweets;

CREATE FUNCTION generated_tweets_text_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO generated_tweets_to_index (id) SELECT id FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER generated_tweets_text_added AFTER INSERT ON generated_tweets
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION generated_tweets_text_added();

-- In this order: the first statement waits for the worker if it is indexing the tweet. DO NOTHING would not wait.
CREATE FUNCTION generated_tweets_text_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO generated_tweets_to_index (id) VALUES (NEW.id) ON CONFLICT (id) DO UPDATE SET id = excluded.id;
    DELETE FROM generated_tweet_search WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER generated_tweets_text_changed AFTER UPDATE OF content ON generated_tweets FOR EACH ROW
    WHEN (OLD.content <> NEW.content) EXECUTE FUNCTION generated_tweets_text_changed();

-- In this order, for the same reason.
CREATE FUNCTION generated_tweets_text_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM generated_tweets_to_index WHERE id IN (SELECT id FROM removed);
    DELETE FROM generated_tweet_search WHERE id IN (SELECT id FROM removed);
    RETURN NULL;
END $$;
CREATE TRIGGER generated_tweets_text_removed AFTER DELETE ON generated_tweets
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION generated_tweets_text_removed();
