//! Files that are for their owner alone.

use std::fs::OpenOptions;

/// How such a file is opened to be written; it is made where it is missing.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
