-- What a run was told is new is leased to it; a lease that ends without a batch makes the tweets new once more.

ALTER TABLE source_tweets ADD COLUMN offers BIGINT NOT NULL DEFAULT 1;     -- how many runs were told that it is new
ALTER TABLE source_tweets ADD COLUMN offered_at TIMESTAMPTZ;               -- when it was offered again; NULL: it was not
ALTER TABLE source_tweets ADD COLUMN address TEXT NOT NULL DEFAULT '';     -- the network address that the run called from
ALTER TABLE source_tweets ADD COLUMN lapsed_at TIMESTAMPTZ;                -- when it was logged that its last lease lapsed
CREATE INDEX source_tweets_leased ON source_tweets (leased_until) WHERE lease IS NOT NULL;

-- Tweets that are handed in again are known by this, however many batches have their name.
CREATE INDEX generated_tweets_fingerprint ON generated_tweets (fingerprint);
DROP INDEX campaign_batches_claimed;
CREATE INDEX campaign_batches_claimed ON campaign_batches (claimed_batch_id, id);
