//! Finds tweets by a part of their text.

use diesel::result::QueryResult;

use super::{Conn, containing, dialect};
use crate::texts::Texts;

/// The maximum number of tweets that are found first and then sorted.
pub(super) const FEW: i64 = 5_000;

/// The ids of tweets among which are all whose text contains `part`, if an index shows that they are
/// few. If they are many, a list finds enough of them soon by reading the texts in its order.
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
