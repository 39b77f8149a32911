DROP INDEX events_actor_object;
