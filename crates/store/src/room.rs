//! Whether the disk of the database is known to have room.

use std::sync::atomic::{AtomicBool, Ordering};

/// How many bytes have to be free: as much as a large request writes.
pub(crate) const NEEDED: u64 = 1 << 20;

/// Whether a large write has succeeded in this process, and none has failed for want of room since.
static IS_CERTAIN: AtomicBool = AtomicBool::new(false);

pub(crate) fn is_certain() -> bool {
    IS_CERTAIN.load(Ordering::Relaxed)
}

/// A large write has succeeded.
pub(crate) fn was_found() {
    IS_CERTAIN.store(true, Ordering::Relaxed);
}

/// A write failed for want of room.
pub(crate) fn was_missing() {
    IS_CERTAIN.store(false, Ordering::Relaxed);
}
