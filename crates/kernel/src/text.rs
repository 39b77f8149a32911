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
