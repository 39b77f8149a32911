//! A batch that is stored in one statement, where the database can do that.

/// A batch that is stored in one statement.
pub(crate) struct NewBatch<B, T, E, O> {
    /// The row of the batch.
    pub(crate) row: B,
    /// The rows of its tweets, without the batch.
    pub(crate) tweets: Vec<T>,
    /// The row of its event, without the id of the batch.
    pub(crate) event: E,
    /// A query for the ids of the source tweets that it was made from.
    pub(crate) sources: O,
    /// Whether it is stored only if there are sources.
    pub(crate) needs_sources: bool,
}
