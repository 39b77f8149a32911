//! Basic checks of text from outside, made before any other validation.

use thiserror::Error;

/// Why a text is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextProblem {
    /// PostgreSQL cannot store it, and no post needs it.
    #[error("contains a NUL character")]
    Nul,
    #[error("is longer than {most} characters")]
    TooLong {
        /// The limit, in Unicode code points.
        most: usize,
    },
}

/// Checks that `text` has no NUL character and at most `most` Unicode code points.
///
/// # Errors
///
/// - [`TextProblem::Nul`] if `text` contains a NUL character.
/// - [`TextProblem::TooLong`] if `text` has more than `most` code points.
pub fn check_text(text: &str, most: usize) -> Result<(), TextProblem> {
    if text.contains('\0') {
        return Err(TextProblem::Nul);
    }
    if text.len() > most && text.chars().count() > most {
        return Err(TextProblem::TooLong { most });
    }
    Ok(())
}

/// Whether `c` is invisible or changes the direction of the text around it. With such characters,
/// one name can look like another.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether `text` is the local part of an ordinary email address (the part before the `@`). It
/// consists of 1 to 64 ASCII letters, digits and some marks, with single dots between them. Quoted
/// and routed forms, encoded words (`=?utf-8?q?...?=`), and anything that a shell or a mail server
/// could interpret as a command are rejected.
pub fn is_plain_local_part(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_+-'=&#$*~^{}/".contains(&b);
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(is_plain))
}
