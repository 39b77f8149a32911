//! Generated tweets: drafted by a workflow, reviewed by people.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, Version};
use waggle_kernel::{Actor, ContentHash, Publication, event_time, hex};
use waggle_text::{MOST, refused_character, weighted_length};

use crate::status::{Action, Status};
use crate::unrendered::unrendered_part;

/// A tweet as a workflow submits it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGeneratedTweet {
    /// The name of the tweet in its batch: the workflow's own, unless another tweet has it.
    pub tweet_id: String,
    /// The name that the workflow gave the tweet; empty if none.
    pub claimed_id: String,
    /// The kind of tweet, as defined by the workflow: at most 50 characters.
    pub kind: String,
    /// The text.
    pub content: String,
    /// The length that the workflow reports.
    pub claimed_character_count: Option<i64>,
    /// Whether the workflow considers the tweet ready.
    pub claimed_ready: Option<bool>,
    /// The part that should attract readers' attention.
    pub engagement_hook: String,
    /// The elements of the brand that the tweet contains.
    pub coophive_elements: Value,
    /// The patterns of the brand's voice that the tweet contains.
    pub discord_voice_patterns: Value,
    /// How the tweet relates to the theme.
    pub theme_connection: String,
    /// Whether a person edited the tweet before it was submitted.
    pub is_edited: bool,
}

impl NewGeneratedTweet {
    /// The maximum length of a stored text, in characters. A text that can be published is shorter.
    pub const MOST_CONTENT: usize = 25_000;

    /// Creates a tweet that has only a name and a text.
    pub fn new(tweet_id: impl Into<String>, content: impl Into<String>) -> Self {
        let tweet_id = tweet_id.into();
        Self {
            claimed_id: tweet_id.clone(),
            tweet_id,
            kind: "generated".to_owned(),
            content: content.into(),
            claimed_character_count: None,
            claimed_ready: None,
            engagement_hook: String::new(),
            coophive_elements: Value::Array(Vec::new()),
            discord_voice_patterns: Value::Array(Vec::new()),
            theme_connection: String::new(),
            is_edited: false,
        }
    }

    /// The SHA-256, in hexadecimal, that identifies this tweet among all submitted tweets.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        let fields = [
            &self.claimed_id,
            &self.kind,
            &self.content,
            &self.engagement_hook,
            &self.theme_connection,
            &self.coophive_elements.to_string(),
            &self.discord_voice_patterns.to_string(),
        ];
        for field in fields {
            hasher.update(field.len().to_be_bytes());
            hasher.update(field.as_bytes());
        }
        hex(&hasher.finalize())
    }
}

/// Who approved what, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who approved, as displayed by [`Actor`].
    pub by: String,
    pub at: DateTime<Utc>,
    /// The hash of the publication that was approved.
    pub hash: ContentHash,
}

/// A generated tweet as it is stored. [`GeneratedTweet::stored`] turns it into the entity.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTweet {
    /// Waggle's id of the tweet.
    pub id: GeneratedTweetId,
    pub batch: CampaignBatchId,
    /// The submitted tweet, with its current text.
    pub tweet: NewGeneratedTweet,
    pub status: Status,
    /// The approval, if the tweet is approved.
    pub approval: Option<Approval>,
    /// When the tweet was received.
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    /// The platform's id of the post. An id of the sandbox starts with `sandbox`.
    pub x_com_post_id: Option<String>,
    pub version: Version,
}

/// A generated tweet. Every change is a method that consumes it, so that no change can bypass the
/// rules.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedTweet(StoredTweet);

impl GeneratedTweet {
    /// Creates a tweet that was just received.
    pub fn received(
        id: GeneratedTweetId,
        batch: CampaignBatchId,
        tweet: NewGeneratedTweet,
        now: DateTime<Utc>,
    ) -> Self {
        let status = if tweet.is_edited { Status::Draft } else { Status::BrandAligned };
        Self(StoredTweet {
            id,
            batch,
            tweet,
            status,
            approval: None,
            created_at: now,
            updated_at: now,
            published_at: None,
            x_com_post_id: None,
            version: Version::FIRST,
        })
    }

    /// Creates the entity from its stored form.
    pub const fn stored(stored: StoredTweet) -> Self {
        Self(stored)
    }

    /// All fields of the tweet.
    pub const fn view(&self) -> &StoredTweet {
        &self.0
    }

    /// Waggle's id of the tweet.
    pub const fn id(&self) -> GeneratedTweetId {
        self.0.id
    }

    /// The current status.
    pub const fn status(&self) -> Status {
        self.0.status
    }

    /// The approval, if the tweet is approved.
    pub const fn approval(&self) -> Option<&Approval> {
        self.0.approval.as_ref()
    }

