//! Removes events that are too old, behind a signed checkpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, NaiveTime, Utc};
use thiserror::Error;
use waggle_kernel::{Actor, Clock, NewEvent, ObjectRef, PortError, event_time, to_micros};

use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, Tip};
use crate::head::{Head, HeadRef};
use crate::ports::{EventLog, HeadSigner};
use crate::reader::Reader;
use crate::redaction::EVENTS;
use crate::verify::{Fault, Verifier, is_ours};

/// Removes the oldest events.
pub struct RemoveOldEvents {
    log: Arc<dyn EventLog>,
    signer: Arc<dyn HeadSigner>,
    clock: Arc<dyn Clock>,
    keep_days: u32,
    /// The last event that this process has verified, and that a signature covers.
    verified_to: AtomicI64,
}

impl RemoveOldEvents {
    /// The maximum number of events that are removed in one step.
    pub const MOST: u16 = 1_000;

    /// Creates the use case. Events are kept for `keep_days` whole days (in UTC); if it is 0, all
    /// are kept.
    pub fn new(
        log: Arc<dyn EventLog>,
        signer: Arc<dyn HeadSigner>,
        clock: Arc<dyn Clock>,
        keep_days: u32,
    ) -> Self {
        Self { log, signer, clock, keep_days, verified_to: AtomicI64::new(0) }
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
        let (mut tip, head) = checkpoint.map_or((Tip::START, HeadRef::NONE), |c| (c.tip, c.head));
        let since = tip.position;
        let is_old = |entry: &Entry| entry.facts.at < before;
        if !self.log.entries(since, 1).await?.iter().any(is_old) {
            return Ok(false);
        }
        let verified_to = self.verified_after(since).await?;
        // The latest head, and the event that it signs, are kept.
        let Some(latest) = self.log.latest_head().await? else { return Ok(false) };
        let end = verified_to.min(latest.tip.position.saturating_sub(1));
        let oldest = self.log.entries(since, Self::MOST).await?;
        for entry in oldest.iter().take_while(|entry| is_old(entry) && entry.position <= end) {
            let position = entry.position;
            if position != tip.position.saturating_add(1)
                || entry.hash_after(&tip.hash) != entry.hash
            {
                return Err(Fault::Changed { position }.into());
            }
            tip = Tip { position, hash: entry.hash };
        }
        if tip.position == since {
            return Ok(false);
        }
        let head = self.last_head(head, tip.position).await?;
        let checkpoint = self.sign(tip, head)?;
        let by = Actor::system().reference();
        let object = ObjectRef::new(EVENTS, &"");
        let event = NewEvent::new("events.removed", object, &by, checkpoint.signed_at)
            .with("from", since.saturating_add(1))
            .with("to", tip.position)
            .with("before", event_time(before));
        self.log.remove(since, &checkpoint, &event).await?;
        Ok(true)
    }

    /// The last event after `since` that a signature with one of our keys covers, from those that
    /// were read until there was one. Everything up to it is verified.
    async fn verified_after(&self, since: i64) -> Result<i64, RemoveOldEventsError> {
        let verified_to = self.verified_to.load(Ordering::Relaxed);
        if verified_to > since {
            return Ok(verified_to);
        }
        let (keys, now) = (self.signer.public_keys()?, self.clock.now());
        let mut verifier = Verifier::new(&*self.signer, keys, None, now);
        let mut reader = Reader::start(&*self.log).await?;
        loop {
            let page = reader.page().await?;
            for item in &page {
                verifier.item(item);
            }
            let report = verifier.so_far();
            if let Some(fault) = report.faults.first() {
                return Err(fault.clone().into());
            }
            if page.is_empty() || report.signed_to > since {
                self.verified_to.store(report.signed_to, Ordering::Relaxed);
                return Ok(report.signed_to);
            }
        }
    }

    /// The last head after `head` that signs no event after a position.
    async fn last_head(&self, mut head: HeadRef, position: i64) -> Result<HeadRef, PortError> {
        loop {
            let page = self.log.heads(head.number, Self::MOST).await?;
            let to_remove: Vec<&Head> =
                page.iter().take_while(|head| head.tip.position <= position).collect();
            head = to_remove.last().map_or(head, |last| HeadRef::from(*last));
            if to_remove.len() < usize::from(Self::MOST) {
                return Ok(head);
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
