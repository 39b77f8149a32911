//! The ports of this domain: the stored events, and the key that signs heads.

use async_trait::async_trait;
use waggle_kernel::ids::UserId;
use waggle_kernel::{Event, NewEvent, Page, PageRequest, PortError};

use crate::change::{Change, Place};
use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, Tip};
use crate::filter::EventFilter;
use crate::head::Head;
use crate::redaction::RedactionOrder;

/// Stores the chain of events. The changes themselves write their events as waiting ones, each in
/// its own transaction.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends up to `most` waiting events to the chain, in the order of their ids, with
    /// [`Tip::append`]. Returns their number. Processes that do this at the same time take turns.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails; then nothing is appended.
    async fn extend(&self, most: u16) -> Result<usize, PortError>;

    /// The end of the chain, as it is stored apart from the events.
    async fn tip(&self) -> Result<Tip, PortError>;

    /// A page of the events that match `filter`, newest first. Events of the same time are sorted
    /// by their positions. It has all events of changes that were completed before the call, unless
    /// they cannot be appended, or very many wait.
    async fn list(&self, filter: &EventFilter, page: PageRequest)
    -> Result<Page<Event>, PortError>;

    /// The end of the chain, with its epoch.
    async fn place(&self) -> Result<Place, PortError>;

    /// Up to `most` changes after a position, in order.
    async fn changes(&self, after: i64, most: u16) -> Result<Vec<Change>, PortError>;

    /// Up to `most` entries after a position, in order. A hash that is not one is read as zeros.
    async fn entries(&self, after: i64, most: u16) -> Result<Vec<Entry>, PortError>;

    /// Up to `most` heads after the one with the number `after`, in order.
    async fn heads(&self, after: i64, most: u16) -> Result<Vec<Head>, PortError>;

    /// The head with the highest number.
    async fn latest_head(&self) -> Result<Option<Head>, PortError>;

    /// Stores a head, unless there is one with its number.
    async fn add_head(&self, head: &Head) -> Result<(), PortError>;

    /// The checkpoint with which the chain begins; `None` if no event was removed.
    async fn checkpoint(&self) -> Result<Option<Checkpoint>, PortError>;

    /// Removes the events and heads up to a checkpoint, and records `event`. Does nothing if the
    /// last event that was removed before is not `since` (0 if none was): another process was
    /// faster. Returns whether it did.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails; then nothing is removed.
    async fn remove(
        &self,
        since: i64,
        checkpoint: &Checkpoint,
        event: &NewEvent,
    ) -> Result<bool, PortError>;

    /// Stores a checkpoint in place of the one with the same last event, if there is one.
    async fn renew(&self, checkpoint: &Checkpoint) -> Result<(), PortError>;

    /// The actors as whom a user has acted: the user and its API tokens.
    async fn actors_of(&self, user: UserId) -> Result<Vec<String>, PortError>;

    /// Removes the personal data, with its salt, of those of these events that have any, and
    /// records [`RedactionOrder::event`] in the same transaction, in which the event is appended to
    /// the chain, too. Returns the number of events.
    ///
    /// # Errors
    ///
    /// [`PortError`] if storage fails, or very many events wait to be appended; then nothing is
    /// removed.
    async fn redact(&self, positions: &[i64], order: &RedactionOrder) -> Result<u64, PortError>;
}

/// Signs heads with a key that the database does not contain.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait HeadSigner: Send + Sync {
    /// The public keys in hexadecimal digits, that of the current key first. Empty if there is no
    /// key.
    ///
    /// # Errors
    ///
    /// [`PortError`] if a key is not usable.
    fn public_keys(&self) -> Result<Vec<String>, PortError>;

    /// The Ed25519 signature of a text with the current key.
    ///
    /// # Errors
    ///
    /// [`PortError`] if there is no key.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, PortError>;

    /// Whether this is a signature of `text` by the holder of a public key.
    fn is_signature(&self, public_key: &str, text: &[u8], signature: &[u8]) -> bool;
}
