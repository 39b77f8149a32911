//! Input of commands: standard input, and answers at the terminal.

use std::io::{IsTerminal as _, Read as _};

use super::output::Failure;

/// Reads standard input. It is an error if it is larger than `most` bytes.
pub(super) fn standard_input(most: u64) -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(std::io::Error::other(format!("standard input has more than {most} bytes")));
    }
    Ok(text)
}

/// Asks for one line; `None` at the end of the input. A secret does not appear on the terminal.
pub(super) fn ask(question: &str, is_secret: bool) -> Result<Option<String>, Failure> {
    eprint!("{question}");
    if is_secret && std::io::stdin().is_terminal() {
        return Ok(Some(rpassword::read_password()?));
    }
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}
