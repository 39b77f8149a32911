//! The tables, defined once for both databases; `migrations/` creates them.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use crate::types::UtcMicros;

    api_tokens (id) {
        id -> BigInt,
        public_id -> Text,
        hash -> Binary,
        name -> Text,
        scopes -> Text,
        created_at -> UtcMicros,
        expires_at -> Nullable<UtcMicros>,
        revoked_at -> Nullable<UtcMicros>,
        last_used_at -> Nullable<UtcMicros>,
        user_id -> Nullable<BigInt>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use crate::types::UtcMicros;

    app_settings (key) {
        key -> Text,
        value -> Nullable<Text>,
        description -> Text,
        created_at -> UtcMicros,
        updated_at -> UtcMicros,
        sealed -> Nullable<Binary>,
        sealed_by -> Nullable<Text>,
        version -> BigInt,
        updated_by -> Text,
    }
}

table! {
    use diesel::sql_types::{BigInt, Nullable, Text};

    setting_state (id) {
        id -> BigInt,
        revision -> BigInt,
        master_key -> Nullable<Text>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
    use crate::types::UtcMicros;

    setting_changes (id) {
        id -> BigInt,
        revision -> BigInt,
        key -> Text,
        action -> Text,
        from_value -> Nullable<Text>,
        from_sealed -> Nullable<Binary>,
        from_sealed_by -> Nullable<Text>,
        from_version -> Nullable<BigInt>,
        to_value -> Nullable<Text>,
        is_set -> Bool,
        changed_at -> UtcMicros,
        changed_by -> Text,
    }
}

table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use crate::types::UtcMicros;

    source_tweets (id) {
        id -> BigInt,
        tweet_id -> Text,
        url -> Text,
        content -> Text,
        likes -> BigInt,
        retweets -> BigInt,
        replies -> BigInt,
        quotes -> BigInt,
        views -> BigInt,
        total_engagement -> BigInt,
        date -> UtcMicros,
        date_raw -> Text,
        status -> Text,
        tweet_url -> Text,
        execution_id -> Text,
        source_url -> Text,
        run_key -> Text,
        received_from -> Text,
        unauthenticated -> Bool,
        processed_at -> UtcMicros,
        refreshed_at -> Nullable<UtcMicros>,
        is_processed -> Bool,
        lease -> Nullable<Text>,
        leased_until -> Nullable<UtcMicros>,
        offers -> BigInt,
        offered_at -> Nullable<UtcMicros>,
        address -> Text,
        lapsed_at -> Nullable<UtcMicros>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Bool, Double, Json, Nullable, Text};
    use crate::types::UtcMicros;

    campaign_batches (id) {
        id -> BigInt,
        batch_id -> Text,
        claimed_batch_id -> Text,
        analysis_summary -> Json,
        brand_alignment_score -> Nullable<Double>,
        total_tweets -> BigInt,
        ready_for_deployment -> BigInt,
        source_type -> Text,
        title -> Text,
        description -> Text,
        generated_at -> Nullable<Text>,
        execution_id -> Nullable<Text>,
        status -> Text,
        received_from -> Text,
        unauthenticated -> Bool,
        created_at -> UtcMicros,
        deleted_at -> Nullable<UtcMicros>,
        version -> BigInt,
    }
}

table! {
    use diesel::sql_types::BigInt;

    campaign_batch_sources (campaign_batch_id, source_tweet_id) {
        campaign_batch_id -> BigInt,
        source_tweet_id -> BigInt,
    }
}

