//! An error with its causes, for logs and for people who run Waggle.

use std::error::Error;

/// The message of `error` and of each of its causes, with colons between them. A cause that only
/// repeats what stands there already is left out.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let message = cause.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn causes_are_shown_and_not_repeated() {
        let cause = Layer { text: "no such host", source: None };
        let middle = Layer { text: "connecting: no such host", source: Some(Box::new(cause)) };
        let error = Layer { text: "the database is away", source: Some(Box::new(middle)) };

        assert_eq!(error_chain(&error), "the database is away: connecting: no such host");
    }
}
