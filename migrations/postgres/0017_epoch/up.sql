-- Identifies this course of events. A restored backup gets another one, so that no client resumes a stream in it.
ALTER TABLE event_chain ADD COLUMN epoch TEXT NOT NULL DEFAULT '';
UPDATE event_chain SET epoch = left(replace(gen_random_uuid()::text, '-', ''), 16);
