//! The connection type of SQLite.

use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

use super::runtime::OnWorker;

pub(crate) type Db = Sqlite;
pub(crate) type Conn = SyncConnectionWrapper<SqliteConnection, OnWorker>;
pub(crate) type Manager = AsyncDieselConnectionManager<Conn>;
