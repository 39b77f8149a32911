ALTER TABLE deliveries DROP COLUMN channel;
DROP TABLE setting_changes;
DROP TABLE setting_state;
-- A sealed value cannot be kept without its key's name.
DELETE FROM app_settings WHERE sealed IS NOT NULL;
ALTER TABLE app_settings DROP COLUMN updated_by;
ALTER TABLE app_settings DROP COLUMN version;
ALTER TABLE app_settings DROP COLUMN sealed_by;
ALTER TABLE app_settings DROP COLUMN sealed;
