//! Finds tweets by a part of their text.

use diesel::result::QueryResult;

use super::{Conn, containing, dialect};
use crate::texts::Texts;

/// The maximum number of tweets that are found first and then sorted.
pub(super) const FEW: i64 = 5_000;

/// The ids of the tweets whose text contains `part`, if an index shows that they are few. If they
/// are many, a list finds enough of them soon by reading the texts in its order.
pub(super) async fn few_containing(
    connection: &mut Conn,
    texts: Texts,
    part: Option<&str>,
) -> QueryResult<Option<Vec<i64>>> {
    match part {
        Some(part) => dialect::containing(connection, texts, part, &containing(part), FEW).await,
        None => Ok(None),
    }
}
