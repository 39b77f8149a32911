//! The command line, as operators use it.

use std::io::{BufRead as _, BufReader};
use std::process::{Output, Stdio};

use reqwest::Method;
use serde_json::Value;

use crate::database::{Database, Kind};
use crate::process::{command, token};
use crate::{Waggle, answer, count, execute, on_both, process};

fn run(database: &Database, arguments: &[&str]) -> Output {
    crate::run(database, arguments, "")
}

fn json(database: &Database, arguments: &[&str]) -> Value {
    let output = run(database, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn tokens_are_created_listed_and_revoked(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let database = &waggle.database;
    let expired = run(
        database,
        &["tokens", "create", "--name", "old", "--scope", "read", "--expires", "2020-01-01"],
    );
    assert!(!expired.status.success());
    assert!(
        !run(database, &["tokens", "create", "--name", "x", "--scope", "root"]).status.success()
    );
    assert!(!run(database, &["tokens", "create", "--name", "x"]).status.success());

    let made = json(
        database,
        &[
            "tokens",
            "create",
            "--name",
            "n8n",
            "--scope",
            "ingest",
            "read",
            "--expires",
            "2999-12-31",
            "--json",
        ],
    );
    let secret = made["token"].as_str().unwrap();
    assert!(secret.starts_with(&format!("wgl_{}_", made["id"].as_str().unwrap())));
    let call = || waggle.request(reqwest::Method::GET, "/api/v1/posts").bearer_auth(secret);
    answer(call()).await.ok();

    let list = json(database, &["tokens", "list", "--json"]);
    assert!(!list.to_string().contains(secret));
    let listed =
        list["tokens"].as_array().unwrap().iter().find(|one| one["name"] == "n8n").unwrap();
    assert!(listed["last_used_at"].is_string(), "{listed}");
    let shown = run(database, &["tokens", "list"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("n8n"));

    assert!(String::from_utf8_lossy(&shown.stdout).contains("the operator"));
    // The list shows the owner of a token, and scopes that have no effect.
    crate::accounts::user(&waggle, "vera", "viewer");
    let create = ["tokens", "create", "--user", "vera", "--name", "hers", "--scope", "read,write"];
    let created = run(database, &create);
    let warning = "vera has the role viewer, so these scopes have no effect: write";
    assert!(String::from_utf8_lossy(&created.stderr).contains(warning), "{created:?}");
    let shown = String::from_utf8(run(database, &["tokens", "list"]).stdout).unwrap();
    assert!(shown.contains("  vera  ") && shown.contains(warning), "{shown}");
    let list = answer(waggle.by_admin(Method::GET, "/api/v1/users/tokens").await).await.ok();
    let hers = list["items"].as_array().unwrap().iter().find(|one| one["name"] == "hers").unwrap();
    assert_eq!((&hers["username"], &hers["unusable_scopes"]), (&"vera".into(), &["write"].into()));

    json(database, &["tokens", "revoke", made["id"].as_str().unwrap(), "--json"]);
    answer(call()).await.refused(401);
    assert!(!run(database, &["tokens", "revoke", made["id"].as_str().unwrap()]).status.success());
}

async fn migrations_are_applied_and_listed(kind: Kind) {
    let database = process::database(kind).await;
    let applied = |value: &Value| {
        value["migrations"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|step| step["applied"] == true)
            .count()
    };
    let before = json(&database, &["migrate", "status", "--json"]);
    assert_eq!(applied(&before), 0);

    let run_once = json(&database, &["migrate", "--json"]);
    let again = run(&database, &["migrate"]);

    assert_eq!(
        run_once["applied"].as_array().unwrap().len(),
        before["migrations"].as_array().unwrap().len()
    );
    assert!(String::from_utf8_lossy(&again.stdout).contains("up to date"));
    let after = json(&database, &["migrate", "status", "--json"]);
    assert_eq!(applied(&after), after["migrations"].as_array().unwrap().len());

    let faked = process::database(kind).await;
    let done = json(&faked, &["migrate", "--fake", "--json"]);
    assert!(done["recorded_as_applied"].is_array(), "{done}");
    assert!(!run(&faked, &["tokens", "list"]).status.success(), "nothing was run");
}

async fn invalid_settings_in_the_environment_stop_the_start(kind: Kind) {
    let database = process::database(kind).await;

    let output = command(&database)
        .arg("serve")
        .env("PUBLISH_LEASE_SECONDS", "soon")
        .env("TWITTER_API_URL", "ftp://x")
        .output()
        .unwrap();

    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        error.contains("PUBLISH_LEASE_SECONDS") && error.contains("TWITTER_API_URL"),
        "all problems are reported at once: {error}"
    );
}

async fn a_command_in_the_wrong_place_makes_no_database(kind: Kind) {
    let database = process::database(kind).await;
    for command in [
        &["tokens", "list"][..],
        &["users", "list"],
        &["settings", "list"],
        &["super-admins", "sync"],
    ] {
        let output = run(&database, command);

        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("`waggle serve`"), "{command:?} {said}");
        let left = std::fs::read_dir(&database.folder.0).unwrap().count();
        assert_eq!(left, 0, "{command:?}");
    }
    json(&database, &["migrate", "status", "--json"]);
    assert_eq!(std::fs::read_dir(&database.folder.0).unwrap().count(), 0);
    if kind == Kind::Postgres {
        // Nothing was written to what may be the database of another program.
        let record = execute(&database, "SELECT 1 FROM __diesel_schema_migrations").await;
        assert!(record.is_err());
    }
    assert!(run(&database, &["migrate"]).status.success());
    assert!(run(&database, &["tokens", "list"]).status.success());
}

#[tokio::test]
async fn an_unusable_database_url_is_an_error_without_a_fallback() {
    for url in
        ["mysql://u:hush@h/x", "postgresql://u:hush@127.0.0.1:1/x", "sqlite:///proc/nothing/x.db"]
    {
        let database = process::database(Kind::Sqlite).await;
        let output = command(&database)
            .args(["serve", "--json"])
            .env("WAGGLE_DATABASE_URL", url)
            .output()
            .unwrap();

        assert!(!output.status.success(), "{url}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("\"error\""), "{error}");
        assert!(!error.contains("hush"), "{error}");
        assert!(!database.folder.0.join("waggle.db").exists());
    }
}

