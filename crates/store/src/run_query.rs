//! Runs queries without holding their types across an `await`.

use diesel::query_dsl::methods::LimitDsl;
use diesel::result::QueryResult;
use diesel_async::AsyncConnectionCore;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use futures_util::future::BoxFuture;

/// Replaces [`diesel_async::RunQueryDsl`] with methods whose futures know only the type of the
/// result.
///
/// The type of a query names every table, column and condition in it. If an async function holds
/// that type across an `await`, the borrow checker processes it again at each step. This took most
/// of the time to compile this crate.
pub(crate) trait RunQueryDsl<Conn: AsyncConnectionCore + Send>: Sized {
    /// Runs a statement and returns the number of rows that it changed.
    fn execute<'conn, 'query>(
        self,
        connection: &'conn mut Conn,
    ) -> BoxFuture<'conn, QueryResult<usize>>
    where
        Self: ExecuteDsl<Conn> + 'query,
        'query: 'conn,
    {
        Box::pin(ExecuteDsl::execute(self, connection))
    }

    /// Returns all rows.
    fn load<'conn, 'query, U>(
        self,
        connection: &'conn mut Conn,
    ) -> BoxFuture<'conn, QueryResult<Vec<U>>>
    where
        U: Send + 'conn,
        Self: LoadQuery<'query, Conn, U> + 'query,
        'query: 'conn,
    {
        Box::pin(diesel_async::RunQueryDsl::load(self, connection))
    }

    /// Returns all rows of a statement that writes.
    fn get_results<'conn, 'query, U>(
        self,
        connection: &'conn mut Conn,
    ) -> BoxFuture<'conn, QueryResult<Vec<U>>>
    where
        U: Send + 'conn,
        Self: LoadQuery<'query, Conn, U> + 'query,
        'query: 'conn,
    {
        self.load(connection)
    }

    /// Returns the only row.
    fn get_result<'conn, 'query, U>(
        self,
        connection: &'conn mut Conn,
    ) -> BoxFuture<'conn, QueryResult<U>>
    where
        U: Send + 'conn,
        Self: LoadQuery<'query, Conn, U> + 'query,
        'query: 'conn,
    {
        Box::pin(diesel_async::RunQueryDsl::get_result(self, connection))
    }

    /// Returns the first row.
    fn first<'conn, 'query, U>(
        self,
        connection: &'conn mut Conn,
    ) -> BoxFuture<'conn, QueryResult<U>>
    where
        U: Send + 'conn,
        Self: LimitDsl,
        <Self as LimitDsl>::Output: LoadQuery<'query, Conn, U> + Send + 'query,
        'query: 'conn,
    {
        LimitDsl::limit(self, 1).get_result(connection)
    }
}

impl<T, Conn: AsyncConnectionCore + Send> RunQueryDsl<Conn> for T {}
