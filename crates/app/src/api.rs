//! The native API under `/api/v1`: JSON, plural nouns as resources, actions as sub-resources.

mod accounts;
mod campaign_batches;
mod changes;
mod checks;
mod done;
mod events;
mod export;
mod generated_tweets;
mod joining;
mod name;
mod notifications;
mod posts;
mod query;
mod refused;
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

#[cfg(test)]
mod tests;

/// The description in the API document.
pub(crate) const DESCRIPTION: &str = "\
n8n and AI agents draft posts, people decide, Waggle publishes.

Each operation says who can call it. Authenticate with an API token that has the scope of the \
operation, as `Authorization: Bearer wgl_...` or as the password of HTTP Basic, or with the \
session of a person whose role has that scope: viewers have `read`, editors also `write` and \
`ingest`, approvers also `approve` and `publish`, and admins have all scopes.

Lists are paginated: send `limit` (1 to 200, default 50), and send `next_cursor` as `cursor` with \
the same filters to get the next page. Times are RFC 3339 in UTC. Errors are \
`application/problem+json`.

Send the version that a change is based on in the header `If-Match`. If the object has changed \
since, the response is a 409 with its current state.";

/// All parts of the API.
pub(crate) type All = (
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
    events::EventsApi,
    changes::ChangesApi,
    notifications::NotificationsApi,
    checks::ChecksApi,
);

/// All parts of the API.
pub(crate) const fn all() -> All {
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
        events::EventsApi,
        changes::ChangesApi,
        notifications::NotificationsApi,
        checks::ChecksApi,
    )
}
