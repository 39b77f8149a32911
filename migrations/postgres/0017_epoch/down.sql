ALTER TABLE event_chain DROP COLUMN epoch;
