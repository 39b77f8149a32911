//! Detects placeholders that a workflow should have filled in but did not.

/// Whether all of `text` is a placeholder for a missing value: `undefined`, `[object Object]`, an
/// n8n expression that was not evaluated, and the like.
pub fn is_unrendered(text: &str) -> bool {
    let text = text.trim();
    is_placeholder(text) || is_any(text, &["null", "nan", "none", "nil"]) || text.starts_with('=')
}

/// The same for text that people wrote, in which a word such as `None` may be the whole text.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    is_any(text, &["undefined", "[object object]"])
        || (text.starts_with("{{") && text.ends_with("}}"))
}

fn is_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The placeholder in `text` that the workflow did not fill in; `None` if there is none.
///
/// The text itself may be about templates. What n8n or JavaScript leaves behind is recognized by
/// its form.
pub fn unrendered_part(text: &str) -> Option<&str> {
    let trimmed = text.trim();
    if is_unrendered(trimmed) && !trimmed.starts_with('=') {
        return Some(trimmed);
    }
    if trimmed.starts_with("={{") {
        return Some(trimmed);
    }
    if let Some(part) = find(text, "[object Object]", "") {
        return Some(part);
    }
    ["{{$", "{{ $"].iter().find_map(|start| find(text, start, "}}"))
}

/// The first part of `text` that begins with `start` and ends with `end`.
fn find<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let from = text.find(start)?;
    let rest = text.get(from..)?;
    let inside = rest.get(start.len()..)?;
    rest.get(..start.len() + inside.find(end)? + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_not_a_value() {
        for text in [
            "undefined",
            " NULL ",
            "NaN",
            "None",
            "[object Object]",
            "{{ $json.tweet }}",
            "={{ $json.tweet }}",
            "=$json.id",
        ] {
            assert!(is_unrendered(text), "{text}");
        }
        for text in ["exec_1", "undefined behaviour", "0", "", "a = b", "{{"] {
            assert!(!is_unrendered(text), "{text}");
        }
    }

    #[test]
    fn a_text_about_templates_is_not_a_placeholder() {
        for (text, part) in [
            ("undefined", "undefined"),
            ("{{ $json.tweet }}", "{{ $json.tweet }}"),
            ("Hello {{$json.name}}, welcome", "{{$json.name}}"),
            ("News: [object Object]", "[object Object]"),
            ("={{ $json.tweet }}", "={{ $json.tweet }}"),
        ] {
            assert_eq!(unrendered_part(text), Some(part), "{text}");
        }
        for text in ["Use {{ name }} in Jinja", "= a fresh start", "null and void", "{{$"] {
            assert_eq!(unrendered_part(text), None, "{text}");
        }
    }
}
