//! The operations of the HTTP API that pages call.

use std::fmt::Display;

use waggle_kernel::{Scope, Scopes};

/// An operation, as the API document names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Op {
    /// The operation ID.
    pub id: &'static str,
    pub method: &'static str,
    /// The path. It may have a name in braces in place of the ID of the object.
    pub path: &'static str,
    /// The scope that the caller needs.
    pub scope: Scope,
}

macro_rules! ops {
    ($($name:ident = $method:literal $path:literal, $id:literal, $scope:ident;)+) => {
        $(pub(crate) static $name: Op =
            Op { id: $id, method: $method, path: $path, scope: Scope::$scope };)+

        /// All operations that pages call.
        pub static OPS: &[&Op] = &[$(&$name),+];
    };
}

ops! {
    APPROVE = "POST" "/api/v1/generated-tweets/{id}/approve", "approve_generated_tweet", Approve;
    APPROVE_MANY =
        "POST" "/api/v1/generated-tweets/approve-many", "approve_generated_tweets", Approve;
    WITHDRAW = "POST" "/api/v1/generated-tweets/{id}/withdraw", "withdraw_generated_tweet", Approve;
    REJECT = "POST" "/api/v1/generated-tweets/{id}/reject", "reject_generated_tweet", Write;
    RESTORE = "POST" "/api/v1/generated-tweets/{id}/restore", "restore_generated_tweet", Write;
    DELETE = "DELETE" "/api/v1/generated-tweets/{id}", "delete_generated_tweet", Write;
    MOVE = "POST" "/api/v1/generated-tweets/{id}/move", "move_generated_tweet", Write;
    EDIT = "PATCH" "/api/v1/generated-tweets/{id}", "edit_generated_tweet", Write;
    PUBLISH = "POST" "/api/v1/generated-tweets/{id}/publish", "publish_generated_tweet", Publish;
    PUBLISH_MANY =
        "POST" "/api/v1/generated-tweets/publish-many", "publish_generated_tweets", Publish;
    CANCEL_MANY = "POST" "/api/v1/posts/cancel-many", "cancel_posts", Publish;
    CANCEL = "POST" "/api/v1/posts/{id}/cancel", "cancel_post", Publish;
    RESOLVE = "POST" "/api/v1/posts/{id}/resolve", "resolve_post", Publish;
    DELETE_SOURCES = "POST" "/api/v1/source-tweets/bulk-delete", "delete_source_tweets", Write;
    CREATE_SAMPLE = "POST" "/api/v1/campaign-batches/sample", "create_sample_batch", Ingest;
    SET = "PUT" "/api/v1/settings/{key}", "set_setting", Admin;
    UNSET = "DELETE" "/api/v1/settings/{key}", "unset_setting", Admin;
    UNDO_SETTINGS =
        "POST" "/api/v1/settings/history/{revision}/undo", "undo_settings_change", Admin;
    TEST_SETTINGS = "POST" "/api/v1/settings/test/{group}", "test_settings", Admin;
    CREATE_USER = "POST" "/api/v1/users", "create_user", Admin;
    UPDATE_USER = "PATCH" "/api/v1/users/{id}", "update_user", Admin;
    REMOVE_FACTORS =
        "DELETE" "/api/v1/users/{id}/second-factor", "remove_second_factor_of_user", Admin;
    UPDATE_ME = "PATCH" "/api/v1/me", "update_me", Read;
    CHANGE_PASSWORD = "POST" "/api/v1/me/password", "change_own_password", Read;
    REMOVE_TOTP = "DELETE" "/api/v1/me/second-factor/totp", "remove_totp", Read;
    REMOVE_PASSKEY =
        "DELETE" "/api/v1/me/second-factor/passkeys/{id}", "remove_passkey", Read;
    RENEW_CODES =
        "POST" "/api/v1/me/second-factor/recovery-codes", "renew_recovery_codes", Read;
    END_SESSION = "DELETE" "/api/v1/sessions/{id}", "end_session", Read;
    END_OTHER_SESSIONS = "DELETE" "/api/v1/sessions", "end_other_sessions", Read;
    CHOOSE = "PATCH" "/api/v1/me/notifications", "update_notification_choices", Read;
    MARK_READ = "POST" "/api/v1/notifications/read", "read_notifications", Read;
    CREATE_TOKEN = "POST" "/api/v1/tokens", "create_token", Read;
    REVOKE_TOKEN = "DELETE" "/api/v1/tokens/{id}", "revoke_token", Read;
    REVOKE_ANY_TOKEN = "DELETE" "/api/v1/users/tokens/{id}", "revoke_any_token", Admin;
}

impl Op {
    /// Whether somebody with these scopes may call it.
    pub(crate) const fn is_granted(&self, scopes: Scopes) -> bool {
        scopes.grant(self.scope)
    }

    /// The path for an object.
    pub(crate) fn path_of(&self, id: impl Display) -> String {
        match (self.path.split_once('{'), self.path.split_once('}')) {
            (Some((begin, _)), Some((_, end))) => format!("{begin}{id}{end}"),
            _ => self.path.to_owned(),
        }
    }
}
