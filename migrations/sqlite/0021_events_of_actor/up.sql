-- What an actor did to objects of a kind, of which there may be none although both are frequent.
CREATE INDEX events_actor_object ON events (actor, object_kind, at, position);
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('events', 'events_actor_object', '1000000 10000 2000 1 1');
-- Loads it.
ANALYZE sqlite_schema;
