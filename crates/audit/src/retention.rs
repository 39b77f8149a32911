//! Removes events that are too old, behind a signed checkpoint.

use std::sync::Arc;

use chrono::{DateTime, Duration, NaiveTime, Utc};
use thiserror::Error;
use waggle_kernel::{Actor, Clock, NewEvent, ObjectRef, PortError, event_time, to_micros};

use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, Tip};
use crate::head::HeadRef;
use crate::ports::{EventLog, HeadSigner};
use crate::redaction::EVENTS;
use crate::verify::is_ours;

/// Removes the oldest events.
pub struct RemoveOldEvents {
    pub log: Arc<dyn EventLog>,
    pub signer: Arc<dyn HeadSigner>,
    pub clock: Arc<dyn Clock>,
}

impl RemoveOldEvents {
    /// The maximum number of events that are removed in one step.
    pub const MOST: u16 = 500;

    /// Removes up to [`MOST`](Self::MOST) of the events that are older than `keep_days` whole days,
    /// and returns whether there may be more. Events are removed from the first one on, so that one
    /// that must be kept keeps all after it, and only events that are signed are removed. If
    /// `keep_days` is 0, all events are kept.
    ///
    /// # Errors
    ///
    /// - [`RemoveOldEventsError::Changed`] if somebody tampered with the events to remove, or with
    ///   the checkpoint. Then nothing is removed, so that it can be examined.
    /// - [`RemoveOldEventsError::Port`] if storage fails, or there is no key.
    pub async fn step(&self, keep_days: u32) -> Result<bool, RemoveOldEventsError> {
        let checkpoint = self.checkpoint().await?;
        let (mut tip, head) = checkpoint.map_or((Tip::START, HeadRef::NONE), |c| (c.tip, c.head));
        let Some(before) = oldest_kept(self.clock.now(), keep_days) else { return Ok(false) };
        let is_old = |entry: &Entry| entry.facts.at < before;
        if !self.log.entries(tip.position, 1).await?.iter().any(is_old) {
            return Ok(false);
        }
        let Some(signed) = self.log.latest_head().await? else { return Ok(false) };
        let since = tip.position;
        let heads = self.log.heads(head.number, Self::MOST).await?;
        // The latest head, and the event that it signs, are kept.
        let mut end = signed.tip.position - 1;
        if heads.len() >= usize::from(Self::MOST) {
            // Later heads may be among the events to remove.
            end = end.min(heads.last().map_or(0, |last| last.tip.position));
        }
        let oldest = self.log.entries(tip.position, Self::MOST).await?;
        let oldest = oldest.iter().take_while(|entry| is_old(entry) && entry.position <= end);
        let mut events = 0_u16;
        for entry in oldest {
            let is_next = entry.position == tip.position + 1;
            if !is_next || entry.hash_after(&tip.hash) != entry.hash {
                return Err(RemoveOldEventsError::Changed { position: entry.position });
            }
            tip = Tip { position: entry.position, hash: entry.hash };
            events += 1;
        }
        if events == 0 {
            return Ok(false);
        }
        let removed = heads.iter().rev().find(|head| head.tip.position <= tip.position);
        let checkpoint = self.sign(tip, removed.map_or(head, HeadRef::from))?;
        let by = Actor::system().reference();
        let object = ObjectRef::new(EVENTS, &"");
        let event = NewEvent::new("events.removed", object, &by, checkpoint.signed_at)
            .with("from", since + 1)
            .with("to", tip.position)
            .with("before", event_time(before));
        self.log.remove(since, &checkpoint, &event).await?;
        Ok(events >= Self::MOST)
    }

    /// The checkpoint, signed with the current key.
    async fn checkpoint(&self) -> Result<Option<Checkpoint>, RemoveOldEventsError> {
        let Some(checkpoint) = self.log.checkpoint().await? else { return Ok(None) };
        let keys = self.signer.public_keys()?;
        if !is_ours(&checkpoint, &*self.signer, &keys) {
            let position = checkpoint.tip.position;
            return Err(RemoveOldEventsError::Changed { position });
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
    /// Somebody changed the chain.
    #[error("event {position} was changed or removed; run waggle audit verify")]
    Changed {
        /// The position of the event.
        position: i64,
    },
    #[error(transparent)]
    Port(#[from] PortError),
}
