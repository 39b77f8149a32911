//! Reads the stored record in the order in which it is verified.

use std::collections::VecDeque;

use waggle_kernel::PortError;

use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, Tip};
use crate::head::Head;
use crate::ports::EventLog;
use crate::record::Item;
use crate::redaction::REDACTED;

/// The number of events or heads that are read at once.
pub(crate) const PAGE: u16 = 1_000;

/// Reads the whole record: the checkpoint first, each signature after the event at its position,
/// and the end last. Events that are appended meanwhile are left out.
///
/// # Errors
///
/// [`PortError`] if storage fails, or events are redacted or removed meanwhile.
pub async fn read_record(
    log: &dyn EventLog,
    mut take: impl FnMut(Item) + Send,
) -> Result<(), PortError> {
    let mut reader = Reader::start(log).await?;
    loop {
        let page = reader.page().await?;
        if page.is_empty() {
            break;
        }
        page.into_iter().for_each(&mut take);
    }
    reader.rest().await?.into_iter().for_each(take);
    Ok(())
}

/// A reading of the record that has begun.
pub(crate) struct Reader<'a> {
    log: &'a dyn EventLog,
    checkpoint: Option<Checkpoint>,
    /// The last event that was removed.
    removed_to: i64,
    /// The end of the chain when the reading began, and the last head of that time.
    end: Tip,
    last_head: i64,
    /// Heads that are read and not returned yet, and the number of the last one that is read.
    heads: VecDeque<Head>,
    head: i64,
    /// The last event that is read, and the position of the next one if none is missing.
    after: i64,
    next: i64,
}

impl<'a> Reader<'a> {
    pub(crate) async fn start(log: &'a dyn EventLog) -> Result<Self, PortError> {
        let checkpoint = log.checkpoint().await?;
        // The last head is read before the end: what it signs is not after that.
        let last_head = log.latest_head().await?.map_or(0, |head| head.number);
        let end = log.tip().await?;
        let removed_to = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.tip.position);
        Ok(Self {
            log,
            checkpoint,
            removed_to,
            end,
            last_head,
            heads: VecDeque::new(),
            head: i64::MIN,
            after: i64::MIN,
            next: removed_to.saturating_add(1),
        })
    }

    /// The next items, without those at the end. Empty if there are no more.
    pub(crate) async fn page(&mut self) -> Result<Vec<Item>, PortError> {
        let entries = self.log.entries(self.after, PAGE).await?;
        if entries.first().is_some_and(|first| first.position > self.next) {
            self.check_unchanged().await?;
        }
        let mut items: Vec<Item> =
            self.checkpoint.take().map(Item::Checkpoint).into_iter().collect();
        for entry in entries {
            let position = entry.position;
            if position > self.end.position && !self.is_after_the_end(&entry).await? {
                break;
            }
            while let Some(early) = self.head_to(position.saturating_sub(1)).await? {
                items.push(Item::Head(early));
            }
            items.push(Item::Event(Box::new(entry)));
            while let Some(here) = self.head_to(position).await? {
                items.push(Item::Head(here));
            }
            self.after = position;
            self.next = position.saturating_add(1);
        }
        Ok(items)
    }

    /// Whether an event is after the stored end although nothing was appended meanwhile.
    async fn is_after_the_end(&self, entry: &Entry) -> Result<bool, PortError> {
        let end = self.log.tip().await?;
        Ok(entry.position > end.position || end == self.end)
    }

    /// The next head that signs no event after a position.
    async fn head_to(&mut self, position: i64) -> Result<Option<Head>, PortError> {
        if self.heads.is_empty() && self.head < self.last_head {
            let page = self.log.heads(self.head, PAGE).await?;
            self.head = page.last().map_or(self.last_head, |last| last.number);
            self.heads.extend(page.into_iter().filter(|head| head.number <= self.last_head));
        }
        Ok(self.heads.pop_front_if(|head| head.tip.position <= position))
    }

    /// The heads after all events, and the end.
    async fn rest(mut self) -> Result<Vec<Item>, PortError> {
        let mut items = Vec::new();
        while let Some(head) = self.head_to(i64::MAX).await? {
            items.push(Item::Head(head));
        }
        items.push(Item::End(self.end));
        self.check_unchanged().await?;
        Ok(items)
    }

    /// Checks that nothing was redacted or removed since the reading began. What was read before
    /// would not fit what was read after that.
    async fn check_unchanged(&self) -> Result<(), PortError> {
        let changed = || {
            let problem = "events were redacted or removed meanwhile; try again";
            PortError::unavailable("reading the record", problem)
        };
        let checkpoint = self.log.checkpoint().await?;
        if checkpoint.is_some_and(|checkpoint| checkpoint.tip.position > self.removed_to) {
            return Err(changed());
        }
        // A redaction appends its event in its own transaction. What is after the end was not
        // appended.
        let (mut after, end) = (self.end.position, self.log.tip().await?);
        while after < end.position {
            let page = self.log.changes(after, PAGE).await?;
            let mut appended = page.iter().filter(|change| change.position <= end.position);
            if appended.any(|change| change.kind == REDACTED) {
                return Err(changed());
            }
            let Some(last) = page.last() else { break };
            after = last.position;
        }
        Ok(())
    }
}
