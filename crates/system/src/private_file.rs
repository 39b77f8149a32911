//! Files that only their owner can access.

use std::fs::OpenOptions;

/// The options for writing such a file. The file is created if it does not exist.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
