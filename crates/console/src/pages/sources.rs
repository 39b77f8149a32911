//! Source tweets: what workflows reported, and what was made of it.

use askama::Template;
use chrono::{DateTime, Utc};
use waggle_twitter_n8n::{SourceTweet, SourceTweetTotals};

use crate::control::Control;
use crate::links::Links;
use crate::ops::DELETE_SOURCES;
use crate::post_line::web_address;
use crate::shell::Shell;
use crate::words::Moment;

/// The filters of the page, as texts.
#[derive(Debug, Clone, Default)]
pub struct SourceFilter {
    pub search: String,
    pub tweet_id: String,
    pub execution_id: String,
    pub date_from: String,
    pub date_before: String,
    pub status: String,
    pub min_likes: String,
    pub min_retweets: String,
    pub min_views: String,
    pub is_processed: String,
    pub lapsed: String,
    /// The ID of the batch that was made of the tweets.
    pub batch: String,
    pub sort: String,
    pub order: String,
    /// The same as a query of the API, without the place in the list.
    pub query: String,
    /// The address of this list with totals.
    pub with_totals: String,
}

/// A source tweet as pages show it.
struct SourceLine {
    id: i64,
    tweet_id: String,
    url: Option<String>,
    content: String,
    date: Moment,
    likes: i64,
    retweets: i64,
    views: i64,
    execution_id: String,
    state: &'static str,
    class: &'static str,
    is_unauthenticated: bool,
}

impl SourceLine {
    fn new(tweet: &SourceTweet, now: DateTime<Utc>) -> Self {
        let (state, class) = match tweet.leased_until {
            _ if tweet.is_processed => ("processed", "done"),
            Some(until) if until > now => ("with a run", "good"),
            Some(_) => ("lapsed", "off"),
            None => ("waits", "waits"),
        };
        let report = &tweet.report;
        Self {
            id: tweet.id.number(),
            tweet_id: report.tweet_id.clone(),
            url: web_address(&report.tweet_url).or_else(|| web_address(&report.url)),
            content: report.content.clone(),
            date: report.date.into(),
            likes: report.engagement.likes,
            retweets: report.engagement.retweets,
            views: report.engagement.views,
            execution_id: tweet.execution_id.clone(),
            state,
            class,
            is_unauthenticated: tweet.unauthenticated,
        }
    }
}

/// The page `/sources`.
#[derive(Template)]
#[template(path = "pages/sources.html")]
pub struct SourcesPage {
    shell: Shell,
    filter: SourceFilter,
    ignored: Vec<String>,
    totals: Option<SourceTweetTotals>,
    /// Deletes the chosen tweets.
    delete: Option<Control>,
    tweets: Vec<SourceLine>,
    links: Links,
}

impl SourcesPage {
    /// The page of these source tweets, as they are at `now`, and the totals of the whole list if
    /// they were asked for.
    pub fn new(
        shell: Shell,
        (filter, ignored): (SourceFilter, Vec<String>),
        totals: Option<SourceTweetTotals>,
        tweets: &[SourceTweet],
        now: DateTime<Utc>,
        links: Links,
    ) -> Self {
        let delete = Control::new(&DELETE_SOURCES, "", None, "Delete them", shell.scopes);
        Self {
            filter,
            ignored,
            totals,
            delete: delete
                .map(|control| control.form("chosen").done("The source tweets are deleted")),
            tweets: tweets.iter().map(|tweet| SourceLine::new(tweet, now)).collect(),
            links,
            shell,
        }
    }
}
