-- Events that are too old can be removed behind a signed checkpoint, and personal data by a redaction. Nothing else is
-- changed or removed.

CREATE TABLE event_checkpoint (
    id          INTEGER PRIMARY KEY CHECK (id = 1),        -- there is at most one row
    position    INTEGER NOT NULL,                          -- of the last event that was removed
    hash        BLOB NOT NULL,                             -- of that event
    head_number INTEGER NOT NULL,                          -- of the last head that was removed
    head_hash   BLOB NOT NULL,                             -- of its signature
    signed_at   INTEGER NOT NULL,
    key         TEXT NOT NULL,                             -- the public key
    signature   BLOB NOT NULL,
    CHECK (length(hash) = 32),
    CHECK (length(head_hash) = 32)
) STRICT;

DROP TRIGGER events_remain;
CREATE TRIGGER events_remain BEFORE DELETE ON events
WHEN OLD.position > (SELECT COALESCE(MAX(position), 0) FROM event_checkpoint)
BEGIN
    SELECT RAISE(ABORT, 'events are not removed');
END;
DROP TRIGGER event_details_remain;
CREATE TRIGGER event_details_remain BEFORE DELETE ON event_details
WHEN OLD.position > (SELECT COALESCE(MAX(position), 0) FROM event_checkpoint)
BEGIN
    SELECT RAISE(ABORT, 'details of events are not removed');
END;
DROP TRIGGER event_heads_remain;
CREATE TRIGGER event_heads_remain BEFORE DELETE ON event_heads
WHEN OLD.number > (SELECT COALESCE(MAX(head_number), 0) FROM event_checkpoint)
BEGIN
    SELECT RAISE(ABORT, 'signatures are not removed');
END;
-- A redaction writes its event first.
DROP TRIGGER event_details_stay;
CREATE TRIGGER event_details_stay BEFORE UPDATE ON event_details
WHEN NOT (
    NEW.personal IS NULL AND NEW.personal_salt IS NULL AND NEW.position = OLD.position
    AND NEW.change IS OLD.change AND NEW.change_salt IS OLD.change_salt
    AND EXISTS (SELECT 1 FROM new_events WHERE kind = 'events.redacted'))
BEGIN
    SELECT RAISE(ABORT, 'details of events are not changed');
END;
