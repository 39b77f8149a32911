//! The platforms that a post can be published on.

use waggle_kernel::named_enum;

named_enum! {
    /// A platform that a post is published on.
    pub enum Platform: "platform" {
        /// X, formerly Twitter.
        X = "x",
        /// The local timeline that is included in Waggle.
        Sandbox = "sandbox",
    }
}

impl Platform {
    /// The platform's ID of the post at `url`; `None` if it is not the address of a post there.
    pub fn id_in(self, url: &str) -> Option<&str> {
        const X_HOSTS: [&str; 5] =
            ["x.com", "www.x.com", "twitter.com", "www.twitter.com", "mobile.twitter.com"];
        match self {
            Self::X => {
                let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
                let (host, path) = rest.split_once('/')?;
                let (_, id) = path.split_once("status/")?;
                let end = id.find(|c: char| !c.is_ascii_digit()).unwrap_or(id.len());
                let (id, rest) = id.split_at(end);
                let is_whole = rest.is_empty() || rest.starts_with(['/', '?', '#']);
                let is_post = X_HOSTS.contains(&host) && is_whole && !id.is_empty();
                is_post.then_some(id)
            }
            Self::Sandbox => {
                let (page, id) = url.split_once('#')?;
                (page.ends_with("/sandbox") && !id.is_empty()).then_some(id)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_post_contains_its_id() {
        for url in [
            "https://x.com/coop/status/1346889436626259968",
            "https://x.com/i/web/status/1346889436626259968?s=20",
            "http://mobile.twitter.com/coop/status/1346889436626259968/photo/1",
        ] {
            assert_eq!(Platform::X.id_in(url), Some("1346889436626259968"), "{url}");
        }
        for url in [
            "",
            "https://x.com/coop",
            "https://x.com/coop/status/",
            "https://x.com/coop/status/12a",
            "https://x.com.example/coop/status/12",
            "https://example.com/x.com/status/12",
            "x.com/coop/status/12",
        ] {
            assert_eq!(Platform::X.id_in(url), None, "{url}");
        }
        assert_eq!(Platform::Sandbox.id_in("/sandbox#sandbox-7"), Some("sandbox-7"));
        assert_eq!(Platform::Sandbox.id_in("/sandbox#"), None);
    }
}
