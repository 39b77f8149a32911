-- A mail whose fate the mail server did not tell may have gone out: how often that was so decides how often it is tried.

ALTER TABLE mails ADD COLUMN unknown_ends INTEGER NOT NULL DEFAULT 0;
