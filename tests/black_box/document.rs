//! Tests that other tools can read the API document, and that the server does what it says.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::database::{Folder, Kind};
use crate::{Waggle, answer};

/// A tool that `make test-tools` has installed.
fn tool(name: &str) -> Command {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools");
    let fetched = std::env::var_os("WAGGLE_TEST_TOOLS").map_or(fetched, PathBuf::from);
    let path = fetched.join(name);
    assert!(path.exists(), "{} is missing; run `make test-tools`", path.display());
    let mut command = Command::new(path);
    command.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    command
}

/// The output of a program, which must succeed.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

impl Waggle {
    /// Writes the document to a file.
    async fn document(&self, folder: &Folder) -> PathBuf {
        let text = answer(self.request(reqwest::Method::GET, "/openapi.json")).await.text;
        let path = folder.0.join("openapi.json");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Adds something to every list that a token can read.
    async fn with_content(self) -> Self {
        let tweet = json!({ "Tweet ID": "19", "Content": "Hello", "Date": "2025-08-14T14:30:00Z" });
        let report = json!({ "execution_id": "e-1", "tweets": [tweet] });
        self.post("/api/check-duplicate-tweet/", report).await.ok();
        let drafts = json!([{ "content": "One" }, { "content": "Two" }]);
        let batch = json!({ "campaign_batch": "b-1", "execution_id": "e-1", "tweets": drafts });
        self.post("/api/receive-tweets/", batch).await.ok();
        let approve = self.request(reqwest::Method::POST, "/api/v1/generated-tweets/1/approve");
        answer(approve.bearer_auth(&self.token).header("if-match", "1")).await.ok();
        let body = json!({ "platform": "sandbox" });
        self.post("/api/v1/generated-tweets/1/publish", body).await.ok();
        self
    }
}

/// Every change of the API is seen in review.
#[test]
fn the_document_in_the_repository_is_current() {
    let printed = Command::new(env!("CARGO_BIN_EXE_waggle")).arg("openapi").output().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");

    let printed = String::from_utf8(printed.stdout).unwrap();
    let kept = std::fs::read_to_string(file).unwrap();

    assert!(printed == kept, "docs/openapi.json is out of date; run `make reference`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_valid_for_common_tools() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    let folder = Folder::new();
    let path = waggle.document(&folder).await;

    said(tool("python/bin/openapi-spec-validator").arg(&path));
    let npm = "npm/node_modules/.bin";
    said(tool(&format!("{npm}/redocly")).arg("lint").arg(&path));
    said(
        tool(&format!("{npm}/openapi-typescript")).arg(&path).arg("-o").arg(folder.0.join("t.ts")),
    );

    let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for call in ["check-duplicate-tweet", "receive-tweets"] {
        let operation = &document["paths"][format!("/api/{call}")]["post"];
        assert!(operation["requestBody"].is_object(), "{call}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_generated_from_the_document_reads_every_list() {
    let waggle = Waggle::start(Kind::Sqlite).await.with_content().await;
    let folder = Folder::new();
    let path = waggle.document(&folder).await;
    let client = folder.0.join("client");

    let mut make = tool("python/bin/openapi-python-client");
    make.env("PATH", std::env::var("PATH").unwrap_or_default());
    make.args(["generate", "--meta", "none", "--path"]).arg(&path).arg("--output-path");
    said(make.arg(client.join("waggle_client")));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/read_lists.py");
    let mut read = tool("python/bin/python");
    read.arg(script).arg(&client).arg(&waggle.process.base).arg(&waggle.token);
    let said = said(read.arg(waggle.admin().await));

    let is_list = |line: &&str| line.starts_with("list_") && !line.ends_with(" nothing");
    assert!(said.lines().filter(is_list).count() >= 10, "{said}");
    assert!(!said.lines().any(|line| line.starts_with("list_") && line.ends_with(" nothing")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_match_the_document() {
    let waggle = Waggle::with(Kind::Sqlite, &[("REQUESTS_PER_MINUTE", "0")]).await;
    let waggle = waggle.with_content().await;
    let folder = Folder::new();

    let mut run = tool("python/bin/schemathesis");
    run.current_dir(&folder.0).arg("run").arg(format!("{}/openapi.json", waggle.process.base));
    run.arg("--header").arg(format!("Authorization: Bearer {}", waggle.token));
    run.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "1"]);
    run.args(["--generation-database", "none", "--continue-on-failure", "--warnings", "off"]);
    run.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]);
    run.args(["--checks", "response_headers_conformance,response_schema_conformance"]);
    // It never ends.
    run.args(["--exclude-path", "/api/v1/changes"]);
    // A busy machine is not an error of the server.
    run.args(["--suppress-health-check", "all", "--request-timeout", "60"]);
    let said = said(&mut run);

    assert!(said.contains("No issues found"), "{said}");
}
