DROP INDEX users_imported;
DROP TABLE passkey_challenges;
DROP TABLE passkeys;
DROP TABLE recovery_codes;
DROP TABLE totp_apps;
-- What opened nothing must not open anything.
DELETE FROM sessions WHERE is_pending;
ALTER TABLE sessions DROP COLUMN is_pending;
ALTER TABLE users DROP COLUMN has_second_factor;
