//! Whether the time of an answer tells who is a user: the same call for somebody and for nobody, by turns.

use std::process::Stdio;
use std::time::Instant;

use serde_json::json;

use crate::database::Database;
use crate::process::{Process, command};
use crate::say;
use crate::wire::Client;

/// How often each call is timed.
const TIMES: usize = 100;

const PASSWORD: &str = "correct staple, battery horse";

/// What is done here more often than people do it.
const OPEN: [(&str, &str); 6] = [
    ("WAGGLE_LOG", "error"),
    ("REQUESTS_PER_MINUTE", "0"),
    ("LOGIN_FAILURES_PER_ACCOUNT", "1000"),
    ("LOGIN_FAILURES_PER_CLIENT", "100000"),
    ("LOGIN_FAILURE_SECONDS", "10"),
    (
        "LIMITS",
        "mail.pause=1000/1,mail.address=1000/60,mail.system=10000/60,reset.client=10000/60,register.client=10000/60",
    ),
];

fn user(database: &Database, name: &str, more: &[&str]) {
    let email = format!("{name}@hive.example");
    let mut command = command(database);
    command.args(["users", "create", "--email", &email, "--role", "viewer"]).args(more);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command runs");
    let mut input = child.stdin.take().expect("it reads");
    std::io::Write::write_all(&mut input, PASSWORD.as_bytes()).expect("it reads");
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

/// Compares, on a database of its own.
pub(crate) fn measure(database: &Database) {
    let mut environment = OPEN.to_vec();
    environment.extend([("ALLOWED_DOMAIN", "hive.example")]);
    let process = Process::start(database, &environment);
    user(database, "joe", &["--password-stdin"]);
    user(database, "shut", &["--password-stdin"]);
    user(database, "none", &["--no-password"]);
    assert!(
        command(database)
            .args(["users", "deactivate", "shut"])
            .status()
            .expect("it runs")
            .success()
    );
    let address = process.base.trim_start_matches("http://").to_owned();
    let mut client = Client::connect(&address, "");

    let wrong = |name: &str| json!({ "login": format!("{name}@hive.example"), "password": "not the password" });
    let of = |name: &str| json!({ "email": format!("{name}@hive.example") });
    let wanted =
        |name: &str| json!({ "email": format!("{name}@hive.example"), "password": PASSWORD });
    compare(&mut client, "sign-in refused", "/api/v1/auth/login", wrong);
    compare(&mut client, "password reset asked for", "/api/v1/auth/password-reset", of);
    compare(&mut client, "registration asked for", "/api/v1/auth/register", wanted);
}

/// Times a call for somebody of each kind, by turns, and says the medians; that of nobody is what the others are compared with.
fn compare(client: &mut Client, what: &str, path: &str, body: impl Fn(&str) -> serde_json::Value) {
    let who = ["nobody", "joe", "shut", "none"];
    let mut times = who.map(|_| Vec::with_capacity(TIMES));
    for round in 0..=TIMES {
        for turn in 0..who.len() {
            // Whoever comes first in a round has no advantage.
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
            "median {nobody:.2} ms; user {user}, shut out {shut_out}, no password {no_password}"
        ),
    );
}
