//! Extends, signs and verifies the stored chain.

use std::sync::Arc;

use waggle_kernel::{Clock, PortError, to_micros};

use crate::entry::Tip;
use crate::head::Head;
use crate::ports::{EventLog, HeadSigner};
use crate::verify::{Report, Verifier};

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

    /// Appends the events that wait when it is called, and maybe some that come meanwhile.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails.
    pub async fn catch_up(&self) -> Result<(), PortError> {
        // More than this never waits while the worker runs.
        for _ in 0..1_000 {
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
}

impl SignHeads {
    /// Signs the end of the chain and stores the head. Returns `None` if the latest head already
    /// is this one, signed with the current key.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails, or there is no key.
    pub async fn sign(&self) -> Result<Option<Head>, PortError> {
        let tip = self.log.tip().await?;
        let latest = self.log.latest_head().await?;
        let key = self.signer.public_key()?;
        let is_signed = latest.is_some_and(|head| head.tip == tip && head.key == key);
        if tip == Tip::START || is_signed {
            return Ok(None);
        }
        let signed_at = to_micros(self.clock.now());
        let signature = self.signer.sign(Head::text(tip, signed_at).as_bytes())?;
        let head = Head { tip, signed_at, key, signature };
        self.log.add_head(&head).await?;
        Ok(Some(head))
    }
}

/// Verifies the stored chain.
pub struct VerifyAudit {
    pub log: Arc<dyn EventLog>,
    pub signer: Arc<dyn HeadSigner>,
}

impl VerifyAudit {
    const PAGE: u16 = 1_000;

    /// Verifies all events and heads, also those that are appended meanwhile.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails, or there is no key.
    pub async fn verify(&self) -> Result<Report, PortError> {
        let mut verifier = Verifier::new(&*self.signer, self.signer.public_key()?);
        let mut signed = 0;
        let mut end = self.log.tip().await?;
        loop {
            loop {
                let entries = self.log.entries(verifier.position(), Self::PAGE).await?;
                let Some(last) = entries.last() else { break };
                let to = last.position;
                let mut heads = self.log.heads(signed, to, Self::PAGE).await?.into_iter();
                let mut head = heads.next();
                for entry in entries {
                    // The head of an event that is missing comes before the next event.
                    while let Some(early) = head.take_if(|head| head.tip.position < entry.position)
                    {
                        verifier.head(&early);
                        head = heads.next();
                    }
                    verifier.event(&entry);
                    if let Some(of_event) = head.take_if(|head| head.tip.position == entry.position)
                    {
                        verifier.head(&of_event);
                        head = heads.next();
                    }
                }
                signed = to;
            }
            // If nothing was appended while the last events were read, they are all there are.
            let before = std::mem::replace(&mut end, self.log.tip().await?);
            if before == end {
                break;
            }
        }
        // Heads of later events are wrong, unless events were appended meanwhile.
        let late = self.log.heads(end.position, i64::MAX, Self::PAGE).await?;
        if self.log.tip().await? == end {
            for head in &late {
                verifier.head(head);
            }
        }
        Ok(verifier.finish(end))
    }
}
