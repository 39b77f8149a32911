//! `column IN (?, ?, ...)` as a statement that is cached. On SQLite, Diesel prepares its own
//! statement again each time.

use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate,
};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{Bool, HasSqlType, Text};

use crate::insert_many::CHUNK;

/// Whether `column` is one of `values`, which must not be empty.
#[derive(Debug)]
pub(crate) struct OneOf<C> {
    pub(crate) column: C,
    pub(crate) values: Vec<String>,
}

impl<C> Expression for OneOf<C> {
    type SqlType = Bool;
}

impl<C, Source> AppearsOnTable<Source> for OneOf<C> {}
impl<C, Source> SelectableExpression<Source> for OneOf<C> {}

impl<C, GroupBy> ValidGrouping<GroupBy> for OneOf<C> {
    type IsAggregate = is_aggregate::No;
}

impl<C, DB> QueryFragment<DB> for OneOf<C>
where
    DB: Backend + HasSqlType<Text>,
    C: QueryFragment<DB>,
    String: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // The cache is keyed by the text of the statement, so only common lengths are cached.
        if self.values.len() != CHUNK && self.values.len() > 10 {
            out.unsafe_to_cache_prepared();
        }
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" IN (");
        for (index, value) in self.values.iter().enumerate() {
            if index > 0 {
                out.push_sql(", ");
            }
            out.push_bind_param::<Text, _>(value)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl<C> QueryId for OneOf<C> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}
