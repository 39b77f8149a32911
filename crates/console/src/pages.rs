//! The pages.

mod batches;
mod message;
mod review;
#[cfg(test)]
mod tests;
mod tweet;

pub use batches::{BatchPage, BatchesPage};
pub use message::MessagePage;
pub use review::ReviewPage;
pub use tweet::TweetPage;
