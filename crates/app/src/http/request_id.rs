//! The id of a request, which is in its response and in its log lines.

use std::sync::atomic::{AtomicU64, Ordering};

use waggle_kernel::Clock as _;
use waggle_system::SystemClock;

tokio::task_local! {
    pub(super) static REQUEST_ID: String;
}

/// The id of the request that this task handles; empty outside of a request.
pub(super) fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// A new id: start time and id of the process, and a counter. It is enough to find a log line, and
/// not a secret.
pub(super) fn new_id() -> String {
    static STARTED: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
        u64::try_from(SystemClock.now().timestamp()).unwrap_or_default()
    });
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!(
        "{:08x}{:04x}-{:x}",
        *STARTED,
        std::process::id() & 0xffff,
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}
