//! The native API under `/api/v1`: JSON, nouns in the plural, actions as sub-resources.

mod accounts;
mod campaign_batches;
mod export;
mod generated_tweets;
mod joining;
mod posts;
mod query;
mod sandbox;
mod second_factor;
mod settings;
mod source_tweets;
mod tokens;

use poem_openapi::Tags;

pub(crate) use self::accounts::{session_cookie, user_json};
pub(crate) use self::campaign_batches::campaign_batch_json;
pub(crate) use self::export::{Format, SourceTweetPages, export};
pub(crate) use self::generated_tweets::generated_tweet_json;
pub(crate) use self::joining::as_they_are;
pub(crate) use self::posts::post_json;
pub(crate) use self::query::if_match;

/// What the API document says before anything else.
pub(crate) const DESCRIPTION: &str = "\
n8n and AI agents draft posts, people decide, Waggle publishes.

Every operation needs an API token with the scope that it names, as `Authorization: Bearer wgl_...` or as the \
password of HTTP Basic, or the session of a person whose role has that scope: viewers have `read`, editors `write` and \
`ingest` as well, approvers `approve` and `publish`, admins all. Lists have pages: `limit` rows (1 to 200, 50 when nothing is said), and `next_cursor` to be \
sent as `cursor` with the same filters. Times are RFC 3339 in UTC. Errors are `application/problem+json`.

Changes take the version that they are based on in the header `If-Match`; if somebody else was faster, the \
answer is a 409 that shows the present state.";

/// The groups of the API document.
#[derive(Tags)]
enum Tag {
    /// People, their sessions, and what happened at the door.
    Accounts,
    /// Tweets of monitored accounts, as workflows report them.
    SourceTweets,
    /// Runs of the AI workflow, with the tweets that they generated.
    CampaignBatches,
    /// Drafted tweets, which people approve, edit or reject.
    GeneratedTweets,
    /// Posts on their way to a platform, and the ledger of their deliveries.
    Posts,
    /// The local timeline for trying things out.
    Sandbox,
    /// What an operator tunes, while everything runs.
    Settings,
}

/// Every part of the API.
pub(crate) fn all() -> (
    accounts::AccountsApi,
    joining::JoiningApi,
    second_factor::SecondFactorApi,
    tokens::TokensApi,
    source_tweets::SourceTweetsApi,
    campaign_batches::CampaignBatchesApi,
    generated_tweets::GeneratedTweetsApi,
    posts::PostsApi,
    sandbox::SandboxApi,
    settings::SettingsApi,
) {
    (
        accounts::AccountsApi,
        joining::JoiningApi,
        second_factor::SecondFactorApi,
        tokens::TokensApi,
        source_tweets::SourceTweetsApi,
        campaign_batches::CampaignBatchesApi,
        generated_tweets::GeneratedTweetsApi,
        posts::PostsApi,
        sandbox::SandboxApi,
        settings::SettingsApi,
    )
}
