//! Ids of rows that raw SQL returns.

/// The id of a row.
#[derive(diesel::QueryableByName)]
pub(crate) struct Id {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub(crate) id: i64,
}

/// The ids, unless they are more than `most`.
pub(crate) fn at_most(most: i64, rows: Vec<Id>) -> Option<Vec<i64>> {
    let are_few = i64::try_from(rows.len()).is_ok_and(|number| number <= most);
    are_few.then(|| rows.into_iter().map(|row| row.id).collect())
}
