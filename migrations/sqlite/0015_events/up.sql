-- One record of everything that happens. A change writes its events into new_events, in its own transaction and without
-- any index. A worker moves them into events, in one order, and adds the hashes.

CREATE TABLE new_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,                             -- what happened: tweet.approved
    object_kind TEXT NOT NULL,                             -- to what: generated_tweet
    object_id   TEXT NOT NULL,
    version     INTEGER,                                   -- of the object after the event
    actor       TEXT NOT NULL,                             -- who did it, without a name: user:3
    user_id     INTEGER,                                   -- the user that it is about
    request_id  TEXT NOT NULL,
    at          INTEGER NOT NULL,
    change      TEXT,                                      -- a JSON object
    personal    TEXT                                       -- a JSON object of personal data
) STRICT;

CREATE TABLE events (
    position      INTEGER PRIMARY KEY,                     -- from 1, without gaps
    kind          TEXT NOT NULL,
    object_kind   TEXT NOT NULL,
    object_id     TEXT NOT NULL,
    version       INTEGER,
    actor         TEXT NOT NULL,
    user_id       INTEGER,
    request_id    TEXT NOT NULL,
    at            INTEGER NOT NULL,
    change_hash   BLOB,                                    -- the SHA-256 of event_details.change_salt and change
    personal_hash BLOB,                                    -- the SHA-256 of event_details.personal_salt and personal
    hash          BLOB NOT NULL,                           -- the SHA-256 of the row and of the hash before it
    CHECK (position > 0),
    CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX events_object ON events (object_kind, object_id, position);
CREATE INDEX events_actor ON events (actor, at, position);
CREATE INDEX events_kind ON events (kind, at, position);
CREATE INDEX events_user ON events (user_id, at, position) WHERE user_id IS NOT NULL;
CREATE INDEX events_at ON events (at, position);

CREATE TABLE event_details (
    position      INTEGER PRIMARY KEY REFERENCES events (position),
    change_salt   BLOB,
    change        TEXT,
    personal_salt BLOB,
    personal      TEXT,
    CHECK ((change_salt IS NULL) = (change IS NULL)),
    CHECK ((personal_salt IS NULL) = (personal IS NULL))
) STRICT;

CREATE TABLE event_chain (
    id       INTEGER PRIMARY KEY CHECK (id = 1),           -- there is one row
    position INTEGER NOT NULL,                             -- of the last event
    hash     BLOB NOT NULL                                 -- of the last event
) STRICT;
INSERT INTO event_chain (id, position, hash) VALUES (1, 0, zeroblob(32));

CREATE TABLE event_heads (
    number    INTEGER PRIMARY KEY,                          -- from 1, without gaps
    position  INTEGER NOT NULL,                             -- of the last event that is signed
    hash      BLOB NOT NULL,                               -- of that event
    signed_at INTEGER NOT NULL,
    key       TEXT NOT NULL,                               -- the public key
    signature BLOB NOT NULL
) STRICT;

CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are not changed');
END;
CREATE TRIGGER events_remain BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are not removed');
END;
CREATE TRIGGER events_are_new BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
BEGIN
    SELECT RAISE(ABORT, 'events are not replaced');
END;
CREATE TRIGGER event_details_stay BEFORE UPDATE ON event_details
BEGIN
    SELECT RAISE(ABORT, 'details of events are not changed');
END;
CREATE TRIGGER event_heads_stay BEFORE UPDATE ON event_heads
BEGIN
    SELECT RAISE(ABORT, 'signatures are not changed');
END;
CREATE TRIGGER event_heads_remain BEFORE DELETE ON event_heads
BEGIN
    SELECT RAISE(ABORT, 'signatures are not removed');
END;
CREATE TRIGGER event_details_remain BEFORE DELETE ON event_details
BEGIN
    SELECT RAISE(ABORT, 'details of events are not removed');
END;
CREATE TRIGGER event_details_are_new BEFORE INSERT ON event_details
WHEN EXISTS (SELECT 1 FROM event_details WHERE position = NEW.position)
BEGIN
    SELECT RAISE(ABORT, 'details of events are not replaced');
END;
CREATE TRIGGER new_events_stay BEFORE UPDATE ON new_events
BEGIN
    SELECT RAISE(ABORT, 'events are not changed');
END;

-- The history of generated tweets becomes a part of the record. Names of actors are personal data: 'user:3:joe'.
INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'tweet.' || CASE action
        WHEN 'edit' THEN 'edited'
        WHEN 'approve' THEN 'approved'
        WHEN 'reject' THEN 'rejected'
        WHEN 'delete' THEN 'archived'
        WHEN 'restore' THEN 'restored'
        WHEN 'publish' THEN 'posted'
        WHEN 'queue' THEN 'queued'
        ELSE 'unqueued'
    END,
    'generated_tweet',
    CAST(generated_tweet_id AS TEXT),
    NULL,
    CASE
        WHEN actor LIKE 'network:%' THEN 'network'
        WHEN actor LIKE '%:%:%' THEN
            substr(actor, 1, instr(actor, ':') + instr(substr(actor, instr(actor, ':') + 1), ':') - 1)
        ELSE actor
    END,
    NULL,
    '',
    at,
    CASE
        WHEN content_after IS NULL THEN json_object('imported', json('true'), 'from', from_status, 'to', to_status)
        ELSE json_object(
            'imported', json('true'), 'from', from_status, 'to', to_status,
            'before', json_object('content', content_before), 'after', json_object('content', content_after))
    END,
    CASE
        WHEN actor LIKE '%:%' AND note IS NOT NULL THEN json_object('actor', actor, 'note', note)
        WHEN actor LIKE '%:%' THEN json_object('actor', actor)
        WHEN note IS NOT NULL THEN json_object('note', note)
    END
FROM generated_tweet_history
ORDER BY id;
DROP TABLE generated_tweet_history;
