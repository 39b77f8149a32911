-- The audit log of authentication becomes a part of the record of all events, and so do changes of settings. Everything
-- but the kind, the actor and the user of an auth event may be personal data.
INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    CASE
        WHEN substr(event_type, 1, 6) = 'TOKEN_' THEN 'token.' || lower(substr(event_type, 7))
        WHEN substr(event_type, 1, 5) = 'USER_' THEN 'user.' || lower(substr(event_type, 6))
        ELSE 'user.' || lower(event_type)
    END,
    'account',
    COALESCE(CAST(user_id AS TEXT), ''),
    NULL,
    CASE
        WHEN actor LIKE 'network:%' THEN 'network'
        WHEN actor LIKE '%:%:%' THEN
            substr(actor, 1, instr(actor, ':') + instr(substr(actor, instr(actor, ':') + 1), ':') - 1)
        ELSE actor
    END,
    user_id,
    request_id,
    timestamp,
    '{"imported":true}',
    -- A merge patch leaves out what is null. The details are put in as they are.
    json_set(
        json_patch('{}', json_object(
            'actor', CASE WHEN actor LIKE '%:%' THEN actor END,
            'email', NULLIF(email, ''),
            'ip', NULLIF(ip, ''),
            'user_agent', NULLIF(user_agent, '')
        )),
        '$.metadata', json(metadata)
    )
FROM auth_events
ORDER BY id;
DROP TABLE auth_events;

-- The values stay where a change can be undone.
INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'setting.changed',
    'setting',
    key,
    revision,
    CASE
        WHEN changed_by LIKE '%:%:%' THEN
            substr(changed_by, 1, instr(changed_by, ':') + instr(substr(changed_by, instr(changed_by, ':') + 1), ':') - 1)
        ELSE changed_by
    END,
    NULL,
    '',
    changed_at,
    json_object(
        'imported', json('true'),
        'action', action,
        'was_set', json(CASE WHEN from_version IS NOT NULL THEN 'true' ELSE 'false' END),
        'is_set', json(CASE WHEN is_set THEN 'true' ELSE 'false' END)),
    CASE WHEN changed_by LIKE '%:%' THEN json_object('actor', changed_by) END
FROM setting_changes
ORDER BY id;

CREATE INDEX events_object_kind ON events (object_kind, at, position);

-- What SQLite's planner shall assume, as for the other tables: one actor, kind or user has few of the events, and each time
-- is that of one event.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('events', 'events_object', '1000000 200000 10 1'),
    ('events', 'events_object_kind', '1000000 200000 1 1'),
    ('events', 'events_actor', '1000000 10000 1 1'),
    ('events', 'events_kind', '1000000 50000 1 1'),
    ('events', 'events_user', '100000 1000 1 1'),
    ('events', 'events_at', '1000000 1 1');
-- Loads them.
ANALYZE sqlite_schema;
