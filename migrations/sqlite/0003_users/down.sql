DROP TABLE limit_counters;
DROP TABLE auth_events;
DROP TABLE sessions;
DROP TABLE users;