table! {
    use diesel::sql_types::{BigInt, Bool, Json, Nullable, Text};
    use crate::types::UtcMicros;

    generated_tweets (id) {
        id -> BigInt,
        campaign_batch_id -> BigInt,
        tweet_id -> Text,
        #[sql_name = "type"]
        kind -> Text,
        content -> Text,
        character_count -> BigInt,
        claimed_character_count -> Nullable<BigInt>,
        engagement_hook -> Text,
        coophive_elements -> Json,
        discord_voice_patterns -> Json,
        theme_connection -> Text,
        ready_for_deployment -> Bool,
        claimed_ready -> Nullable<Bool>,
        fingerprint -> Text,
        status -> Text,
        is_edited -> Bool,
        approved_by -> Nullable<Text>,
        approved_at -> Nullable<UtcMicros>,
        approved_hash -> Nullable<Text>,
        created_at -> UtcMicros,
        updated_at -> UtcMicros,
        published_at -> Nullable<UtcMicros>,
        x_com_post_id -> Nullable<Text>,
        version -> BigInt,
        place -> Nullable<BigInt>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::types::UtcMicros;

    new_events (id) {
        id -> BigInt,
        kind -> Text,
        object_kind -> Text,
        object_id -> Text,
        version -> Nullable<BigInt>,
        actor -> Text,
        user_id -> Nullable<BigInt>,
        request_id -> Text,
        at -> UtcMicros,
        change -> Nullable<Text>,
        personal -> Nullable<Text>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use crate::types::UtcMicros;

    events (position) {
        position -> BigInt,
        kind -> Text,
        object_kind -> Text,
        object_id -> Text,
        version -> Nullable<BigInt>,
        actor -> Text,
        user_id -> Nullable<BigInt>,
        request_id -> Text,
        at -> UtcMicros,
        change_hash -> Nullable<Binary>,
        personal_hash -> Nullable<Binary>,
        hash -> Binary,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};

    event_details (position) {
        position -> BigInt,
        change_salt -> Nullable<Binary>,
        change -> Nullable<Text>,
        personal_salt -> Nullable<Binary>,
        personal -> Nullable<Text>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Text};

    event_chain (id) {
        id -> BigInt,
        position -> BigInt,
        hash -> Binary,
        epoch -> Text,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary};
    use crate::types::UtcMicros;

    setup_link (id) {
        id -> BigInt,
        token_hash -> Binary,
        expires_at -> UtcMicros,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Text};
    use crate::types::UtcMicros;

    event_checkpoint (id) {
        id -> BigInt,
        position -> BigInt,
        hash -> Binary,
        head_number -> BigInt,
        head_hash -> Binary,
        signed_at -> UtcMicros,
        key -> Text,
        signature -> Binary,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Text};
    use crate::types::UtcMicros;

    event_heads (number) {
        number -> BigInt,
        position -> BigInt,
        hash -> Binary,
        signed_at -> UtcMicros,
        key -> Text,
        signature -> Binary,
    }
}

table! {
    use diesel::sql_types::{BigInt, Bool, Json, Nullable, Text};
    use crate::types::UtcMicros;

    posts (id) {
        id -> BigInt,
        platform -> Text,
        content -> Text,
        status -> Text,
        scheduled_time -> Nullable<UtcMicros>,
        published_time -> Nullable<UtcMicros>,
        platform_post_id -> Text,
        url -> Text,
        likes -> BigInt,
        shares -> BigInt,
        comments -> BigInt,
        views -> BigInt,
        hashtags -> Json,
        mentions -> Json,
        media_urls -> Json,
        approved_by -> Text,
        approved_at -> UtcMicros,
        approved_hash -> Text,
        due_at -> Nullable<UtcMicros>,
        fence -> BigInt,
        attempts -> BigInt,
        last_error -> Nullable<Text>,
        created_at -> UtcMicros,
        updated_at -> UtcMicros,
        version -> BigInt,
        round -> BigInt,
        is_held -> Bool,
    }
}

table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::types::UtcMicros;

    public_posts (platform, platform_post_id) {
        platform -> Text,
        platform_post_id -> Text,
        post_id -> BigInt,
        url -> Text,
        found_at -> UtcMicros,
    }
}

table! {
    use diesel::sql_types::{BigInt, Bool, Double, Json, Nullable, Text};

    twitter_posts (post_id) {
        post_id -> BigInt,
        reply_to_tweet_id -> Text,
        quoted_tweet_id -> Text,
        is_thread -> Bool,
        thread_position -> BigInt,
        retweets -> BigInt,
        quote_tweets -> BigInt,
        bookmarks -> BigInt,
        impressions -> BigInt,
        generated_tweet_id -> Nullable<BigInt>,
        campaign_batch_id -> Nullable<BigInt>,
        brand_alignment_score -> Nullable<Double>,
        audience_target -> Nullable<Text>,
        coophive_elements -> Nullable<Json>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Json, Nullable, Text};
    use crate::types::UtcMicros;

    deliveries (id) {
        id -> BigInt,
        post_id -> BigInt,
        attempt -> BigInt,
        round -> BigInt,
        state -> Text,
        platform -> Text,
        channel -> Text,
        key -> Text,
        request -> Json,
        hash -> Text,
        marker -> Nullable<Text>,
        started_at -> UtcMicros,
        settled_at -> Nullable<UtcMicros>,
        platform_post_id -> Nullable<Text>,
        error -> Nullable<Text>,
        looks -> BigInt,
        absences -> BigInt,
    }
}

table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use crate::types::UtcMicros;

    users (id) {
        id -> BigInt,
        username -> Text,
        username_folded -> Text,
        email -> Text,
        email_verified_at -> Nullable<UtcMicros>,
        first_name -> Text,
        last_name -> Text,
        role -> Text,
        is_active -> Bool,
        is_super_admin -> Bool,
        password -> Text,
        date_joined -> UtcMicros,
        last_login -> Nullable<UtcMicros>,
        version -> BigInt,
        has_second_factor -> Bool,
        time_zone -> Nullable<Text>,
        after_approval -> Text,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Text};
    use crate::types::UtcMicros;

    sessions (id) {
        id -> BigInt,
        hash -> Binary,
        user_id -> BigInt,
        created_at -> UtcMicros,
        authenticated_at -> UtcMicros,
        last_used_at -> UtcMicros,
        idle_until -> UtcMicros,
        ends_at -> UtcMicros,
        ip -> Text,
        user_agent -> Text,
        is_pending -> Bool,
    }
}

