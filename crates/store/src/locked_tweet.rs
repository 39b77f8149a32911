//! What a transaction that has locked a generated tweet knows of it.

/// What a transaction that has locked a generated tweet needs to know of it.
#[derive(diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::schema::generated_tweets)]
pub(crate) struct LockedTweet {
    pub(crate) status: String,
    pub(crate) approved_hash: Option<String>,
    pub(crate) version: i64,
}

impl LockedTweet {
    /// Whether it is approved with the content that has this hash.
    pub(crate) fn is_approved_with(&self, hash: waggle_kernel::ContentHash) -> bool {
        self.status == waggle_twitter_n8n::Status::Approved.name()
            && self.approved_hash.as_deref() == Some(hash.to_string().as_str())
    }
}
