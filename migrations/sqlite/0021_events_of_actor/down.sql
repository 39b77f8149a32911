DELETE FROM sqlite_stat1 WHERE idx = 'events_actor_object';
DROP INDEX events_actor_object;
