//! Extends, signs and verifies the stored chain.

use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use waggle_kernel::{Clock, PortError, to_micros};

use crate::entry::Tip;
use crate::head::{Head, HeadRef};
use crate::ports::{EventLog, HeadSigner};
use crate::reader::read_record;
use crate::verify::{Report, Verifier, is_ours};

/// Appends waiting events to the chain.
pub struct ExtendChain {
    pub log: Arc<dyn EventLog>,
}

impl ExtendChain {
    /// The maximum number of events that are appended in one step.
    pub const MOST: u16 = 500;

    /// Appends up to [`MOST`](Self::MOST) waiting events. Returns whether more may be waiting.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails; then nothing is appended.
    pub async fn step(&self) -> Result<bool, PortError> {
        let appended = self.log.extend(Self::MOST).await?;
        Ok(appended >= usize::from(Self::MOST))
    }

    /// Appends until nothing waits, or `most` steps were done.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails.
    pub async fn catch_up(&self, most: u32) -> Result<(), PortError> {
        for _ in 0..most {
            if !self.step().await? {
                break;
            }
        }
        Ok(())
    }
}

/// Signs the end of the chain.
pub struct SignHeads {
    pub log: Arc<dyn EventLog>,
    pub signer: Arc<dyn HeadSigner>,
    pub clock: Arc<dyn Clock>,
    /// The last head of ours that this process has seen. Nothing else may take its place.
    last: Mutex<Option<Head>>,
}

impl SignHeads {
    /// Creates the use case of a process that has not signed anything yet.
    pub fn new(log: Arc<dyn EventLog>, signer: Arc<dyn HeadSigner>, clock: Arc<dyn Clock>) -> Self {
        Self { log, signer, clock, last: Mutex::new(None) }
    }

    /// Signs the end of the chain and stores the head. Returns `None` if it is signed already.
    ///
    /// # Errors
    ///
    /// - [`SignError::Replaced`] if the events that were signed last are not in the chain any more.
    ///   Then nothing is signed.
    /// - [`SignError::Port`] if storage fails, or there is no key.
    pub async fn sign(&self) -> Result<Option<Head>, SignError> {
        // The head is read before the end: what it signs is not after that.
        let latest = self.log.latest_head().await?;
        let tip = self.log.tip().await?;
        if tip == Tip::START {
            return Ok(None);
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for signed in [&latest, &last].into_iter().flatten() {
            self.check(signed).await?;
        }
        // Another replica may have signed since, but no head disappears.
        let number = latest.as_ref().map_or(0, |head| head.number);
        if last.is_some_and(|last| last.number > number) {
            return Err(SignError::Replaced { position: tip.position });
        }
        let keys = self.signer.public_keys()?;
        // Also what an earlier process signed does not disappear.
        if let Some(ours) = latest.as_ref().filter(|head| keys.contains(&head.key)) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(ours.clone());
        }
        let key = keys.into_iter().next().unwrap_or_default();
        if latest.as_ref().is_some_and(|head| head.tip == tip && head.key == key) {
            return Ok(None);
        }
        let signed_at = to_micros(self.clock.now());
        let mut head =
            Head { number: number.saturating_add(1), tip, signed_at, key, signature: Vec::new() };
        let previous = latest.as_ref().map_or(HeadRef::NONE, HeadRef::from);
        head.signature = self.signer.sign(head.text(previous).as_bytes())?;
        self.log.add_head(&head).await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(head.clone());
        Ok(Some(head))
    }

    /// The position of the last event that was removed because of its age, or 0.
    async fn removed_to(&self) -> Result<i64, PortError> {
        let Some(checkpoint) = self.log.checkpoint().await? else { return Ok(0) };
        let is_ours = is_ours(&checkpoint, &*self.signer, &self.signer.public_keys()?);
        Ok(if is_ours { checkpoint.tip.position } else { 0 })
    }

    /// Checks that the event of a head still is in the chain, unless it is as old as those that
    /// were removed.
    async fn check(&self, head: &Head) -> Result<(), SignError> {
        let position = head.tip.position;
        let entry = self.log.entries(position.saturating_sub(1), 1).await?.into_iter().next();
        let is_there =
            entry.is_some_and(|entry| (entry.position, entry.hash) == (position, head.tip.hash));
        // A removal is looked for afterwards, because it may take place at the same time.
        if is_there || position <= self.removed_to().await? {
            return Ok(());
        }
        Err(SignError::Replaced { position })
    }
}

/// Errors of [`SignHeads`].
#[derive(Debug, Error)]
pub enum SignError {
    /// Somebody changed the chain.
    #[error("event {position}, which was signed, was replaced or removed; run waggle audit verify")]
    Replaced {
        /// The position of the event.
        position: i64,
    },
    #[error(transparent)]
    Port(#[from] PortError),
}

/// How often a verification that failed begins again.
const ATTEMPTS: u32 = 3;

/// Verifies the stored chain.
pub struct VerifyAudit {
    pub log: Arc<dyn EventLog>,
    pub signer: Arc<dyn HeadSigner>,
    pub clock: Arc<dyn Clock>,
}

impl VerifyAudit {
    /// Verifies all events and heads. Events that are appended meanwhile are not verified. If
    /// `known` is given, it must be in the chain: an end that was signed or logged earlier.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails, or a key is not usable.
    pub async fn verify(&self, known: Option<Tip>) -> Result<Report, PortError> {
        let mut attempts = 0;
        loop {
            let keys = self.signer.public_keys()?;
            let mut verifier = Verifier::new(&*self.signer, keys, known, self.clock.now());
            match read_record(&*self.log, |item| verifier.item(&item)).await {
                Ok(()) => return Ok(verifier.finish()),
                // Events are redacted or removed at the same time.
                Err(_) if attempts < ATTEMPTS => attempts += 1,
                Err(error) => return Err(error),
            }
        }
    }
}
