//! Removes events that are too old, behind a signed checkpoint.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Duration, NaiveTime, Utc};
use thiserror::Error;
use waggle_kernel::{Actor, Clock, NewEvent, ObjectRef, PortError, event_time, to_micros};

use crate::checkpoint::Checkpoint;
use crate::entry::Tip;
use crate::head::HeadRef;
use crate::ports::{EventLog, HeadSigner};
use crate::reader::{PAGE, Reader};
use crate::record::Item;
use crate::redaction::EVENTS;
use crate::verify::{Fault, Verifier, is_ours};

/// Removes the oldest events.
pub struct RemoveOldEvents {
    log: Arc<dyn EventLog>,
    signer: Arc<dyn HeadSigner>,
    clock: Arc<dyn Clock>,
    keep_days: u32,
    /// Where removals of events that this process has verified may end, in order.
    ends: Mutex<Vec<End>>,
}

/// An event up to which events can be removed.
#[derive(Debug, Clone, Copy)]
struct End {
    tip: Tip,
    /// The last head that signs no later event.
    head: HeadRef,
    /// The time of the newest event up to it.
    newest: DateTime<Utc>,
}

impl RemoveOldEvents {
    /// The maximum number of events that are removed in one step.
    pub const MOST: u16 = PAGE;

    /// Creates the use case. Events are kept for `keep_days` whole days (in UTC); if it is 0, all
    /// are kept.
    pub fn new(
        log: Arc<dyn EventLog>,
        signer: Arc<dyn HeadSigner>,
        clock: Arc<dyn Clock>,
        keep_days: u32,
    ) -> Self {
        Self { log, signer, clock, keep_days, ends: Mutex::default() }
    }

