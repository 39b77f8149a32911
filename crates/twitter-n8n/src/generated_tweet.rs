//! Generated tweets: drafted by a workflow, decided on by people.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, Version};
use waggle_kernel::{Actor, ContentHash, Publication, hex};

use crate::status::{Action, Status};
use crate::unrendered::unrendered_part;
use crate::weighted_length::{MOST, refused_character, weighted_length};

/// A tweet as a workflow hands it in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGeneratedTweet {
    /// The name of the tweet in its batch: the workflow's own, unless another tweet has that.
    pub tweet_id: String,
    /// The name that the workflow gave it; empty if it gave none.
    pub claimed_id: String,
    /// What kind of tweet it is, by the workflow's own list: at most 50 characters.
    pub kind: String,
    /// The text.
    pub content: String,
    /// The length that the workflow claims.
    pub claimed_character_count: Option<i64>,
    /// Whether the workflow holds it for ready.
    pub claimed_ready: Option<bool>,
    /// What makes readers stop.
    pub engagement_hook: String,
    /// Elements of the brand in it.
    pub coophive_elements: Value,
    /// Patterns of the brand's voice in it.
    pub discord_voice_patterns: Value,
    /// How it ties in with the theme.
    pub theme_connection: String,
    /// Whether a person had edited it before it was handed in.
    pub is_edited: bool,
}

impl NewGeneratedTweet {
    /// The longest text that is stored, in characters; what can be published is shorter.
    pub const MOST_CONTENT: usize = 25_000;

    /// A tweet with a name and a text, and nothing else.
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

    /// What tells this tweet from all others that are handed in: a SHA-256, in hexadecimal.
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
    /// Who, as [`Actor`] shows it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The hash of exactly what may go out.
    pub hash: ContentHash,
}

/// A generated tweet as the store keeps it; [`GeneratedTweet::stored`] makes the entity of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTweet {
    /// The id that Waggle gave it.
    pub id: GeneratedTweetId,
    /// Its batch.
    pub batch: CampaignBatchId,
    /// What was handed in, with the text as it is now.
    pub tweet: NewGeneratedTweet,
    /// Where it stands.
    pub status: Status,
    /// Who approved it.
    pub approval: Option<Approval>,
    /// When it came.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it went out.
    pub published_at: Option<DateTime<Utc>>,
    /// The id that the platform gave it; one of the sandbox says so in its first letters.
    pub x_com_post_id: Option<String>,
    /// How often it was changed.
    pub version: Version,
}

/// A generated tweet. Every change is a move that consumes it, so that none skips the rules.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedTweet(StoredTweet);

impl GeneratedTweet {
    /// A tweet that has just come in.
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

    /// The entity of what the store has.
    pub const fn stored(stored: StoredTweet) -> Self {
        Self(stored)
    }

    /// Everything about the tweet.
    pub const fn view(&self) -> &StoredTweet {
        &self.0
    }

    /// The id that Waggle gave it.
    pub const fn id(&self) -> GeneratedTweetId {
        self.0.id
    }

    /// Where it stands.
    pub const fn status(&self) -> Status {
        self.0.status
    }

    /// Who approved it, if it is approved.
    pub const fn approval(&self) -> Option<&Approval> {
        self.0.approval.as_ref()
    }

    /// Its version in the store.
    pub const fn version(&self) -> Version {
        self.0.version
    }

    /// The same tweet with the version that the store has given it.
    #[must_use]
    pub const fn saved_as(mut self, version: Version) -> Self {
        self.0.version = version;
        self
    }

    /// What will go out.
    pub fn publication(&self) -> Publication {
        Publication::of_text(self.0.tweet.content.clone())
    }

    /// The length of the text as X counts it.
    pub fn character_count(&self) -> u32 {
        weighted_length(&self.0.tweet.content)
    }

    /// Why X would not take the text, if it would not.
    pub fn unfit(&self) -> Option<Unfit> {
        Unfit::of(&self.0.tweet.content)
    }

    /// Whether it can go out as far as its text is concerned: X would take it, and the workflow did not
    /// say that it is not ready.
    pub fn ready_for_deployment(&self) -> bool {
        self.unfit().is_none()
            && (self.0.tweet.claimed_ready != Some(false) || self.0.tweet.is_edited)
    }

    /// Changes the words; an approval is taken back.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] unless the tweet is waiting or approved.
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

    /// Releases exactly the present words.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] unless the tweet is waiting, [`MoveRefused::Unfit`] if X would not take it.
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

    /// Turns the tweet down.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] unless the tweet is waiting or approved.
    pub fn reject(self, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        self.moved(Action::Reject, now)
    }

    /// Puts the tweet away.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] if it is posted or put away already.
    pub fn delete(self, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        self.moved(Action::Delete, now)
    }

    /// Takes the tweet back from the rejected or deleted ones; it waits for a decision again.
    ///
    /// # Errors
    ///
    /// [`MoveRefused::Illegal`] unless it is one of those.
    pub fn restore(self, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        let mut moved = self.moved(Action::Restore, now)?;
        if moved.0.tweet.is_edited {
            moved.0.status = Status::Draft;
        }
        Ok(moved)
    }

    fn moved(mut self, action: Action, now: DateTime<Utc>) -> Result<Self, MoveRefused> {
        let status = self.0.status;
        self.0.status = status.after(action).ok_or(MoveRefused::Illegal { status, action })?;
        // Whatever moved it, an approval was given to the tweet as it stood.
        self.0.approval = None;
        self.0.updated_at = now;
        Ok(self)
    }
}

/// Why a text cannot go out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// There is nothing in it.
    #[error("the text is empty")]
    Empty,
    /// The workflow meant to fill a part of it in and did not.
    #[error("the text has '{part}' in it, which the workflow did not fill in")]
    Unrendered {
        /// That part, cut to what people read.
        part: String,
    },
    /// It is too long.
    #[error("the text counts {length} characters as X counts them, and {MOST} are allowed")]
    TooLong {
        /// The weighted length.
        length: u32,
    },
    /// It has a character that X refuses.
    #[error("the text has the character U+{:04X}, which X refuses", u32::from(*character))]
    Character {
        /// The first such character.
        character: char,
    },
}

impl Unfit {
    /// Why X would not take `text`, if it would not.
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

/// A change that the rules do not allow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoveRefused {
    /// Not from where the tweet stands.
    #[error("the tweet is {status}, which does not allow to {action} it")]
    Illegal {
        /// Where it stands.
        status: Status,
        /// What was asked.
        action: Action,
    },
    /// The text cannot be published.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// Which generated tweets are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TweetFilter {
    /// The text has this in it, without regard to case.
    pub search: Option<String>,
    /// Of this batch.
    pub batch: Option<CampaignBatchId>,
    /// With this status.
    pub status: Option<Status>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Ready, or not.
    pub ready: Option<bool>,
    /// Edited by a person, or not.
    pub is_edited: Option<bool>,
    /// Came at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Came before this time.
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
    fn a_tweet_that_is_too_long_is_kept_but_not_approved() {
        let tweet = waiting(&"x".repeat(281));

        assert!(!tweet.ready_for_deployment());
        assert_eq!(
            tweet.approve(&Actor::system(), FixedClock::noon().now()),
            Err(MoveRefused::Unfit(Unfit::TooLong { length: 281 }))
        );
    }

    #[test]
    fn an_empty_text_and_a_refused_character_are_not_approved() {
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
        /// Whatever people do, in whatever order: what is approved is what somebody approved as it is.
        #[test]
        fn an_approval_always_has_the_hash_of_the_present_words(
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
