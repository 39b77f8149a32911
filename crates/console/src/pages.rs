//! The pages.

mod batches;
mod message;
mod posts;
mod publishing;
mod review;
mod sandbox;
mod setup;
#[cfg(test)]
mod tests;
mod tweet;

pub use batches::{BatchPage, BatchesPage};
pub use message::MessagePage;
pub use posts::{PostPage, PostsPage, PostsWith};
pub use publishing::PublishingPage;
pub use review::ReviewPage;
pub use sandbox::SandboxPage;
pub use setup::SetupPage;
pub use tweet::TweetPage;
