//! All repositories, written once and compiled for each database.

mod auth_events;
mod batch_status;
mod campaign_batches;
mod events;
mod generated_tweets;
mod google_accounts;
mod health;
mod idempotency;
mod ledger;
mod limits;
mod locks;
mod mails;
mod measures;
mod notifications;
mod outcome;
mod passkeys;
mod post_events;
mod post_queue;
mod posts;
mod readable;
mod restored;
mod retention;
mod revoke;
mod search;
mod second_factors;
mod sessions;
mod set_up;
mod settings;
mod source_tweets;
mod tokens;
mod tweet_order;
mod user_row;
mod users;
mod verifications;

use diesel::Selectable;
use waggle_kernel::{Actor, ActorRef};

pub(crate) use self::health::check;
pub(crate) use self::settings::revision as settings_revision;
use super::{Conn, Db, Joint, Pools, Transaction, dialect};

/// Implements every storage port.
#[derive(Clone, Debug)]
pub(crate) struct Repositories {
    pools: Pools,
}

impl Repositories {
    pub(crate) const fn new(pools: Pools) -> Self {
        Self { pools }
    }
}

/// Waggle itself, as events name it.
fn system() -> ActorRef {
    Actor::system().reference()
}

/// The columns of `R`, in place of `R::as_select()`. The type of the latter hides the columns, and
/// the compiler then proves for each query again that `R` can be read from them, which took more
/// than half of the time to compile this crate.
fn columns<R: Selectable<Db>>() -> R::SelectExpression {
    R::construct_selection()
}

diesel::define_sql_function! {
    /// Lower case, by the rules of the database.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// The LIKE pattern for texts that contain `part`, with `\` as the escape character. The database
/// converts both sides to lower case, each database by its own rules.
fn containing(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('%');
    for c in part.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Restricts a query to the rows after a cursor, and orders it. Both are written so that an index
/// can serve them.
macro_rules! keyset {
    ($query:expr, $column:expr, $value:expr, $id:expr, $direction:expr, $after:expr) => {{
        let mut query = $query;
        match $direction {
            waggle_kernel::Direction::Ascending => {
                if let Some(after) = $after {
                    query = query
                        .filter($column.ge($value(after)))
                        .filter($column.gt($value(after)).or($id.gt(after.id)));
                }
                query.order(($column.asc(), $id.asc()))
            }
            waggle_kernel::Direction::Descending => {
                if let Some(after) = $after {
                    query = query
                        .filter($column.le($value(after)))
                        .filter($column.lt($value(after)).or($id.lt(after.id)));
                }
                query.order(($column.desc(), $id.desc()))
            }
        }
    }};
}
use keyset;

/// The time in a cursor.
fn cursor_time(cursor: waggle_kernel::Cursor) -> crate::types::Time {
    crate::types::Time(
        chrono::DateTime::from_timestamp_micros(cursor.sort_value).unwrap_or_default(),
    )
}

/// One row more than the page has, which shows whether the list continues.
fn one_more(limit: waggle_kernel::Limit) -> i64 {
    i64::from(limit.rows()) + 1
}
