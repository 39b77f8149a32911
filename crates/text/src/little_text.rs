//! The escaping of LinkedIn's *little text* format.

/// The characters that have a meaning in little text.
const RESERVED: [char; 15] =
    ['\\', '|', '{', '}', '@', '[', ']', '(', ')', '<', '>', '#', '*', '_', '~'];

/// Escapes `text` for a field in LinkedIn's little text format, so that it is shown as it is.
///
/// LinkedIn cuts a text off at an unescaped parenthesis, without an error
/// (<https://learn.microsoft.com/linkedin/marketing/community-management/shares/little-text-format>).
pub fn little_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        if RESERVED.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_with_a_meaning_are_escaped() {
        assert_eq!(little_text("a (b) @c #d_e \\ é"), "a \\(b\\) \\@c \\#d\\_e \\\\ é");
    }

    proptest! {
        #[test]
        fn without_the_escapes_it_is_the_same_text(text in ".{0,100}") {
            let mut escaped = false;
            let plain: String = little_text(&text)
                .chars()
                .filter(|&c| {
                    let is_escape = c == '\\' && !escaped;
                    escaped = is_escape;
                    !is_escape
                })
                .collect();

            prop_assert_eq!(plain, text);
        }
    }
}
