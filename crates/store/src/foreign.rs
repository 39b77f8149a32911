//! Telling a database of another program from one of Waggle's.

/// The name of a table, a view, or a step.
#[derive(diesel::QueryableByName)]
pub(crate) struct Name {
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub(crate) name: String,
}

/// The record of the steps that are applied, of any program that uses Diesel.
const RECORD: &str = "__diesel_schema_migrations";

/// How to ask for the steps in the record.
pub(crate) const STEPS: &str = "SELECT version AS name FROM __diesel_schema_migrations";

/// Whether a database has a record of steps.
pub(crate) fn has_record(tables: &[Name]) -> bool {
    tables.iter().any(|table| table.name == RECORD)
}

/// Whether a database with these tables and views, and these steps in its record, is in use by
/// another program. Waggle's own has its first step recorded, or, before that is recorded with
/// `waggle migrate --fake`, its tables.
pub(crate) fn is_foreign(tables: &[Name], steps: &[Name]) -> bool {
    const OURS: &[&str] = &["campaign_batch_sources", "setting_state", "twitter_posts"];
    let has = |names: &[Name], wanted: &str| names.iter().any(|one| one.name == wanted);
    let is_empty = steps.is_empty() && tables.iter().all(|table| table.name == RECORD);
    let is_ours = has(steps, "0001") || OURS.iter().all(|ours| has(tables, ours));
    !is_empty && !is_ours
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Name> {
        names.iter().map(|name| Name { name: (*name).to_owned() }).collect()
    }

    #[test]
    fn a_database_of_another_program_is_told_from_an_own_one() {
        let cases: &[(&[&str], &[&str], bool)] = &[
            (&[], &[], false),
            // The first start ended before the first step.
            (&[RECORD], &[], false),
            (&[RECORD, "posts"], &["0001", "0002"], false),
            (&["campaign_batch_sources", "setting_state", "twitter_posts"], &[], false),
            (&["invoices"], &[], true),
            (&["setting_state", "invoices"], &[], true),
            (&[RECORD, "invoices"], &[], true),
            (&[RECORD, "invoices"], &["20200101"], true),
            (&[RECORD], &["20200101"], true),
        ];
        for (tables, steps, foreign) in cases {
            assert_eq!(is_foreign(&names(tables), &names(steps)), *foreign, "{tables:?} {steps:?}");
        }
    }
}
