//! Measures whether response times reveal who is a user, with the same call for users and nonusers
//! in turn.

use std::process::Stdio;
use std::time::Instant;

use serde_json::json;

use crate::database::Database;
use crate::process::{Process, command};
use crate::say;
use crate::wire::Client;

/// A password hash of the Django application, with as many rounds as its newest version uses.
const IMPORTED: &str = "pbkdf2_sha256$1000000$seasalt$szc9JykQ1PYPR/+L2AAHkdi5CvEFPBEm61xjRq7jOQI=";

pub(crate) const PASSWORD: &str = "correct staple, battery horse";

/// Settings for calls that are made more often here than by people.
const OPEN: [(&str, &str); 6] = [
    ("WAGGLE_LOG", "error"),
    ("REQUESTS_PER_MINUTE", "0"),
    ("LOGIN_FAILURES_PER_ACCOUNT", "1000"),
    ("LOGIN_FAILURES_PER_CLIENT", "100000"),
    ("LOGIN_FAILURE_SECONDS", "10"),
    (
        "LIMITS",
        "mail.pause=1000/1,mail.address=1000/60,mail.system=10000/60,reset.client=10000/60,\
         register.client=10000/60",
    ),
];

/// Creates a user.
pub(crate) fn user(database: &Database, name: &str, role: &str, more: &[&str]) {
    let email = format!("{name}@hive.example");
    let mut command = command(database);
    command.args(["users", "create", "--email", &email, "--role", role]).args(more);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command runs");
    let mut input = child.stdin.take().expect("it reads");
    std::io::Write::write_all(&mut input, PASSWORD.as_bytes()).expect("it reads");
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

/// Compares response times on a separate database.
pub(crate) fn measure(runtime: &tokio::runtime::Runtime, database: &Database) {
    let mut environment = OPEN.to_vec();
    environment.extend([("ALLOWED_DOMAIN", "hive.example")]);
    let process = Process::start(database, &environment);
    user(database, "joe", "viewer", &["--password-stdin"]);
    user(database, "shut", "viewer", &["--password-stdin"]);
    user(database, "none", "viewer", &["--no-password"]);
    let shut = command(database).args(["users", "deactivate", "shut"]).output();
    assert!(shut.expect("it runs").status.success());
    let address = process.base.trim_start_matches("http://").to_owned();
    let mut client = Client::connect(&address, "");

    let wrong = |name: &str| {
        let login = format!("{name}@hive.example");
        json!({ "login": login, "password": "not the password" })
    };
    let of = |name: &str| json!({ "email": format!("{name}@hive.example") });
    let wanted =
        |name: &str| json!({ "email": format!("{name}@hive.example"), "password": PASSWORD });
    compare(&mut client, "sign-in refused", 100, "/api/v1/auth/login", wrong);
    compare(&mut client, "password reset asked for", 100, "/api/v1/auth/password-reset", of);
    compare(&mut client, "registration asked for", 100, "/api/v1/auth/register", wanted);
    let import = format!("UPDATE users SET password = '{IMPORTED}' WHERE username = 'joe'");
    runtime.block_on(execute(database, &import));
    compare(&mut client, "sign-in refused, user imported", 10, "/api/v1/auth/login", wrong);
}

async fn execute(database: &Database, sql: &str) {
    if let Some(path) = database.url.strip_prefix("sqlite://") {
        let connection = rusqlite::Connection::open(path).expect("the database opens");
        connection.execute(sql, []).expect("it is written");
        return;
    }
    let connected = tokio_postgres::connect(&database.url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("the database opens");
    let driver = tokio::spawn(connection);
    client.execute(sql, &[]).await.expect("it is written");
    drop(client);
    let _ = driver.await;
}

/// Times a call `often` times for each kind of user in turn, and prints the medians. The others are
/// compared with that of an unknown user.
fn compare(
    client: &mut Client,
    what: &str,
    often: usize,
    path: &str,
    body: impl Fn(&str) -> serde_json::Value,
) {
    let who = ["nobody", "joe", "shut", "none"];
    let mut times = who.map(|_| Vec::with_capacity(often));
    for round in 0..=often {
        for turn in 0..who.len() {
            // The order changes each round, so that none has the advantage of being first.
            let one = (turn + round) % who.len();
            let body = body(who[one]).to_string();
            let begun = Instant::now();
            client.exchange(path, body.as_bytes());
            if round > 0 {
                times[one].push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    let [nobody, user, shut_out, no_password] = medians;
    let beside = |median: f64| {
        format!("{:+.2} ms ({:+.0} %)", median - nobody, 100.0 * (median - nobody) / nobody)
    };
    let (user, shut_out, no_password) = (beside(user), beside(shut_out), beside(no_password));
    say(
        &format!("{what}, for nobody"),
        &format!(
            "median {nobody:.2} ms; user {user}, deactivated {shut_out}, no password {no_password}"
        ),
    );
}
