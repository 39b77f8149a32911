//! The connection type of PostgreSQL.

use diesel::pg::Pg;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;

pub(crate) type Db = Pg;
pub(crate) type Conn = AsyncPgConnection;
pub(crate) type Manager = AsyncDieselConnectionManager<Conn>;
