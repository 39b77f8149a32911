//! Calls that are made once, however often they are repeated.

/// A call that its caller may repeat with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedCall {
    /// Who makes the call. Each caller has its own keys.
    pub caller: String,
    pub key: String,
    /// Hashes of everything that makes this call different from others. The first one is stored. A
    /// call is the same if any of them was.
    pub fingerprints: Vec<[u8; 32]>,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    pub content_type: String,
    /// `None` if the answer had a secret, and was not stored.
    pub body: Option<Vec<u8>>,
}

/// The result of a call with a key.
#[derive(Debug)]
pub enum Once<T> {
    /// The call was made.
    Made(T),
    /// The call was made before, with this answer.
    MadeBefore(StoredAnswer),
    /// The key belongs to another call. This call was not made.
    OtherCall,
}
