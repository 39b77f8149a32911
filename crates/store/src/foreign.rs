//! Distinguishes a database of Waggle from that of another program.

/// The name of a table, a view, or a migration.
#[derive(diesel::QueryableByName)]
pub(crate) struct Name {
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub(crate) name: String,
}

/// The table of applied migrations, which every program that uses Diesel has.
const RECORD: &str = "__diesel_schema_migrations";

/// Selects the migrations in the table of applied migrations.
pub(crate) const STEPS: &str = "SELECT version AS name FROM __diesel_schema_migrations";

/// Whether a database has a table of applied migrations.
pub(crate) fn has_record(tables: &[Name]) -> bool {
    tables.iter().any(|table| table.name == RECORD)
}

/// Whether a database with these tables and views, and these applied migrations, belongs to another
/// program. In Waggle's own database, the first migration is recorded as applied. Before `waggle
/// migrate --fake` records it, Waggle's tables exist.
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
    fn databases_of_other_programs_are_recognized() {
        let cases: &[(&[&str], &[&str], bool)] = &[
            (&[], &[], false),
            // The first start ended before the first migration.
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
