-- What the console does after this user approves a tweet.
ALTER TABLE users ADD COLUMN after_approval TEXT NOT NULL DEFAULT 'nothing'
    CHECK (after_approval IN ('nothing', 'publish', 'schedule'));
