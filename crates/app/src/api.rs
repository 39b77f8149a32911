//! The native API under `/api/v1`: JSON, nouns in the plural, actions as sub-resources.

mod accounts;
mod campaign_batches;
mod done;
mod export;
mod generated_tweets;
mod joining;
mod posts;
mod query;
mod sandbox;
mod second_factor;
mod settings;
mod source_tweets;
mod tag;
mod tokens;

pub(crate) use self::accounts::{session_cookie, user_json};
pub(crate) use self::export::{Format, SourceTweetPages, export};
pub(crate) use self::joining::as_they_are;
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
