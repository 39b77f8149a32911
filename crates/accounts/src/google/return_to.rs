//! Where somebody goes after signing in: a place of ours and none elsewhere.

/// A path of ours: a slash, and then letters, digits, `-`, `_`, `/`, and perhaps a query of the same with `=`, `&`, `%`. What could lead
/// elsewhere (`//`, `\`, dots, a scheme) is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The longest, in characters.
    pub const MOST: usize = 500;

    /// The path that `text` is, or `/`.
    pub fn new(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let is_path = path.starts_with('/') && path.bytes().all(|b| is_plain(b) || b == b'/');
        let is_query = query.bytes().all(|b| is_plain(b) || matches!(b, b'=' | b'&' | b'%'));
        let is_ours = text.len() <= Self::MOST && is_path && is_query && !path.contains("//");
        Self(if is_ours { text } else { "/" }.to_owned())
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    #[test]
    fn what_leads_elsewhere_leads_home() {
        for text in ["/", "/posts", "/posts/7?tab=a_b&x=%20"] {
            assert_eq!(ReturnTo::new(text).as_str(), text);
        }
        for text in [
            "",
            "posts",
            "//evil.example",
            "/\\evil.example",
            "/a//evil.example",
            "https://evil.example",
            "/..//evil.example",
            "/%2e%2e/x",
            "/a?x=//evil.example",
            "/a#b",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x=y",
            "javascript:alert(1)",
        ] {
            assert_eq!(ReturnTo::new(text).as_str(), "/", "{text:?}");
        }
        assert_eq!(ReturnTo::new(&format!("/{}", "a".repeat(500))).as_str(), "/");
    }

    proptest! {
        #[test]
        fn a_browser_stays_with_us(text in "(/{0,2}[\\\\a-z.:@?#%\t]{0,12}){0,3}") {
            let home: Url = "https://waggle.example/".parse().unwrap();

            let there = home.join(ReturnTo::new(&text).as_str()).unwrap();

            prop_assert_eq!(there.origin(), home.origin());
        }
    }
}