    /// Removes up to [`MOST`](Self::MOST) old events, and returns whether there may be more. Events
    /// are removed from the first one on, so that one that must be kept keeps all after it. Only
    /// events that verify and that a signature covers are removed.
    ///
    /// # Errors
    ///
    /// - [`RemoveOldEventsError::Tampered`] if the events do not verify, or the checkpoint does
    ///   not. Then nothing is removed, so that it can be examined.
    /// - [`RemoveOldEventsError::Port`] if storage fails, or there is no key.
    pub async fn step(&self) -> Result<bool, RemoveOldEventsError> {
        let checkpoint = self.checkpoint().await?;
        let since = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.tip.position);
        let Some(before) = oldest_kept(self.clock.now(), self.keep_days) else { return Ok(false) };
        let removed = self.remove(checkpoint, before).await;
        if removed.is_err() {
            // Another process may have removed what this one was reading.
            let now = self.log.checkpoint().await?;
            if now.is_some_and(|checkpoint| checkpoint.tip.position != since) {
                return Ok(true);
            }
        }
        removed
    }

    async fn remove(
        &self,
        checkpoint: Option<Checkpoint>,
        before: DateTime<Utc>,
    ) -> Result<bool, RemoveOldEventsError> {
        let (tip, head) = checkpoint.map_or((Tip::START, HeadRef::NONE), |c| (c.tip, c.head));
        let since = tip.position;
        let oldest = self.log.entries(since, 1).await?;
        if oldest.iter().all(|entry| entry.facts.at >= before) {
            return Ok(false);
        }
        let Some(end) = self.next_end(since, before).await? else { return Ok(false) };
        let head = if end.head.number > head.number { end.head } else { head };
        let checkpoint = self.sign(end.tip, head)?;
        let by = Actor::system().reference();
        let object = ObjectRef::new(EVENTS, &"");
        let event = NewEvent::new("events.removed", object, &by, checkpoint.signed_at)
            .with("from", since.saturating_add(1))
            .with("to", end.tip.position)
            .with("before", event_time(before));
        self.log.remove(since, &checkpoint, &event).await?;
        Ok(true)
    }

    /// Where the next removal ends: after at most [`MOST`](Self::MOST) verified events after
    /// `since`, all of which are older than `before`. `None` if there are none.
    async fn next_end(
        &self,
        since: i64,
        before: DateTime<Utc>,
    ) -> Result<Option<End>, RemoveOldEventsError> {
        let mut ends = std::mem::take(&mut *self.ends());
        ends.retain(|end| end.tip.position > since);
        if ends.is_empty() {
            ends = self.verified_ends(since).await?;
        }
        let most = since.saturating_add(i64::from(Self::MOST));
        let reachable =
            ends.iter().take_while(|end| end.newest < before && end.tip.position <= most);
        let next = reachable.last().copied();
        *self.ends() = ends;
        Ok(next)
    }

    fn ends(&self) -> MutexGuard<'_, Vec<End>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies the events after `since`, page by page, until a signature with one of our keys
    /// covers some of them. Returns where a removal of these may end: after each event of the last
    /// page, and after each page before it. The event that the last signature is on is kept, so
    /// that something that is signed remains.
    async fn verified_ends(&self, since: i64) -> Result<Vec<End>, RemoveOldEventsError> {
        let (keys, now) = (self.signer.public_keys()?, self.clock.now());
        let mut verifier = Verifier::new(&*self.signer, keys, None, now);
        let mut reader = Reader::start(&*self.log).await?;
        let mut ends = Vec::new();
        let mut end = End { tip: Tip::START, head: HeadRef::NONE, newest: DateTime::UNIX_EPOCH };
        loop {
            let page = reader.page().await?;
            let mut of_page: Vec<End> = Vec::new();
            for item in &page {
                verifier.item(item);
                match item {
                    Item::Event(entry) => {
                        end.tip = Tip { position: entry.position, hash: entry.hash };
                        end.newest = end.newest.max(entry.facts.at);
                        of_page.push(end);
                    }
                    Item::Head(head) => {
                        end.head = head.into();
                        if let Some(last) = of_page.last_mut() {
                            last.head = end.head;
                        }
                    }
                    Item::Checkpoint(_) | Item::End(_) => {}
                }
            }
            let report = verifier.so_far();
            if let Some(fault) = report.faults.first() {
                return Err(fault.clone().into());
            }
            let signed_to = report.signed_to;
            let is_signed = signed_to > since;
            if !is_signed {
                of_page.drain(..of_page.len().saturating_sub(1));
            }
            ends.extend(of_page);
            if is_signed || page.is_empty() {
                ends.retain(|end| end.tip.position < signed_to);
                return Ok(ends);
            }
        }
    }

    /// The checkpoint, signed with the current key.
    async fn checkpoint(&self) -> Result<Option<Checkpoint>, RemoveOldEventsError> {
        let Some(checkpoint) = self.log.checkpoint().await? else { return Ok(None) };
        let keys = self.signer.public_keys()?;
        if !is_ours(&checkpoint, &*self.signer, &keys) {
            return Err(Fault::WrongCheckpoint { position: checkpoint.tip.position }.into());
        }
        if keys.first() == Some(&checkpoint.key) {
            return Ok(Some(checkpoint));
        }
        // The key was rotated, and the old one may be removed soon.
        let renewed = self.sign(checkpoint.tip, checkpoint.head)?;
        self.log.renew(&renewed).await?;
        Ok(Some(renewed))
    }

    fn sign(&self, tip: Tip, head: HeadRef) -> Result<Checkpoint, PortError> {
        let key = self.signer.public_keys()?.into_iter().next().unwrap_or_default();
        let signed_at = to_micros(self.clock.now());
        let mut checkpoint = Checkpoint { tip, head, signed_at, key, signature: Vec::new() };
        checkpoint.signature = self.signer.sign(checkpoint.text().as_bytes())?;
        Ok(checkpoint)
    }
}

/// The beginning of the first day (in UTC) whose events are kept; `None` if all are.
fn oldest_kept(now: DateTime<Utc>, keep_days: u32) -> Option<DateTime<Utc>> {
    if keep_days == 0 {
        return None;
    }
    let day = now.date_naive().checked_sub_signed(Duration::days(i64::from(keep_days)))?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}

/// Errors of [`RemoveOldEvents`].
#[derive(Debug, Error)]
pub enum RemoveOldEventsError {
    /// Somebody changed the record.
    #[error("{0}; nothing is removed. Run waggle audit verify")]
    Tampered(Fault),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Fault> for RemoveOldEventsError {
    fn from(fault: Fault) -> Self {
        Self::Tampered(fault)
    }
}
