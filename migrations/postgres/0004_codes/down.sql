DROP INDEX users_super_admin;
DROP INDEX api_tokens_of_user;
ALTER TABLE api_tokens DROP COLUMN user_id;
DROP TABLE google_sign_ins;
DROP TABLE google_accounts;
DROP TABLE mails;
DROP TABLE verification_codes;
