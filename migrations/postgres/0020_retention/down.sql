DROP TRIGGER events_stay ON events;
DROP TRIGGER events_go ON events;
CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION events_stay();
DROP TRIGGER event_details_remain ON event_details;
CREATE TRIGGER event_details_remain BEFORE DELETE ON event_details
    FOR EACH ROW EXECUTE FUNCTION events_stay();
DROP TRIGGER event_heads_stay ON event_heads;
DROP TRIGGER event_heads_go ON event_heads;
CREATE TRIGGER event_heads_stay BEFORE UPDATE OR DELETE ON event_heads
    FOR EACH ROW EXECUTE FUNCTION events_stay();
DROP TRIGGER event_details_stay ON event_details;
CREATE TRIGGER event_details_stay BEFORE UPDATE ON event_details
    FOR EACH ROW EXECUTE FUNCTION events_stay();
DROP FUNCTION events_go_to_checkpoint();
DROP FUNCTION event_heads_go_to_checkpoint();
DROP FUNCTION event_details_are_redacted();
DROP TABLE event_checkpoint;
