DROP INDEX generated_tweets_created;
DROP INDEX generated_tweets_status;
DROP INDEX generated_tweets_type;
DROP INDEX generated_tweets_ready;
DROP INDEX generated_tweets_edited;
DROP INDEX generated_tweets_waiting;
CREATE INDEX generated_tweets_created ON generated_tweets (created_at, id);
CREATE INDEX generated_tweets_status ON generated_tweets (status, created_at, id);
CREATE INDEX generated_tweets_type ON generated_tweets (type, created_at, id);
CREATE INDEX generated_tweets_ready ON generated_tweets (ready_for_deployment, created_at, id);
CREATE INDEX generated_tweets_edited ON generated_tweets (is_edited, created_at, id);
CREATE INDEX generated_tweets_waiting ON generated_tweets (created_at, id)
    WHERE status IN ('Brand Aligned', 'Draft');
ALTER TABLE generated_tweets DROP COLUMN place;
