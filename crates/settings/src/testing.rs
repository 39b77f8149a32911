//! The contract of the port, for every implementation to be run against.

#![expect(clippy::expect_used, reason = "a contract that is broken stops the test")]

use std::sync::Arc;

use waggle_kernel::{Clock as _, FixedClock};

use crate::ports::SettingRepository;

/// A value is kept, written over, and removed.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_value_is_kept_written_over_and_removed(settings: Arc<dyn SettingRepository>) {
    let now = FixedClock::noon().now();
    let value = async || settings.get("KEY").await.expect("the store answers");
    assert_eq!(value().await, None);

    for text in ["one", "two ' \" 🐝", ""] {
        settings.set("KEY", Some(text.to_owned()), now).await.expect("the store answers");
        assert_eq!(value().await.as_deref(), Some(text));
    }

    settings.set("KEY", None, now).await.expect("the store answers");
    assert_eq!(value().await, None);
}
