//! Writing that no request waits for or fails over: the log, and what a command says of a failure.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How much a pipe takes at once that says it takes something (`PIPE_BUF`).
const PIECE: usize = 4_096;
/// How long a reader that was there is waited for. One that takes nothing then is not waited for
/// again until it does.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
const NONE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

static IS_STALLED: AtomicBool = AtomicBool::new(false);

/// Standard error, as far as somebody reads it. A pipe whose reader is gone or reads nothing, or a
/// file on a full disk, takes nothing, and that is no reason to serve nobody.
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

/// Whether standard error can be written to without waiting for whom it leads to.
fn takes_something() -> bool {
    let patience = if IS_STALLED.load(Ordering::Relaxed) { NONE } else { PATIENCE };
    let error_output = rustix::stdio::stderr();
    let mut asked = [PollFd::new(&error_output, PollFlags::OUT)];
    // Where it cannot be asked, writing fails or does not wait.
    let is_ready = poll(&mut asked, Some(&patience)).map_or(true, |ready| ready > 0);
    IS_STALLED.store(!is_ready, Ordering::Relaxed);
    is_ready
}

/// Writes a line to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(BestEffort, "{text}");
}
