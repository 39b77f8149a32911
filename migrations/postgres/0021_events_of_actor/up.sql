-- What an actor did to objects of a kind, of which there may be none although both are frequent.
CREATE INDEX events_actor_object ON events (actor, object_kind, at, position);
