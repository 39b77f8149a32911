DROP INDEX deliveries_open;
-- The older schema has no name for what is public besides: it keeps that as an attempt that was not there.
UPDATE deliveries SET state = 'absent' WHERE state = 'also_published';
ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_state_check
    CHECK (state IN ('in_flight', 'published', 'refused', 'not_sent', 'absent', 'unknown'));
ALTER TABLE deliveries DROP COLUMN marker;
ALTER TABLE deliveries DROP COLUMN round;

DROP TABLE public_posts;
DROP INDEX posts_held;
ALTER TABLE posts DROP COLUMN is_held;
ALTER TABLE posts DROP COLUMN round;
