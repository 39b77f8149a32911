-- Settings: secrets are sealed, each change has a revision, and what it replaced is kept.

ALTER TABLE app_settings ADD COLUMN sealed BLOB            -- a secret, encrypted; then value is NULL
    CHECK (sealed IS NULL OR value IS NULL);
ALTER TABLE app_settings ADD COLUMN sealed_by TEXT         -- the name of the master key that opens it
    CHECK ((sealed IS NULL) = (sealed_by IS NULL));
ALTER TABLE app_settings ADD COLUMN version INTEGER NOT NULL DEFAULT 0;     -- the revision of the change that set it
ALTER TABLE app_settings ADD COLUMN updated_by TEXT NOT NULL DEFAULT '';    -- who set it; empty where it is not known

CREATE TABLE setting_state (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),  -- there is one row
    revision   INTEGER NOT NULL,                             -- counts the changes of all settings
    master_key TEXT                                          -- the name of the master key in use; NULL while there has been no secret
) STRICT;
INSERT INTO setting_state (id, revision, master_key) VALUES (1, 0, NULL);

CREATE TABLE setting_changes (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    revision       INTEGER NOT NULL,                         -- changes that were made at once share it
    key            TEXT NOT NULL,                            -- the name of the setting
    action         TEXT NOT NULL,
    from_value     TEXT,                                     -- what it replaced, where that is no secret
    from_sealed    BLOB,                                     -- what it replaced, where that is a secret
    from_sealed_by TEXT,                                     -- the name of the master key that opens from_sealed
    from_version   INTEGER,                                  -- the version of what it replaced; NULL where nothing was set
    to_value       TEXT,                                     -- what was set, where that is no secret
    is_set         INTEGER NOT NULL CHECK (is_set IN (0, 1)),-- whether anything was set
    changed_at     INTEGER NOT NULL,
    changed_by     TEXT NOT NULL,
    UNIQUE (revision, key),
    CHECK (action IN ('set', 'unset', 'undo', 'import', 'seal', 'rotate_key')),
    CHECK (from_sealed IS NULL OR from_value IS NULL),
    CHECK ((from_sealed IS NULL) = (from_sealed_by IS NULL)),
    CHECK (from_version IS NOT NULL OR (from_value IS NULL AND from_sealed IS NULL))
) STRICT;
CREATE INDEX setting_changes_of_key ON setting_changes (key, id);

ALTER TABLE deliveries ADD COLUMN channel TEXT NOT NULL DEFAULT '';         -- the account that it was sent with; empty where it is not known
