ALTER TABLE users DROP COLUMN after_approval;
