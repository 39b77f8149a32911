-- Texts are searched with an index of their trigrams. Writing it for each new tweet would halve the rate of new tweets, so
-- a worker writes it later. Until then, the tweets are in the tables `..._to_index`, and searches read them besides.

-- Without the texts: a search reads them in `source_tweets`.
CREATE VIRTUAL TABLE source_tweet_search USING fts5 (content, content = '', contentless_delete = 1, tokenize = 'trigram', detail = none);
CREATE TABLE source_tweets_to_index (
    id INTEGER PRIMARY KEY
) STRICT;
INSERT INTO source_tweets_to_index (id) SELECT id FROM source_tweets;
CREATE TRIGGER source_tweets_text_added AFTER INSERT ON source_tweets BEGIN
    INSERT INTO source_tweets_to_index (id) VALUES (NEW.id);
END;
CREATE TRIGGER source_tweets_text_changed AFTER UPDATE OF content ON source_tweets WHEN OLD.content <> NEW.content BEGIN
    INSERT INTO source_tweets_to_index (id) VALUES (NEW.id) ON CONFLICT (id) DO NOTHING;
    DELETE FROM source_tweet_search WHERE rowid = NEW.id;
END;
CREATE TRIGGER source_tweets_text_removed AFTER DELETE ON source_tweets BEGIN
    DELETE FROM source_tweets_to_index WHERE id = OLD.id;
    DELETE FROM source_tweet_search WHERE rowid = OLD.id;
END;

-- Without the texts: a search reads them in `generated_tweets`.
CREATE VIRTUAL TABLE generated_tweet_search USING fts5 (content, content = '', contentless_delete = 1, tokenize = 'trigram', detail = none);
CREATE TABLE generated_tweets_to_index (
    id INTEGER PRIMARY KEY
) STRICT;
INSERT INTO generated_tweets_to_index (id) SELECT id FROM generated_tweets;
CREATE TRIGGER generated_tweets_text_added AFTER INSERT ON generated_tweets BEGIN
    INSERT INTO generated_tweets_to_index (id) VALUES (NEW.id);
END;
CREATE TRIGGER generated_tweets_text_changed AFTER UPDATE OF content ON generated_tweets WHEN OLD.content <> NEW.content BEGIN
    INSERT INTO generated_tweets_to_index (id) VALUES (NEW.id) ON CONFLICT (id) DO NOTHING;
    DELETE FROM generated_tweet_search WHERE rowid = NEW.id;
END;
CREATE TRIGGER generated_tweets_text_removed AFTER DELETE ON generated_tweets BEGIN
    DELETE FROM generated_tweets_to_index WHERE id = OLD.id;
    DELETE FROM generated_tweet_search WHERE rowid = OLD.id;
END;
