//! Output of commands.

use std::io::Write as _;

/// The error of a command. The operator sees its chain of causes.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints a result. It is not an error if the reader is gone.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// How to call this program from the current folder, for suggested commands.
pub(super) fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "waggle".to_owned() };
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(&path).display().to_string()
}
