-- What was there before the record of events, or changed without it, comes into the record as it is now: one snapshot of
-- each batch, generated tweet, post, setting, user and API token. With it, the events of an object tell its whole state.

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'batch.snapshot',
    'campaign_batch',
    CAST(id AS TEXT),
    version,
    'system',
    NULL,
    '',
    CAST(unixepoch('subsec') * 1000000 AS INTEGER),
    json_object(
        'snapshot', json('true'),
        'batch_id', batch_id,
        'execution_id', execution_id,
        'after', json_object(
            'title', title,
            'deleted_at', strftime('%Y-%m-%dT%H:%M:%S', deleted_at / 1000000, 'unixepoch') || printf('.%06dZ', deleted_at % 1000000)
        )
    ),
    NULL
FROM campaign_batches
ORDER BY campaign_batches.id;

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'tweet.snapshot',
    'generated_tweet',
    CAST(id AS TEXT),
    version,
    'system',
    NULL,
    '',
    CAST(unixepoch('subsec') * 1000000 AS INTEGER),
    json_object(
        'snapshot', json('true'),
        'batch', campaign_batch_id,
        'tweet_id', tweet_id,
        'after', json_object(
            'content', content,
            'engagement_hook', engagement_hook,
            'status', status,
            'is_edited', json(CASE WHEN is_edited THEN 'true' ELSE 'false' END),
            'approved_at', strftime('%Y-%m-%dT%H:%M:%S', approved_at / 1000000, 'unixepoch') || printf('.%06dZ', approved_at % 1000000),
            'approved_hash', approved_hash,
            'published_at', strftime('%Y-%m-%dT%H:%M:%S', published_at / 1000000, 'unixepoch') || printf('.%06dZ', published_at % 1000000),
            'x_com_post_id', x_com_post_id
        )
    ),
    NULL
FROM generated_tweets
ORDER BY generated_tweets.id;

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'post.snapshot',
    'post',
    CAST(id AS TEXT),
    version,
    'system',
    NULL,
    '',
    CAST(unixepoch('subsec') * 1000000 AS INTEGER),
    json_object(
        'snapshot', json('true'),
        'platform', platform,
        'status', status,
        'is_held', json(CASE WHEN is_held THEN 'true' ELSE 'false' END),
        'scheduled_time', strftime('%Y-%m-%dT%H:%M:%S', scheduled_time / 1000000, 'unixepoch') || printf('.%06dZ', scheduled_time % 1000000),
        'platform_post_id', platform_post_id,
        'url', url
    ),
    NULL
FROM posts
ORDER BY posts.id;

-- The value of a setting that is not declared may be a secret. That of a declared one may be an address or a name.
WITH known AS (
    SELECT key, version, value, sealed IS NULL AND ((key GLOB 'custom.?*' AND key NOT GLOB '*[^A-Za-z0-9._-]*') OR key IN (
        'TRUSTED_INGEST_NETWORKS', 'INGEST_MAX_BYTES', 'INGEST_MAX_ITEMS', 'SOURCE_TWEET_LEASE_SECONDS',
        'SOURCE_TWEET_OFFERS', 'API_MAX_BYTES', 'HTTP_MAX_CONNECTIONS', 'HTTP_CONNECTIONS_PER_ADDRESS',
        'HTTP_KEEP_ALIVE_SECONDS', 'PUBLISH_LEASE_SECONDS', 'PUBLISH_REQUEST_SECONDS',
        'PUBLISH_MISSED_AFTER_SECONDS', 'PUBLISH_AT_ONCE', 'PUBLISH_POLL_SECONDS', 'TWITTER_API_URL',
        'TWITTER_RECONCILE_SECONDS', 'SANDBOX_FAULTS', 'EMAIL_HOST', 'EMAIL_PORT', 'EMAIL_USE_SSL',
        'EMAIL_USE_TLS', 'EMAIL_HOST_USER', 'DEFAULT_FROM_EMAIL', 'GOOGLE_OAUTH_ISSUER',
        'GOOGLE_OAUTH_CLIENT_ID', 'GOOGLE_VERIFICATION_ENABLED', 'PUBLIC_URL', 'SESSION_IDLE_SECONDS',
        'SESSION_LIFE_SECONDS', 'ADMIN_SESSION_IDLE_SECONDS', 'ADMIN_SESSION_LIFE_SECONDS',
        'LOGIN_FAILURES_PER_ACCOUNT', 'LOGIN_FAILURES_PER_CLIENT', 'LOGIN_FAILURE_SECONDS',
        'RECENT_AUTHENTICATION_SECONDS', 'ADMIN_SECOND_FACTOR_REQUIRED', 'VERIFICATION_CODE_DIGITS',
        'REQUESTS_PER_MINUTE', 'LIMITS', 'REGISTRATION_ENABLED', 'NEW_USER_ROLE',
        'DOMAIN_RESTRICTION_ENABLED', 'ALLOWED_DOMAIN', 'SUPER_ADMIN_EMAILS', 'ADMIN_BYPASS',
        'SECURITY_ADMIN_EMAILS', 'ADMIN_NOTIFICATION_EMAILS', 'LOG_USER_AGENTS', 'BREACH_REDIRECT_DELAY',
        'TRUSTED_PROXIES', 'ALLOWED_HOSTS', 'DEBUG'
    )) AS is_public
    FROM app_settings
    WHERE value IS NOT NULL OR sealed IS NOT NULL
)
INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'setting.snapshot',
    'setting',
    key,
    version,
    'system',
    NULL,
    '',
    CAST(unixepoch('subsec') * 1000000 AS INTEGER),
    json_object(
        'snapshot', json('true'),
        'is_secret', json(CASE WHEN NOT is_public THEN 'true' ELSE 'false' END),
        'is_set', json('true')
    ),
    json_object(
        'after', CASE WHEN is_public THEN value END
    )
FROM known
ORDER BY known.key;

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'user.snapshot',
    'account',
    CAST(id AS TEXT),
    version,
    'system',
    id,
    '',
    CAST(unixepoch('subsec') * 1000000 AS INTEGER),
    json_object(
        'snapshot', json('true'),
        'role', role,
        'is_active', json(CASE WHEN is_active THEN 'true' ELSE 'false' END),
        'is_super_admin', json(CASE WHEN is_super_admin THEN 'true' ELSE 'false' END)
    ),
    json_object(
        'username', username,
        'email', email,
        'first_name', first_name,
        'last_name', last_name
    )
FROM users
ORDER BY users.id;

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'token.snapshot',
    'account',
    COALESCE(CAST(user_id AS TEXT), ''),
    NULL,
    'system',
    user_id,
    '',
    CAST(unixepoch('subsec') * 1000000 AS INTEGER),
    json_object(
        'snapshot', json('true'),
        'token', public_id,
        'scopes', scopes,
        'expires_at', strftime('%Y-%m-%dT%H:%M:%S', expires_at / 1000000, 'unixepoch') || printf('.%06dZ', expires_at % 1000000),
        'revoked_at', strftime('%Y-%m-%dT%H:%M:%S', revoked_at / 1000000, 'unixepoch') || printf('.%06dZ', revoked_at % 1000000)
    ),
    json_object(
        'name', name
    )
FROM api_tokens
ORDER BY api_tokens.id;
