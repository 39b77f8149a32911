//! Reading rows of a queue so that one that cannot be read does not keep the others.

use diesel::result::{Error, QueryResult};
use futures_util::future::BoxFuture;

use super::Conn;

/// Rows on their way.
pub(super) type Rows<'a, R> = BoxFuture<'a, QueryResult<Vec<R>>>;

/// What was read, and the ids of the rows that cannot be, with the reasons.
pub(super) type Readable<R> = (Vec<R>, Vec<(i64, String)>);

/// Reads the rows with these ids: together, or, if that fails because of what one of them has in
/// it, each by itself.
pub(super) async fn readable<R>(
    connection: &mut Conn,
    ids: &[i64],
    read: for<'a> fn(&'a mut Conn, &'a [i64]) -> Rows<'a, R>,
) -> QueryResult<Readable<R>> {
    match read(connection, ids).await {
        Err(Error::DeserializationError(_)) => {}
        together => return Ok((together?, Vec::new())),
    }
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    for id in ids {
        match read(connection, &[*id]).await {
            Ok(row) => rows.extend(row),
            Err(Error::DeserializationError(error)) => unreadable.push((*id, error.to_string())),
            Err(error) => return Err(error),
        }
    }
    Ok((rows, unreadable))
}
