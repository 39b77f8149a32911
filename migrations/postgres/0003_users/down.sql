DROP TABLE limit_counters;
DROP TABLE auth_events;
DROP FUNCTION auth_events_stay();
DROP TABLE sessions;
DROP TABLE users;
