//! Checks of JSON that do not parse it, and errors for invalid JSON.

/// The error message for bytes that are not JSON.
pub(crate) fn not_json(body: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "the body is not JSON: it ends too early".to_owned();
    }
    let before = body.split(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    let before: usize = before.map(|line| line.len() + 1).sum();
    format!("the body is not JSON: see byte {}", before + error.column())
}

/// The nesting depth of lists and objects, computed without parsing.
pub(crate) fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_json_is_reported_by_its_position() {
        let why = |text: &str| {
            not_json(text.as_bytes(), &serde_json::from_str::<serde_json::Value>(text).unwrap_err())
        };

        assert_eq!(why("{\"a\": 1"), "the body is not JSON: it ends too early");
        assert_eq!(why("{\n\"a\": x}"), "the body is not JSON: see byte 8");
    }

    #[test]
    fn depth_counts_lists_and_objects_outside_of_strings() {
        assert_eq!(depth(b"1"), 0);
        assert_eq!(depth(br#"{"a":[{"b":1}],"c":[[]]}"#), 3);
        assert_eq!(depth(br#"["[[[[", "\"[[["]"#), 1);
        assert_eq!(depth("[".repeat(100_000).as_bytes()), 100_000);
    }
}
