//! A multi-row insert for both databases. Diesel's own batch insert is not available on SQLite with
//! diesel-async.

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId, ValuesClause};
use diesel::query_source::{Column, QuerySource};
use diesel::result::QueryResult;
use diesel::{Expression, Insertable};

/// The maximum number of rows in a statement. PostgreSQL accepts 65,535 values in a statement,
/// SQLite 32,766.
pub(crate) const CHUNK: usize = 100;

/// What happens to a row that already exists.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OnConflict {
    /// The row stays as it is, and is not returned.
    DoNothing,
    /// These columns of the row are overwritten.
    Update(&'static [&'static str]),
}

/// `INSERT INTO table (...) VALUES (...), (...) ON CONFLICT (column) ... RETURNING ...`.
#[derive(Debug)]
pub(crate) struct InsertMany<T: QuerySource, V, C, R> {
    table: T::FromClause,
    rows: Vec<ValuesClause<V, T>>,
    conflict: OnConflict,
    returning: R,
    column: PhantomData<C>,
}

/// Inserts `rows` (at least one, at most [`CHUNK`]) into `table`. A conflict on the unique
/// `_column` is handled as specified by `conflict`.
pub(crate) fn insert_many<T, I, V, C, R>(
    table: T,
    rows: Vec<I>,
    _column: C,
    conflict: OnConflict,
    returning: R,
) -> InsertMany<T, V, C, R>
where
    T: QuerySource + Copy,
    I: Insertable<T, Values = ValuesClause<V, T>>,
{
    InsertMany {
        table: table.from_clause(),
        rows: rows.into_iter().map(Insertable::values).collect(),
        conflict,
        returning,
        column: PhantomData,
    }
}

impl<T, V, C, R, DB> QueryFragment<DB> for InsertMany<T, V, C, R>
where
    DB: Backend,
    T: QuerySource,
    T::FromClause: QueryFragment<DB>,
    ValuesClause<V, T>: QueryFragment<DB>,
    V: QueryFragment<DB>,
    C: Column,
    R: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // The cache is keyed by the text of the statement, so only common lengths are cached.
        if self.rows.len() != CHUNK && self.rows.len() > 10 {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql("INSERT INTO ");
        self.table.walk_ast(out.reborrow())?;
        out.push_sql(" ");
        let mut rows = self.rows.iter();
        if let Some(first) = rows.next() {
            first.walk_ast(out.reborrow())?;
        }
        for row in rows {
            out.push_sql(", (");
            row.values.walk_ast(out.reborrow())?;
            out.push_sql(")");
        }
        out.push_sql(" ON CONFLICT (");
        out.push_identifier(C::NAME)?;
        match self.conflict {
            OnConflict::DoNothing => out.push_sql(") DO NOTHING"),
            OnConflict::Update(columns) => {
                out.push_sql(") DO UPDATE SET ");
                for (index, column) in columns.iter().enumerate() {
                    if index > 0 {
                        out.push_sql(", ");
                    }
                    out.push_identifier(column)?;
                    out.push_sql(" = excluded.");
                    out.push_identifier(column)?;
                }
            }
        }
        out.push_sql(" RETURNING ");
        self.returning.walk_ast(out)
    }
}

impl<T: QuerySource, V, C, R> QueryId for InsertMany<T, V, C, R> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T: QuerySource, V, C, R: Expression> Query for InsertMany<T, V, C, R> {
    type SqlType = R::SqlType;
}

impl<T: QuerySource, V, C, R, Connection> diesel::RunQueryDsl<Connection>
    for InsertMany<T, V, C, R>
{
}
