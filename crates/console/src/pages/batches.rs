//! The batches that workflows submitted, and the tweets of one of them.

use askama::Template;
use waggle_content::Post;
use waggle_twitter_n8n::{
    BatchFilter, BatchStatus, CampaignBatch, GeneratedTweet, SourceTweet, Status,
};

use crate::card::{Card, approve_all};
use crate::control::Control;
use crate::links::Links;
use crate::post_line::{is_of, web_address};
use crate::shell::Shell;
use crate::words::Moment;

/// A batch as pages show it.
pub(crate) struct BatchLine {
    pub(crate) id: i64,
    pub(crate) title: String,
    /// The workflow's name of the batch.
    pub(crate) name: String,
    pub(crate) received: Moment,
    pub(crate) status: &'static str,
    /// How well it fits the brand, as the workflow scored it; empty if it did not.
    pub(crate) score: String,
    /// The number of tweets, and of those that wait for a decision.
    pub(crate) tweets: i64,
    pub(crate) waiting: i64,
    /// Whether it was submitted without credentials.
    pub(crate) is_unauthenticated: bool,
    pub(crate) is_deleted: bool,
    /// The objects after whose changes the line is drawn again.
    pub(crate) objects: Vec<String>,
}

impl BatchLine {
    /// Drawn again when one of these tweets changes, too.
    pub(crate) fn with_tweets<'a>(mut self, cards: impl IntoIterator<Item = &'a Card>) -> Self {
        let tweets = cards.into_iter().map(|card| format!("generated_tweet:{}", card.id));
        self.objects.extend(tweets);
        self
    }
}

impl From<&CampaignBatch> for BatchLine {
    fn from(batch: &CampaignBatch) -> Self {
        let waiting = Status::ALL.into_iter().filter(|status| status.is_waiting());
        Self {
            id: batch.id.number(),
            title: batch.title.clone(),
            name: batch.batch_id.clone(),
            received: batch.created_at.into(),
            status: batch.status.name(),
            score: batch.brand_alignment_score.map(|score| score.to_string()).unwrap_or_default(),
            tweets: batch.counts.total(),
            waiting: waiting.map(|status| batch.counts.of(status)).sum(),
            is_unauthenticated: batch.unauthenticated,
            is_deleted: batch.deleted_at.is_some(),
            objects: vec![format!("campaign_batch:{}", batch.id)],
        }
    }
}

/// The page `/batches`, newest first.
#[derive(Template)]
#[template(path = "pages/batches.html")]
pub struct BatchesPage {
    shell: Shell,
    statuses: Vec<&'static str>,
    /// The filters that are chosen; empty if none is.
    status: &'static str,
    search: String,
    /// The parts of the address that were not understood.
    ignored: Vec<String>,
    batches: Vec<BatchLine>,
    links: Links,
}

impl BatchesPage {
    /// The page of the batches that match `filter`.
    pub fn new(
        shell: Shell,
        filter: &BatchFilter,
        ignored: Vec<String>,
        batches: &[CampaignBatch],
        links: Links,
    ) -> Self {
        Self {
            shell,
            statuses: BatchStatus::ALL.map(BatchStatus::name).into(),
            status: filter.status.map_or("", BatchStatus::name),
            search: filter.search.clone().unwrap_or_default(),
            ignored,
            batches: batches.iter().map(Into::into).collect(),
            links,
        }
    }
}

/// A source tweet, in short.
struct Source {
    id: String,
    url: Option<String>,
    content: String,
    date: Moment,
    likes: i64,
    reposts: i64,
    views: i64,
}

impl From<&SourceTweet> for Source {
    fn from(tweet: &SourceTweet) -> Self {
        let report = &tweet.report;
        Self {
            id: report.tweet_id.clone(),
            url: web_address(&report.tweet_url),
            content: report.content.clone(),
            date: report.date.into(),
            likes: report.engagement.likes,
            reposts: report.engagement.retweets,
            views: report.engagement.views,
        }
    }
}

/// The page `/batches/{id}`.
#[derive(Template)]
#[template(path = "pages/batch.html")]
pub struct BatchPage {
    shell: Shell,
    batch: BatchLine,
    /// Approves all that fit, if there are any that the user may approve.
    approve_all: Option<Control>,
    cards: Vec<Card>,
    /// The number of source tweets that it was made from, and the first of them.
    sources: (usize, Vec<Source>),
    links: Links,
}

impl BatchPage {
    /// The page of a batch with these of its tweets, and the posts that were made from them.
    pub fn new(
        shell: Shell,
        (batch, sources): (&CampaignBatch, (usize, &[SourceTweet])),
        (tweets, posts): (&[GeneratedTweet], &[Post]),
        links: Links,
    ) -> Self {
        let post = |id| posts.iter().find(|post| is_of(post, id));
        let card = |tweet: &GeneratedTweet| Card::new(tweet, post(tweet.id()), shell.scopes);
        let cards: Vec<Card> = tweets.iter().map(card).collect();
        let batch = BatchLine::from(batch).with_tweets(&cards);
        let approve_all = approve_all(&cards, shell.scopes);
        let sources = (sources.0, sources.1.iter().map(Source::from).collect());
        Self { shell, batch, approve_all, cards, sources, links }
    }
}
