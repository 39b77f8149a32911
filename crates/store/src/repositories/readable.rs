//! Reads rows of a queue, so that one unreadable row does not block the others.

use diesel::result::{Error, QueryResult};
use futures_util::future::BoxFuture;

use super::Conn;

/// A future that resolves to rows.
pub(super) type Rows<'a, R> = BoxFuture<'a, QueryResult<Vec<R>>>;

/// The rows that were read, and the ids of the unreadable rows with the reasons.
pub(super) type Readable<R> = (Vec<R>, Vec<(i64, String)>);

/// Reads the rows with these ids together. If that fails because of the contents of a row, reads
/// each row separately.
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
