ALTER TABLE mails DROP COLUMN unknown_ends;