table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::types::UtcMicros;

    limit_counters (key) {
        key -> Text,
        count -> BigInt,
        window_ends_at -> UtcMicros,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Json, Nullable, Text};
    use crate::types::UtcMicros;

    verification_codes (id) {
        id -> BigInt,
        purpose -> Text,
        address -> Text,
        flow -> Binary,
        key -> Text,
        code -> Binary,
        link -> Binary,
        intent -> Text,
        user_id -> Nullable<BigInt>,
        details -> Json,
        asked_by -> BigInt,
        tries -> BigInt,
        created_at -> UtcMicros,
        expires_at -> UtcMicros,
        used_at -> Nullable<UtcMicros>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Json, Nullable, Text};
    use crate::types::UtcMicros;

    mails (id) {
        id -> BigInt,
        recipient -> Text,
        letter -> Text,
        data -> Json,
        proof_key -> Nullable<Text>,
        proof -> Nullable<Binary>,
        created_at -> UtcMicros,
        useless_at -> UtcMicros,
        due_at -> Nullable<UtcMicros>,
        tries -> BigInt,
        last_error -> Nullable<Text>,
        unknown_ends -> BigInt,
    }
}

table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::types::UtcMicros;

    google_accounts (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        user_id -> BigInt,
        linked_at -> UtcMicros,
    }
}

table! {
    use diesel::sql_types::{Binary, Text};
    use crate::types::UtcMicros;

    google_sign_ins (hash) {
        hash -> Binary,
        return_to -> Text,
        expires_at -> UtcMicros,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Text};
    use crate::types::UtcMicros;

    totp_apps (user_id) {
        user_id -> BigInt,
        key -> Text,
        secret -> Binary,
        is_confirmed -> Bool,
        last_step -> BigInt,
        created_at -> UtcMicros,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary};

    recovery_codes (user_id, hash) {
        user_id -> BigInt,
        hash -> Binary,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use crate::types::UtcMicros;

    passkeys (id) {
        id -> BigInt,
        user_id -> BigInt,
        name -> Text,
        credential_id -> Binary,
        public_key -> Binary,
        state -> Binary,
        created_at -> UtcMicros,
        last_used_at -> Nullable<UtcMicros>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Binary, Text};
    use crate::types::UtcMicros;

    passkey_challenges (session_id, purpose) {
        session_id -> BigInt,
        purpose -> Text,
        state -> Binary,
        expires_at -> UtcMicros,
    }
}

joinable!(api_tokens -> users (user_id));
joinable!(generated_tweets -> campaign_batches (campaign_batch_id));
joinable!(google_accounts -> users (user_id));
joinable!(sessions -> users (user_id));
joinable!(twitter_posts -> posts (post_id));
allow_tables_to_appear_in_same_query!(
    api_tokens,
    campaign_batches,
    campaign_batch_sources,
    deliveries,
    generated_tweets,
    google_accounts,
    posts,
    public_posts,
    sessions,
    source_tweets,
    twitter_posts,
    users,
);

table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use crate::types::UtcMicros;

    idempotency_keys (id) {
        id -> BigInt,
        caller -> Text,
        key -> Text,
        fingerprint -> Binary,
        status -> BigInt,
        content_type -> Text,
        answer -> Nullable<Binary>,
        created_at -> UtcMicros,
    }
}

table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::types::UtcMicros;

    notifications (id) {
        id -> BigInt,
        user_id -> BigInt,
        kind -> Text,
        object_id -> Text,
        batch_id -> Nullable<BigInt>,
        summary -> Text,
        created_at -> UtcMicros,
        read_at -> Nullable<UtcMicros>,
        mail_due_at -> Nullable<UtcMicros>,
    }
}

table! {
    use diesel::sql_types::{BigInt, Json, Nullable};
    use crate::types::UtcMicros;

    notification_choices (user_id) {
        user_id -> BigInt,
        digest_hour -> BigInt,
        deliveries -> Json,
        mailed_at -> Nullable<UtcMicros>,
    }
}

table! {
    use diesel::sql_types::BigInt;

    notification_position (id) {
        id -> BigInt,
        position -> BigInt,
    }
}

joinable!(notification_choices -> users (user_id));
joinable!(notifications -> users (user_id));
allow_tables_to_appear_in_same_query!(notification_choices, notifications, users);
allow_tables_to_appear_in_same_query!(event_chain, notification_position);
