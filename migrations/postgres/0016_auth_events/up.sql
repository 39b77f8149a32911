-- The audit log of authentication becomes a part of the record of all events, and so do changes of settings. Everything
-- but the kind, the actor and the user of an auth event may be personal data.
-- Nothing may be written between the copy and the end of the table.
LOCK TABLE auth_events IN ACCESS EXCLUSIVE MODE;
INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    CASE
        WHEN starts_with(event_type, 'TOKEN_') THEN 'token.' || lower(substr(event_type, 7))
        WHEN starts_with(event_type, 'USER_') THEN 'user.' || lower(substr(event_type, 6))
        ELSE 'user.' || lower(event_type)
    END,
    'account',
    COALESCE(user_id::text, ''),
    NULL,
    CASE
        WHEN actor LIKE 'network:%' THEN 'network'
        WHEN actor LIKE '%:%:%' THEN split_part(actor, ':', 1) || ':' || split_part(actor, ':', 2)
        ELSE actor
    END,
    user_id,
    request_id,
    timestamp,
    '{"imported":true}',
    -- The details are put in as they are.
    left(json_strip_nulls(json_build_object(
        'imported', TRUE,
        'actor', CASE WHEN actor LIKE '%:%' THEN actor END,
        'email', NULLIF(email, ''),
        'ip', NULLIF(ip, ''),
        'user_agent', NULLIF(user_agent, '')
    ))::text, -1) || ',"metadata":' || metadata::text || '}'
FROM auth_events
ORDER BY id;
DROP TABLE auth_events;
DROP FUNCTION auth_events_stay;

-- The values stay where a change can be undone.
INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'setting.changed',
    'setting',
    key,
    revision,
    CASE
        WHEN changed_by LIKE '%:%:%' THEN split_part(changed_by, ':', 1) || ':' || split_part(changed_by, ':', 2)
        ELSE changed_by
    END,
    NULL,
    '',
    changed_at,
    json_build_object(
        'imported', TRUE, 'action', action, 'was_set', from_version IS NOT NULL, 'is_set', is_set)::text,
    CASE WHEN changed_by LIKE '%:%' THEN json_build_object('actor', changed_by)::text END
FROM setting_changes
ORDER BY id;

CREATE INDEX events_object_kind ON events (object_kind, at, position);
