DROP TRIGGER events_remain;
DROP TRIGGER event_details_remain;
DROP TRIGGER event_heads_remain;
DROP TRIGGER event_details_stay;
DROP TABLE event_checkpoint;
CREATE TRIGGER events_remain BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are not removed');
END;
CREATE TRIGGER event_details_remain BEFORE DELETE ON event_details
BEGIN
    SELECT RAISE(ABORT, 'details of events are not removed');
END;
CREATE TRIGGER event_heads_remain BEFORE DELETE ON event_heads
BEGIN
    SELECT RAISE(ABORT, 'signatures are not removed');
END;
CREATE TRIGGER event_details_stay BEFORE UPDATE ON event_details
BEGIN
    SELECT RAISE(ABORT, 'details of events are not changed');
END;