    /// The stored version.
    pub const fn version(&self) -> Version {
        self.0.version
    }

    /// Returns the tweet with the version that the store assigned.
    #[must_use]
    pub const fn saved_as(mut self, version: Version) -> Self {
        self.0.version = version;
        self
    }

    /// What changes of a tweet in the course of time, as events tell it. Who approved it is told by
    /// the event of the approval.
    pub fn state(&self) -> Map<String, Value> {
        let (stored, approval) = (&self.0, self.approval());
        let state = json!({
            "content": stored.tweet.content,
            "engagement_hook": stored.tweet.engagement_hook,
            "status": stored.status.name(),
            "is_edited": stored.tweet.is_edited,
            "approved_at": approval.map(|approval| event_time(approval.at)),
            "approved_hash": approval.map(|approval| approval.hash.to_string()),
            "published_at": stored.published_at.map(event_time),
            "x_com_post_id": stored.x_com_post_id,
        });
        if let Value::Object(state) = state { state } else { Map::new() }
    }

    /// The content to publish.
    pub fn publication(&self) -> Publication {
        Publication::of_text(self.0.tweet.content.clone())
    }

    /// The length of the text as X counts it.
    pub fn character_count(&self) -> u32 {
        weighted_length(&self.0.tweet.content)
    }

    /// Why X would not accept the text; `None` if X would.
    pub fn unfit(&self) -> Option<Unfit> {
        Unfit::of(&self.0.tweet.content)
    }

    /// Whether the text is ready to be published: X would accept it, and the workflow did not say
    /// that it is not ready. An edit by a person overrides the workflow.
    pub fn ready_for_deployment(&self) -> bool {
        self.unfit().is_none()
            && (self.0.tweet.claimed_ready != Some(false) || self.0.tweet.is_edited)
    }

    /// Changes the content. An approval is withdrawn.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] unless the tweet is waiting for a decision or approved.
    pub fn edit(
        self,
        content: Option<String>,
        engagement_hook: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<Self, MoveRefused> {
        let mut moved = self.moved(Action::Edit, now)?;
        if let Some(content) = content {
            moved.0.tweet.content = content;
        }
        if let Some(hook) = engagement_hook {
            moved.0.tweet.engagement_hook = hook;
        }
        moved.0.tweet.is_edited = true;
        Ok(moved)
    }

    /// Approves exactly the current content.
    ///
    /// # Errors
    ///
    /// - [`MoveRefused::Illegal`] unless the tweet is waiting for a decision.
    /// - [`MoveRefused::Unfit`] if X would not accept the text.
    pub fn approve(self, by: &Actor, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        let unfit = self.unfit();
        let mut moved = self.moved(Action::Approve, now)?;
        if let Some(unfit) = unfit {
            return Err(MoveRefused::Unfit(unfit));
        }
        moved.0.approval =
            Some(Approval { by: by.to_string(), at: now, hash: moved.publication().hash() });
        Ok(moved)
    }

    /// Rejects the tweet.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] unless the tweet is waiting for a decision or approved.
    pub fn reject(self, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        self.moved(Action::Reject, now)
    }

    /// Deletes the tweet. It can be restored.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] if the tweet is posted or already deleted.
    pub fn delete(self, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        self.moved(Action::Delete, now)
    }

    /// Restores a rejected or deleted tweet. It waits for a decision again.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] unless the tweet is rejected or deleted.
    pub fn restore(self, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        self.moved(Action::Restore, now).map(Self::waiting)
    }

    /// Withdraws the approval. The tweet waits for a decision again.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] unless the tweet is approved.
    pub fn withdraw(self, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        self.moved(Action::Withdraw, now).map(Self::waiting)
    }

    /// The tweet as it waits for a decision: as a draft if a person edited it.
    const fn waiting(mut self) -> Self {
        if self.0.tweet.is_edited {
            self.0.status = Status::Draft;
        }
        self
    }

    fn moved(mut self, action: Action, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        let status = self.0.status;
        self.0.status = status.after(action).ok_or(MoveRefused::Illegal { status, action })?;
        // An approval applies only to the tweet as it was, so every change withdraws it.
        self.0.approval = None;
        self.0.updated_at = now;
        Ok(self)
    }
}

/// Why a text cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    #[error("the text is empty")]
    Empty,
    /// The text has a placeholder that the workflow did not fill in.
    #[error("the text contains '{part}', which the workflow did not fill in")]
    Unrendered {
        /// The placeholder, shortened to 40 characters.
        part: String,
    },
    #[error("the text has {length} characters as X counts them; at most {MOST} are allowed")]
    TooLong {
        /// The length of the text as X counts it.
        length: u32,
    },
    /// The text contains a character that X refuses.
    #[error("the text contains the character U+{:04X}, which X refuses", u32::from(*character))]
    Character {
        /// The first such character.
        character: char,
    },
}

