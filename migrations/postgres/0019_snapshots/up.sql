-- What was there before the record of events, or changed without it, comes into the record as it is now: one snapshot of
-- each batch, generated tweet, post, setting, user and API token. With it, the events of an object tell its whole state.

-- Nothing may be written between a snapshot and the next event of its object.
LOCK TABLE campaign_batches, posts, generated_tweets, app_settings, users, api_tokens IN SHARE MODE;

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'batch.snapshot',
    'campaign_batch',
    id::text,
    version,
    'system',
    NULL,
    '',
    now(),
    json_build_object(
        'snapshot', TRUE,
        'batch_id', batch_id,
        'execution_id', execution_id,
        'after', json_build_object(
            'title', title,
            'deleted_at', to_char(deleted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        )
    )::text,
    NULL
FROM campaign_batches
ORDER BY campaign_batches.id;

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'tweet.snapshot',
    'generated_tweet',
    id::text,
    version,
    'system',
    NULL,
    '',
    now(),
    json_build_object(
        'snapshot', TRUE,
        'batch', campaign_batch_id,
        'tweet_id', tweet_id,
        'after', json_build_object(
            'content', content,
            'engagement_hook', engagement_hook,
            'status', status,
            'is_edited', is_edited,
            'approved_at', to_char(approved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'approved_hash', approved_hash,
            'published_at', to_char(published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'x_com_post_id', x_com_post_id
        )
    )::text,
    NULL
FROM generated_tweets
ORDER BY generated_tweets.id;

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'post.snapshot',
    'post',
    id::text,
    version,
    'system',
    NULL,
    '',
    now(),
    json_build_object(
        'snapshot', TRUE,
        'platform', platform,
        'status', status,
        'is_held', is_held,
        'scheduled_time', to_char(scheduled_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'platform_post_id', platform_post_id,
        'url', url
    )::text,
    NULL
FROM posts
ORDER BY posts.id;

-- The value of a setting that is not declared may be a secret. That of a declared one may be an address or a name.
WITH known AS (
    SELECT key, version, value, sealed IS NULL AND (key ~ '^custom\.[A-Za-z0-9._-]+$' OR key IN (
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
    now(),
    json_build_object(
        'snapshot', TRUE,
        'is_secret', NOT is_public,
        'is_set', TRUE
    )::text,
    json_build_object(
        'after', CASE WHEN is_public THEN value END
    )::text
FROM known
ORDER BY known.key;

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'user.snapshot',
    'account',
    id::text,
    version,
    'system',
    id,
    '',
    now(),
    json_build_object(
        'snapshot', TRUE,
        'role', role,
        'is_active', is_active,
        'is_super_admin', is_super_admin
    )::text,
    json_build_object(
        'username', username,
        'email', email,
        'first_name', first_name,
        'last_name', last_name
    )::text
FROM users
ORDER BY users.id;

INSERT INTO new_events (kind, object_kind, object_id, version, actor, user_id, request_id, at, change, personal)
SELECT
    'token.snapshot',
    'account',
    COALESCE(user_id::text, ''),
    NULL,
    'system',
    user_id,
    '',
    now(),
    json_build_object(
        'snapshot', TRUE,
        'token', public_id,
        'scopes', scopes,
        'expires_at', to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'revoked_at', to_char(revoked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    )::text,
    json_build_object(
        'name', name
    )::text
FROM api_tokens
ORDER BY api_tokens.id;
