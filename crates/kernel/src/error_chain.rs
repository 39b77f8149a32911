//! Formats an error together with its causes, for logs and operators.

use std::error::Error;

/// The message of `error`, followed by the message of each of its causes, separated by colons. A
/// cause is left out if the text already ends with its message.
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
