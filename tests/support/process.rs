//! Runs the built binary as its users do.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::database::{Database, Kind};

/// The maximum time for anything before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running server, which is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// The base URL.
    pub(crate) base: String,
    /// The lines that the server printed at its start.
    pub(crate) greeting: Vec<String>,
}

/// The command, without variables of this process that would change what it does.
pub(crate) fn command(database: &Database) -> Command {
    command_of(env!("CARGO_BIN_EXE_waggle"), database)
}

/// The same for a program that starts the command.
pub(crate) fn command_of(program: &str, database: &Database) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("WAGGLE_LISTEN", "127.0.0.1:0")
        .env("WAGGLE_DATABASE_URL", &database.url)
        .env("WAGGLE_DATA_DIR", &database.folder.0)
        .current_dir(&database.folder.0);
    command
}

/// The path of a server's log.
pub(crate) fn log_path(database: &Database) -> PathBuf {
    database.folder.0.join("log.txt")
}

impl Process {
    /// Starts a server and waits until it is ready.
    pub(crate) fn start(database: &Database, settings: &[(&str, &str)]) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log_path(database))
            .expect("the log can be written");
        let mut child = command(database)
            .arg("serve")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut greeting = Vec::new();
        let begun = Instant::now();
        loop {
            match receiver.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => {
                    let is_last = line.starts_with("The API is described at");
                    greeting.push(line);
                    if is_last {
                        break;
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) if begun.elapsed() < PATIENCE => {}
                Err(_) => {
                    let log = std::fs::read_to_string(log_path(database)).unwrap_or_default();
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("the server did not start: {greeting:?} {log}");
                }
            }
        }
        let base = greeting
            .iter()
            .find_map(|line| line.strip_prefix("Waggle is at "))
            .and_then(|rest| rest.split(',').next())
            .expect("it says where it is")
            .to_owned();
        Self { child, base, greeting }
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server, as a power cut would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status()
            .expect("a signal can be sent");
        assert!(status.success());
    }

    /// Asks the server to stop and returns its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Creates a token on the command line.
pub(crate) fn token(database: &Database, scopes: &[&str]) -> String {
    let output = command(database)
        .args(["tokens", "create", "--json", "--name", "test", "--scope"])
        .args(scopes)
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let created: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("it answers JSON");
    created["token"].as_str().expect("the token is shown").to_owned()
}

/// Creates a database of this kind.
pub(crate) async fn database(kind: Kind) -> Database {
    Database::new(kind).await
}