#[tokio::test]
async fn a_second_server_on_one_file_is_rejected_but_commands_are_not() {
    let waggle = Waggle::start(Kind::Sqlite).await;

    let second = run(&waggle.database, &["serve"]);

    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another Waggle server"));
    token(&waggle.database, &["read"]);
}

#[tokio::test]
async fn the_first_token_is_written_to_a_file_and_never_to_a_log() {
    use std::os::unix::fs::PermissionsExt as _;
    let database = process::database(Kind::Sqlite).await;
    let path = database.folder.0.join("first-token");
    // There is a link to another file.
    let elsewhere = database.folder.0.join("elsewhere");
    std::fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    let mut waggle = Waggle::on(database, &[]);
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "");
    let token = std::fs::read_to_string(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let printed = waggle.process.greeting.join("\n");
    assert!(printed.contains(&*path.to_string_lossy()), "{printed}");
    assert!(!printed.contains("wgl_") && !waggle.log().contains("wgl_"), "{printed}");
    let posts = waggle.request(Method::GET, "/api/v1/posts").bearer_auth(token.trim());
    answer(posts).await.ok();
    assert_eq!(waggle.process.terminate(), Some(0));
    std::fs::remove_file(&path).unwrap();

    waggle.again(&[]);

    assert!(!path.exists() && !waggle.process.greeting.join("\n").contains("first-token"));
}

#[tokio::test]
async fn the_first_token_is_shown_on_a_terminal() {
    let database = process::database(Kind::Sqlite).await;
    // `script` creates a terminal for the command that it starts.
    let mut started = process::command_of("script", &database)
        .args(["-qec", &format!("{} serve", env!("CARGO_BIN_EXE_waggle")), "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(started.stdout.take().unwrap()).lines().map_while(Result::ok);
    let until_the_end = lines.take_while(|line| !line.starts_with("The API is described at"));
    let printed: Vec<String> = until_the_end.collect();
    started.kill().unwrap();
    started.wait().unwrap();

    assert!(printed.iter().any(|line| line.trim().starts_with("wgl_")), "{printed:?}");
    assert!(!database.folder.0.join("first-token").exists());
}

#[tokio::test]
async fn the_demo_succeeds() {
    let database = process::database(Kind::Sqlite).await;

    let output = run(&database, &["demo"]);

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("All steps succeeded."), "{text}");
}

#[tokio::test]
async fn json_logs_have_one_object_per_line() {
    let waggle = Waggle::with(Kind::Sqlite, &[("WAGGLE_LOG_FORMAT", "json")]).await;
    waggle.get("/api/v1/posts").await.ok();

    let log = waggle.log();

    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().any(|line| line["request.id"].is_string() && line["path"] == "/api/v1/posts"),
        "{log}"
    );
}

/// A change of an event is found, even by somebody who can change the whole database.
async fn a_changed_event_is_found(kind: Kind) {
    let mut waggle = Waggle::start(kind).await;
    let tweet = waggle.batch("b", &["one"]).await[0];
    waggle.act(tweet, "approve").await.ok();
    // The end of the chain is signed when the server stops.
    assert_eq!(waggle.process.terminate(), Some(0));
    let database = &waggle.database;

    let intact = json(database, &["audit", "verify", "--json"]);
    let key = run(database, &["audit", "key"]);
    let triggers = match kind {
        Kind::Sqlite => "DROP TRIGGER events_stay;",
        Kind::Postgres => "SET session_replication_role = replica;",
    };
    let change = "UPDATE events SET actor = 'user:1' WHERE kind = 'tweet.approved'";
    assert!(execute(database, change).await.is_err());
    execute(database, &format!("{triggers}{change}")).await.unwrap();
    let changed = run(database, &["audit", "verify"]);

    assert_eq!(intact["intact"], true, "{intact}");
    assert_eq!(intact["signed_to"], intact["end"], "{intact}");
    assert_eq!(String::from_utf8(key.stdout).unwrap().trim().len(), 64);
    assert_eq!(changed.status.code(), Some(1));
    let said = String::from_utf8(changed.stdout).unwrap();
    assert!(said.contains("was changed, or the events before it were"), "{said}");
    assert!(said.contains("NOT intact"), "{said}");
}

