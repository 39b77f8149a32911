//! Records whether the disk of the database is known to have free space.

use std::sync::atomic::{AtomicBool, Ordering};

/// The required free space in bytes: as much as a large request writes.
pub(crate) const NEEDED: u64 = 1 << 20;

/// Whether a large write has succeeded in this process, and no write has failed for lack of space
/// since.
static IS_CERTAIN: AtomicBool = AtomicBool::new(false);

pub(crate) fn is_certain() -> bool {
    IS_CERTAIN.load(Ordering::Relaxed)
}

/// Records that a large write succeeded.
pub(crate) fn was_found() {
    IS_CERTAIN.store(true, Ordering::Relaxed);
}

/// Records that a write failed for lack of space.
pub(crate) fn was_missing() {
    IS_CERTAIN.store(false, Ordering::Relaxed);
}
