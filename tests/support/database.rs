//! A separate database for each test, on SQLite or on PostgreSQL.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

static COUNT: AtomicU32 = AtomicU32::new(0);

fn unique() -> String {
    format!("waggle_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst))
}

/// A folder that is deleted when it is dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// Creates an empty folder.
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(unique());
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The kind of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    /// On the server of the test run.
    Postgres,
}

/// A database that does not outlive the test run.
pub(crate) struct Database {
    pub(crate) url: String,
    /// The folder of its files.
    pub(crate) folder: Folder,
}

impl Database {
    /// Creates an empty database.
    pub(crate) async fn new(kind: Kind) -> Self {
        let folder = Folder::new();
        let url = match kind {
            Kind::Sqlite => format!("sqlite://{}", folder.0.join("waggle.db").display()),
            Kind::Postgres => postgres(&unique()).await,
        };
        Self { url, folder }
    }
}

/// The URL of the PostgreSQL server that the test run started.
pub(crate) fn server() -> String {
    std::env::var("WAGGLE_TEST_POSTGRES_URL").expect(
        "these tests need a PostgreSQL server; `make test` starts one, \
         and so does `scripts/with-postgres cargo test`",
    )
}

async fn postgres(name: &str) -> String {
    let server = server();
    let (client, connection) =
        tokio_postgres::connect(&server, NoTls).await.expect("the server answers");
    let driver = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database can be made");
    drop(client);
    let _ = driver.await;
    server.replacen("/postgres?", &format!("/{name}?"), 1)
}
