//! The groups of the API document.

use poem_openapi::Tags;

/// The groups of the API document.
#[derive(Tags)]
pub(super) enum Tag {
    /// People, their sessions, and the audit log of both.
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