impl Unfit {
    /// Why X would not accept `text`; `None` if X would.
    pub fn of(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::Empty);
        }
        if let Some(part) = unrendered_part(text) {
            return Some(Self::Unrendered { part: part.chars().take(40).collect() });
        }
        if let Some(character) = refused_character(text) {
            return Some(Self::Character { character });
        }
        let length = weighted_length(text);
        (length > MOST).then_some(Self::TooLong { length })
    }
}

/// Why a change is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoveRefused {
    /// The status of the tweet does not allow the action.
    #[error("cannot {action} the tweet: its status is {status}")]
    Illegal { status: Status, action: Action },
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// Selects generated tweets. A filter that is `None` matches every tweet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TweetFilter {
    /// The text contains this, ignoring case.
    pub search: Option<String>,
    /// The tweet belongs to this batch.
    pub batch: Option<CampaignBatchId>,
    pub status: Option<Status>,
    /// Whether the tweet waits for a decision.
    pub waiting: Option<bool>,
    pub kind: Option<String>,
    /// Whether the tweet is ready to be published.
    pub ready: Option<bool>,
    /// Whether a person edited the tweet.
    pub is_edited: Option<bool>,
    /// The tweet was received at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// The tweet was received before this time.
    pub created_before: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waggle_kernel::{Clock as _, FixedClock};

    use super::*;

    fn waiting(content: &str) -> GeneratedTweet {
        GeneratedTweet::received(
            GeneratedTweetId::new(1),
            CampaignBatchId::new(1),
            NewGeneratedTweet::new("t-1", content),
            FixedClock::noon().now(),
        )
    }

    #[test]
    fn a_tweet_that_is_too_long_is_stored_but_cannot_be_approved() {
        let tweet = waiting(&"x".repeat(281));

        assert!(!tweet.ready_for_deployment());
        assert_eq!(
            tweet.approve(&Actor::system(), FixedClock::noon().now()),
            Err(MoveRefused::Unfit(Unfit::TooLong { length: 281 }))
        );
    }

    #[test]
    fn an_empty_text_and_a_refused_character_cannot_be_published() {
        assert_eq!(Unfit::of(" \n"), Some(Unfit::Empty));
        assert_eq!(Unfit::of("a\u{feff}"), Some(Unfit::Character { character: '\u{feff}' }));
        assert_eq!(Unfit::of("fine"), None);
    }

    #[test]
    fn a_restored_tweet_is_a_draft_only_if_it_was_edited() {
        let now = FixedClock::noon().now();

        let untouched = waiting("x").reject(now).and_then(|tweet| tweet.restore(now)).unwrap();
        let edited = waiting("x")
            .edit(Some("y".into()), None, now)
            .and_then(|tweet| tweet.delete(now))
            .and_then(|tweet| tweet.restore(now))
            .unwrap();

        assert_eq!(untouched.status(), Status::BrandAligned);
        assert_eq!(edited.status(), Status::Draft);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Edit(String),
        Approve,
        Reject,
        Delete,
        Restore,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            "[a-z]{0,3}".prop_map(Step::Edit),
            Just(Step::Approve),
            Just(Step::Reject),
            Just(Step::Delete),
            Just(Step::Restore),
        ]
    }

    proptest! {
        /// After any sequence of actions, an approved tweet has exactly the content that was
        /// approved.
        #[test]
        fn an_approval_always_has_the_hash_of_the_current_content(
            steps in proptest::collection::vec(step(), 0..24),
        ) {
            let now = FixedClock::noon().now();
            let mut tweet = waiting("first words");
            let mut approved = None;
            for step in steps {
                let before = tweet.clone();
                let result = match step {
                    Step::Edit(words) => tweet.edit(Some(words), None, now),
                    Step::Approve => {
                        let seen = tweet.publication().hash();
                        let result = tweet.approve(&Actor::system(), now);
                        if result.is_ok() {
                            approved = Some(seen);
                        }
                        result
                    }
                    Step::Reject => tweet.reject(now),
                    Step::Delete => tweet.delete(now),
                    Step::Restore => tweet.restore(now),
                };
                tweet = result.unwrap_or(before);

                prop_assert_eq!(tweet.approval().is_some(), tweet.status() == Status::Approved);
                if let Some(approval) = tweet.approval() {
                    prop_assert_eq!(approval.hash, tweet.publication().hash());
                    prop_assert_eq!(Some(approval.hash), approved);
                }
            }
        }
    }
}
