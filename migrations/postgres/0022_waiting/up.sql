-- What waits for a decision, oldest first.
CREATE INDEX generated_tweets_waiting ON generated_tweets (created_at, id)
    WHERE status IN ('Brand Aligned', 'Draft');
