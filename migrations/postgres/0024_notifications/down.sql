DROP INDEX source_tweets_lapsed;
DROP TABLE notification_position;
DROP TABLE notification_choices;
DROP TABLE notifications;
ALTER TABLE users DROP COLUMN time_zone;
