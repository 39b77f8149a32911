//! What a command says.

use std::io::Write as _;

/// What a command failed with; its chain of causes is what the operator reads.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints an answer; a reader that went away is no error of ours.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// How this program is called from the present folder, for commands to try next.
pub(super) fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "waggle".to_owned() };
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(&path).display().to_string()
}
