//! Where the browser goes after signing in: always to a page of this site.

/// A path on this site: a slash, followed by letters, digits, `-`, `_` and `/`, and optionally a
/// query that can also contain `=`, `&` and `%`. Anything that could lead to another site (`//`,
/// `\`, dots, a scheme) is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The maximum length, in characters.
    pub const MOST: usize = 500;

    /// Returns `text` if it is such a path, and `/` otherwise.
    pub fn new(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let is_path = path.starts_with('/') && path.bytes().all(|b| is_plain(b) || b == b'/');
        let is_query = query.bytes().all(|b| is_plain(b) || matches!(b, b'=' | b'&' | b'%'));
        let is_ours = text.len() <= Self::MOST && is_path && is_query && !path.contains("//");
        Self(if is_ours { text } else { "/" }.to_owned())
    }

    /// Returns the path as text.
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
    fn paths_to_other_sites_become_the_home_page() {
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
        fn a_return_path_never_leaves_the_site(text in "(/{0,2}[\\\\a-z.:@?#%\t]{0,12}){0,3}") {
            let home: Url = "https://waggle.example/".parse().unwrap();

            let there = home.join(ReturnTo::new(&text).as_str()).unwrap();

            prop_assert_eq!(there.origin(), home.origin());
        }
    }
}
