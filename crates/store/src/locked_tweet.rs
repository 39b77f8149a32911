//! The part of a generated tweet that a transaction needs after locking it.

/// The part of a generated tweet that a transaction needs after locking it.
#[derive(diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::schema::generated_tweets)]
pub(crate) struct LockedTweet {
    pub(crate) status: String,
    pub(crate) approved_hash: Option<String>,
    pub(crate) version: i64,
}

impl LockedTweet {
    /// Whether the tweet is approved with the content that has this hash.
    pub(crate) fn is_approved_with(&self, hash: waggle_kernel::ContentHash) -> bool {
        self.status == waggle_twitter_n8n::Status::Approved.name()
            && self.approved_hash.as_deref() == Some(hash.to_string().as_str())
    }
}
