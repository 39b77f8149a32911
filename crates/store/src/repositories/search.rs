//! Finds tweets by a part of their text.

use diesel::result::QueryResult;

use super::{Conn, containing, dialect};
use crate::texts::Texts;

/// The number of tweets whose texts a search by date reads first, in the order of the list. A text
/// that is common enough fills the page with them, without an index.
pub(super) const FIRST: i64 = 400;

/// The maximum number of tweets that are found first and then sorted. Candidates that are not
/// checked yet can be more.
pub(super) const FEW: i64 = 5_000;

/// Ids of tweets that include all tweets whose text contains `part`, if an index finds only a few.
/// If they are many, a list finds enough of them soon by reading the texts in its order.
pub(super) async fn few_candidates(
    connection: &mut Conn,
    texts: Texts,
    part: Option<&str>,
) -> QueryResult<Option<Vec<i64>>> {
    match part {
        Some(part) => dialect::may_contain(connection, texts, part, &containing(part), FEW).await,
        None => Ok(None),
    }
}
