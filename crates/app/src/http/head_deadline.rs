//! Limits the time for the head of a request, while idle connections may stay open longer.
//!
//! ```text
//! head ──(it is complete)──▶ request ──(response sent)──▶ idle ──(a byte arrives)──▶ head
//! ```
//! hyper has one timeout for both. It would either allow slow heads, or close idle connections
//! before the proxies that keep them open.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

const HEAD: u8 = 0;
const REQUEST: u8 = 1;
const IDLE: u8 = 2;

/// The phase of a connection.
#[derive(Clone, Default)]
pub(super) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// The head of a request is complete.
    pub(super) fn request(&self) {
        self.0.store(REQUEST, Ordering::Release);
    }

    /// The response is ready.
    pub(super) fn idle(&self) {
        self.0.store(IDLE, Ordering::Release);
    }
}

/// A stream that fails if the head of a request takes longer than `limit`.
pub(super) struct HeadDeadline<S> {
    stream: S,
    phase: Phase,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl<S> HeadDeadline<S> {
    /// Wraps a stream that waits for its first head.
    pub(super) fn new(stream: S, phase: Phase, limit: Duration) -> Self {
        Self { stream, phase, limit, deadline: Box::pin(sleep(limit)) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadDeadline<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let has_come = buffer.filled().len() > before;
        if has_come && self.phase.0.load(Ordering::Acquire) == IDLE {
            self.phase.0.store(HEAD, Ordering::Release);
            let until = Instant::now() + self.limit;
            self.deadline.as_mut().reset(until);
        }
        if self.phase.0.load(Ordering::Acquire) == HEAD
            && self.deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        ready!(read)?;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadDeadline<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
