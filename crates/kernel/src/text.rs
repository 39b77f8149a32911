//! What every text from outside has to be, before anything else is asked of it.

use thiserror::Error;

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextProblem {
    /// PostgreSQL cannot keep it, and no post needs it.
    #[error("has a NUL character")]
    Nul,
    /// There is more of it than fits.
    #[error("is longer than {most} characters")]
    TooLong {
        /// The most that fits, in Unicode code points.
        most: usize,
    },
}

/// Checks that `text` has no NUL character and at most `most` code points.
///
/// # Errors
///
/// [`TextProblem`] says which of the two it is.
pub fn check_text(text: &str, most: usize) -> Result<(), TextProblem> {
    if text.contains('\0') {
        return Err(TextProblem::Nul);
    }
    if text.len() > most && text.chars().count() > most {
        return Err(TextProblem::TooLong { most });
    }
    Ok(())
}

/// Whether a character shows nothing, or turns the text around it: such a name can pass for
/// another.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether `text` is what stands in front of the `@` of an ordinary mail address: letters and
/// digits in ASCII and some marks, with single dots between them. Quoted and routed forms, encoded
/// words (`=?utf-8?q?...?=`) and what a shell or a mail server could take for a command are not.
pub fn is_plain_local_part(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_+-'=&#$*~^{}/".contains(&b);
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(is_plain))
}
