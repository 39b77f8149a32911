//! Runs the quick start of the README, so that it stays correct.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::database::{Folder, server};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The commands of the blocks under "Quick start", one list per block.
fn blocks() -> Vec<Vec<String>> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("\n## Quick start\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap())
        .map(|block| block.lines().map(str::to_owned).collect())
        .collect()
}

/// A shell in which the commands of the README run the binary under test, on a folder of the test.
fn shell(folder: &Folder, listen: &str, script: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-eu", "-c", script])
        .current_dir(root())
        .env("WAGGLE", env!("CARGO_BIN_EXE_waggle"))
        .env("WAGGLE_LISTEN", listen)
        .env("WAGGLE_DATA_DIR", &folder.0)
        .env_remove("WAGGLE_DATABASE_URL")
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL");
    command
}

/// Also ends what `make` started, which is in a process group of its own.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn the_quick_start_works_as_it_is_printed() {
    use std::os::unix::process::CommandExt as _;
    let blocks = blocks();
    let [demo, run, calls] = &blocks[..] else { panic!("three blocks are expected: {blocks:?}") };
    let folder = Folder::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");

    let walked = shell(&folder, &listen, &demo.join("\n")).output().unwrap();
    assert!(walked.status.success(), "{}", String::from_utf8_lossy(&walked.stderr));
    assert!(String::from_utf8_lossy(&walked.stdout).contains("All steps succeeded."));

    let mut started = shell(&folder, &listen, &run.join("\n"));
    let mut started = Group(
        started.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap(),
    );
    let lines = BufReader::new(started.0.stdout.take().unwrap()).lines();
    let greeting: Vec<String> = lines
        .map_while(Result::ok)
        .scan(false, |done, line| {
            let go_on = !*done;
            *done = line.starts_with("The API is described at");
            go_on.then_some(line)
        })
        .take_while(|line| !line.starts_with("X is not connected"))
        .collect();
    assert!(greeting.iter().any(|line| line.contains("first-token")), "{greeting:?}");
    let token = std::fs::read_to_string(folder.0.join("first-token")).unwrap();
    let token = token.trim();

    let script = calls.join("\n").replace("wgl_...", token).replace("127.0.0.1:8000", &listen);
    let called = shell(&folder, &listen, &script).output().unwrap();

    let output = String::from_utf8_lossy(&called.stdout);
    assert!(called.status.success(), "{output} {}", String::from_utf8_lossy(&called.stderr));
    assert!(output.contains("\"new_tweets_found\":1"), "{output}");
    assert!(output.contains("\"stored_count\":1"), "{output}");
    assert!(output.contains("Approved"), "{output}");
    assert!(output.contains("\"platform\":\"sandbox\""), "{output}");
    // At the end, the post is on the timeline.
    let timeline = output.lines().last().unwrap();
    assert!(timeline.contains("Let idle GPUs find work"), "{output}");

    // The three commands that the first start prints work as well.
    let next: Vec<&str> = greeting
        .iter()
        .skip_while(|line| !line.starts_with("Three commands"))
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    assert_eq!(next.len(), 3, "{greeting:?}");
    let tried = shell(&folder, &listen, &next.join("\n")).output().unwrap();
    let output = String::from_utf8_lossy(&tried.stdout);
    assert!(tried.status.success() && output.contains("\"items\""), "{output}");
    drop(started);
    // The test run has a PostgreSQL server, which the quick start does not need.
    assert!(!server().is_empty());
}
