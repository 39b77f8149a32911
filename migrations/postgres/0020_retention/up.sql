-- Events that are too old can be removed behind a signed checkpoint, and personal data by a redaction. Nothing else is
-- changed or removed.

CREATE TABLE event_checkpoint (
    id          BIGINT PRIMARY KEY CHECK (id = 1),         -- there is at most one row
    position    BIGINT NOT NULL,                           -- of the last event that was removed
    hash        BYTEA NOT NULL,                            -- of that event
    head_number BIGINT NOT NULL,                           -- of the last head that was removed
    head_hash   BYTEA NOT NULL,                            -- of its signature
    signed_at   TIMESTAMPTZ NOT NULL,
    key         TEXT NOT NULL,                             -- the public key
    signature   BYTEA NOT NULL,
    CHECK (octet_length(hash) = 32),
    CHECK (octet_length(head_hash) = 32)
);

DROP TRIGGER events_stay ON events;
CREATE TRIGGER events_stay BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION events_stay();
CREATE FUNCTION events_go_to_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.position <= (SELECT position FROM event_checkpoint) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'events after the checkpoint are not removed';
END
$$;
CREATE TRIGGER events_go BEFORE DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION events_go_to_checkpoint();
DROP TRIGGER event_details_remain ON event_details;
CREATE TRIGGER event_details_remain BEFORE DELETE ON event_details
    FOR EACH ROW EXECUTE FUNCTION events_go_to_checkpoint();

DROP TRIGGER event_heads_stay ON event_heads;
CREATE TRIGGER event_heads_stay BEFORE UPDATE ON event_heads
    FOR EACH ROW EXECUTE FUNCTION events_stay();
CREATE FUNCTION event_heads_go_to_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.number <= (SELECT head_number FROM event_checkpoint) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'signatures after the checkpoint are not removed';
END
$$;
CREATE TRIGGER event_heads_go BEFORE DELETE ON event_heads
    FOR EACH ROW EXECUTE FUNCTION event_heads_go_to_checkpoint();

-- A redaction writes its event first.
CREATE FUNCTION event_details_are_redacted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.personal IS NULL AND NEW.personal_salt IS NULL AND NEW.position = OLD.position
        AND NEW.change IS NOT DISTINCT FROM OLD.change
        AND NEW.change_salt IS NOT DISTINCT FROM OLD.change_salt
        AND EXISTS (SELECT 1 FROM new_events WHERE kind = 'events.redacted')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'details of events are not changed';
END
$$;
DROP TRIGGER event_details_stay ON event_details;
CREATE TRIGGER event_details_stay BEFORE UPDATE ON event_details
    FOR EACH ROW EXECUTE FUNCTION event_details_are_redacted();
