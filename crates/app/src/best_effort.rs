//! Writing that no request waits for or fails over: the log, and what a command says of a failure.

use std::io::{self, Write};

/// Standard error, as far as somebody reads it. A pipe whose reader is gone, or a file on a full
/// disk, takes nothing, and that is no reason to serve nobody.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BestEffort;

impl Write for BestEffort {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

/// Writes a line to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(BestEffort, "{text}");
}
