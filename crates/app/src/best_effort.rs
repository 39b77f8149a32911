//! Writes that never delay or fail a request: the log, and the error messages of commands.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How many bytes a pipe accepts without blocking once it reports that it is writable (`PIPE_BUF`).
const PIECE: usize = 4_096;
/// How long a write waits for a slow reader. After a timeout, writes do not wait until the reader
/// reads again.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
const NONE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

static IS_STALLED: AtomicBool = AtomicBool::new(false);

/// Standard error. Output is dropped if the reader of the pipe is gone or has stalled, or if the
/// disk of the log file is full, so that the server keeps serving requests.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BestEffort;

impl Write for BestEffort {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut error_output = io::stderr().lock();
        for piece in bytes.chunks(PIECE) {
            if !takes_something() || error_output.write_all(piece).is_err() {
                break;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

/// Whether standard error can be written to without blocking.
fn takes_something() -> bool {
    let patience = if IS_STALLED.load(Ordering::Relaxed) { NONE } else { PATIENCE };
    let error_output = rustix::stdio::stderr();
    let mut asked = [PollFd::new(&error_output, PollFlags::OUT)];
    // If polling fails, the write itself fails or does not block.
    let is_ready = poll(&mut asked, Some(&patience)).map_or(true, |ready| ready > 0);
    IS_STALLED.store(!is_ready, Ordering::Relaxed);
    is_ready
}

/// Writes a line to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(BestEffort, "{text}");
}
