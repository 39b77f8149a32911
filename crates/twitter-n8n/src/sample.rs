//! A batch for trying out the review.

use serde_json::json;

use crate::campaign_batch::{CampaignBatch, NewCampaignBatch};
use crate::generated_tweet::NewGeneratedTweet;
use crate::sender::Sender;

/// The source type of the sample batch.
const SAMPLE: &str = "sample";

/// The name, the text, the hook and the theme of each tweet. The last one is too long for X.
const TWEETS: [(&str, &str, &str, &str); 5] = [
    (
        "sample-1",
        "Most hardware sleeps most of the day. What would you build if idle machines could find \
         work by themselves?",
        "question",
        "idle hardware",
    ),
    (
        "sample-2",
        "A market is a conversation: one side says what it needs, the other what it has. \
         Software can hold that conversation all night.",
        "comparison",
        "markets",
    ),
    (
        "sample-3",
        "Three questions for every automation:\n1. Who notices when it is wrong?\n2. Who can stop \
         it?\n3. Who explains it afterwards?",
        "list",
        "people decide",
    ),
    (
        "sample-4",
        "Eine gute Idee braucht keine Übersetzung 🐝 but a good translation helps it travel.",
        "language",
        "community",
    ),
    (
        "sample-5",
        "This draft is too long on purpose, so that you see what happens with it. X counts the \
         characters of a post by rules of its own: most emoji count as two, and every link counts \
         as twenty-three, however long it is. A draft that X would refuse has no button to approve \
         it. Edit it, and watch the number below the text.",
        "explanation",
        "limits",
    ),
];

impl NewCampaignBatch {
    /// A batch of five drafts for trying out the review, of which one is too long to be approved.
    /// Submitting it again stores nothing new.
    pub fn sample(sender: Sender) -> Self {
        let tweet = |(id, content, hook, theme): (&str, &str, &str, &str)| NewGeneratedTweet {
            engagement_hook: hook.to_owned(),
            theme_connection: theme.to_owned(),
            ..NewGeneratedTweet::new(id, content)
        };
        Self {
            batch_id: "sample".to_owned(),
            analysis_summary: json!({ "themes": ["idle hardware", "markets", "people decide"] }),
            brand_alignment_score: Some(8.5),
            total_tweets: 5,
            ready_for_deployment: 4,
            source_type: SAMPLE.to_owned(),
            title: "Sample batch".to_owned(),
            description: "Drafts for trying out the review.".to_owned(),
            generated_at: None,
            execution_id: None,
            source_tweet_ids: Vec::new(),
            // It ends no run of the caller.
            has_unreadable_names: true,
            tweets: TWEETS.map(tweet).into(),
            sender,
        }
    }
}

impl CampaignBatch {
    /// Whether it is the sample batch.
    pub fn is_sample(&self) -> bool {
        self.source_type == SAMPLE
    }
}

#[cfg(test)]
mod tests {
    use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId};
    use waggle_kernel::{Actor, Clock as _, FixedClock};

    use super::*;
    use crate::generated_tweet::GeneratedTweet;

    #[test]
    fn all_sample_drafts_but_one_can_be_approved() {
        let batch = NewCampaignBatch::sample(Sender::of(&Actor::system(), None)).checked().unwrap();
        let fits = batch.tweets.into_iter().map(|tweet| {
            let now = FixedClock::noon().now();
            let ids = (GeneratedTweetId::new(1), CampaignBatchId::new(1));
            GeneratedTweet::received(ids.0, ids.1, tweet, now).unfit().is_none()
        });

        assert_eq!(fits.collect::<Vec<_>>(), [true, true, true, true, false]);
    }
}
