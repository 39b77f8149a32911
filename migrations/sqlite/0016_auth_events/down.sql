DELETE FROM sqlite_stat1 WHERE tbl = 'events';
DROP INDEX events_object_kind;
CREATE TABLE auth_events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    event_type TEXT NOT NULL,
    user_id    INTEGER,                                         -- whom it is about, where that is known
    email      TEXT NOT NULL,                                   -- as it was typed, cut
    actor      TEXT NOT NULL,                                   -- who did it
    ip         TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    request_id TEXT NOT NULL,
    metadata   TEXT NOT NULL CHECK (json_valid(metadata)),
    timestamp  INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_events_of_user ON auth_events (user_id, id);
CREATE INDEX auth_events_of_type ON auth_events (event_type, id);
CREATE TRIGGER auth_events_stay BEFORE UPDATE ON auth_events
BEGIN
    SELECT RAISE(ABORT, 'what happened is not changed');
END;
CREATE TRIGGER auth_events_remain BEFORE DELETE ON auth_events
BEGIN
    SELECT RAISE(ABORT, 'what happened is not removed');
END;

-- REPLACE would remove a row without asking the trigger for it.
CREATE TRIGGER auth_events_are_new BEFORE INSERT ON auth_events
WHEN EXISTS (SELECT 1 FROM auth_events WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'what happened is not replaced');
END;
