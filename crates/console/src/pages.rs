//! The pages.

mod account;
mod audit;
mod batches;
mod checks;
mod help;
mod home;
mod message;
mod notifications;
mod posts;
mod publishing;
mod review;
mod sandbox;
mod settings;
mod setup;
mod sources;
#[cfg(test)]
mod tests;
mod tokens;
mod tweet;
mod users;

pub use account::{AccountPage, Factors, SignInPage};
pub use audit::{AuditFilter, AuditPage};
pub use batches::{BatchPage, BatchesPage};
pub use checks::{Check, CheckState, ChecksPage};
pub use help::HelpPage;
pub use home::{HomePage, SetupState};
pub use message::MessagePage;
pub use notifications::NotificationsPage;
pub use posts::{PostPage, PostsPage, PostsWith};
pub use publishing::PublishingPage;
pub use review::ReviewPage;
pub use sandbox::SandboxPage;
pub use settings::{SettingsHistoryPage, SettingsPage};
pub use setup::SetupPage;
pub use sources::{SourceFilter, SourcesPage};
pub use tokens::TokensPage;
pub use tweet::TweetPage;
pub use users::UsersPage;
