DROP INDEX campaign_batches_claimed;
CREATE INDEX campaign_batches_claimed ON campaign_batches (claimed_batch_id);
DROP INDEX generated_tweets_fingerprint;
DROP INDEX source_tweets_leased;
ALTER TABLE source_tweets DROP COLUMN lapsed_at;
ALTER TABLE source_tweets DROP COLUMN address;
ALTER TABLE source_tweets DROP COLUMN offered_at;
ALTER TABLE source_tweets DROP COLUMN offers;