/// An export is verified without the database and the master key.
async fn an_exported_record_is_verified_elsewhere(kind: Kind) {
    let mut waggle = Waggle::start(kind).await;
    let tweet = waggle.batch("b", &["one"]).await[0];
    waggle.act(tweet, "approve").await.ok();
    assert_eq!(waggle.process.terminate(), Some(0));
    let key = String::from_utf8(run(&waggle.database, &["audit", "key"]).stdout).unwrap();
    let file = waggle.database.folder.0.join("record.jsonl");
    let exported = json(&waggle.database, &["audit", "export", "--json", file.to_str().unwrap()]);
    let again = run(&waggle.database, &["audit", "export", file.to_str().unwrap()]);
    let whole = std::fs::read_to_string(&file).unwrap();
    drop(waggle);

    let elsewhere = Database::new(Kind::Sqlite).await;
    let verify = |text: &str, key: &str| {
        let file = elsewhere.folder.0.join("record.jsonl");
        std::fs::write(&file, text).unwrap();
        let arguments = ["audit", "verify", "--json", file.to_str().unwrap(), "--key", key.trim()];
        let output = run(&elsewhere, &arguments);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let intact = verify(&whole, &key);
    let changed = verify(&whole.replace("tweet.approved", "tweet.rejected"), &key);
    let cut_off = verify(whole.trim_end().rsplit_once('\n').unwrap().0, &key);
    let of_others = verify(&whole, &"ab".repeat(32));

    assert_eq!(intact["intact"], true, "{intact}");
    assert_eq!(intact["events"], exported["events"]);
    assert_eq!(intact["signed_to"], intact["end"]);
    assert!(!again.status.success(), "a file is not overwritten");
    for (report, fault) in [
        (changed, "was changed, or the events before it were"),
        (cut_off, "the record is cut off after event"),
        (of_others, "signed with an unknown key"),
    ] {
        assert_eq!(report["intact"], false, "{report}");
        assert!(report["faults"].to_string().contains(fault), "{report}");
    }
    assert!(!elsewhere.folder.0.join("waggle.db").exists());
}

/// What was removed because of its age is not missing, neither in the database nor in an export.
async fn old_events_are_removed(kind: Kind) {
    let database = process::database(kind).await;
    json(&database, &["migrate", "--json"]);
    let at = match kind {
        Kind::Sqlite => "1000000",
        Kind::Postgres => "to_timestamp(1)",
    };
    let old = format!(
        "INSERT INTO new_events (kind, object_kind, object_id, actor, request_id, at) VALUES \
         ('a', 'b', '1', 'system', '', {at}), ('a', 'b', '2', 'system', '', {at})"
    );
    execute(&database, &old).await.unwrap();
    let mut waggle = Waggle::on(database, &[]);
    waggle.batch("b", &["one"]).await;
    assert_eq!(waggle.process.terminate(), Some(0));
    let kept = json(&waggle.database, &["audit", "verify", "--json"]);

    waggle.again(&[("WAGGLE_EVENTS_KEEP_DAYS", "30")]);
    let removed = async {
        while count(&waggle.database, "SELECT COUNT(*) FROM events WHERE kind = 'a'").await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), removed).await.unwrap();
    assert_eq!(waggle.process.terminate(), Some(0));

    let left = json(&waggle.database, &["audit", "verify", "--json"]);
    let said = run(&waggle.database, &["audit", "verify"]);
    let file = waggle.database.folder.0.join("record.jsonl");
    let file = file.to_str().unwrap();
    json(&waggle.database, &["audit", "export", "--json", file]);
    let key = String::from_utf8(run(&waggle.database, &["audit", "key"]).stdout).unwrap();
    let exported =
        json(&waggle.database, &["audit", "verify", "--json", file, "--key", key.trim()]);
    assert!(kept["intact"] == true && kept["removed_to"] == 0, "{kept}");
    for report in [&left, &exported] {
        assert!(report["intact"] == true && report["removed_to"] == 2, "{report}");
        assert_eq!(report["signed_to"], report["end"], "{report}");
    }
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("Events 1 to 2 were removed because of their age"), "{said}");
}

on_both! {
    a_changed_event_is_found,
    an_exported_record_is_verified_elsewhere,
    old_events_are_removed,
    tokens_are_created_listed_and_revoked,
    migrations_are_applied_and_listed,
    invalid_settings_in_the_environment_stop_the_start,
    a_command_in_the_wrong_place_makes_no_database,
}
