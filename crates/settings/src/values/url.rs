//! URLs of servers.

use url::{Host, Url};

use super::host::is_host_name;
use crate::kind::{Kind, SettingType};

/// The URL of a server, over HTTPS, without a user name or password. HTTP is accepted only for this
/// machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The URL.
    pub const fn url(&self) -> &Url {
        &self.0
    }
}

impl SettingType for BaseUrl {
    const KIND: Kind = Kind::Url;

    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim())
            .map_err(|_| "is not a URL such as https://waggle.example.com".to_owned())?;
        let is_this_machine = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_this_machine) {
            return Err(
                "must be a URL that begins with https:// (http:// is accepted only for this \
                 machine)"
                    .to_owned(),
            );
        }
        if url.host_str().is_some_and(|name| url.domain().is_some() && !is_host_name(name)) {
            return Err("has an invalid host; use a name such as waggle.example.com".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user name or a password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not contain a query or a fragment".to_owned());
        }
        Ok(Self(url))
    }

    fn encode(&self) -> String {
        self.0.to_string()
    }
}

/// The base URL of the X API: a [`BaseUrl`] without the API version, which Waggle appends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl(BaseUrl);

impl ApiUrl {
    /// The URL.
    pub const fn url(&self) -> &Url {
        self.0.url()
    }
}

impl SettingType for ApiUrl {
    const KIND: Kind = Kind::Url;

    fn parse(text: &str) -> Result<Self, String> {
        let base = BaseUrl::parse(text)?;
        let mut parts = base.url().path_segments().into_iter().flatten();
        if parts.any(|part| matches!(part, "2" | "1.1" | "tweets")) {
            let site = base.url().origin().ascii_serialization();
            return Err(format!("must not contain the API version: use {site}"));
        }
        Ok(Self(base))
    }

    fn encode(&self) -> String {
        self.0.encode()
    }
}

/// The URL of a website: a [`BaseUrl`] without a path, because Waggle is at the root of its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteUrl(BaseUrl);

impl SiteUrl {
    /// The URL.
    pub const fn url(&self) -> &Url {
        self.0.url()
    }
}

impl SettingType for SiteUrl {
    const KIND: Kind = Kind::Url;

    fn parse(text: &str) -> Result<Self, String> {
        let base = BaseUrl::parse(text)?;
        if base.url().path() != "/" {
            let site = base.url().origin().ascii_serialization();
            return Err(format!(
                "must not have a path, because Waggle is at the root of its host: use {site}"
            ));
        }
        Ok(Self(base))
    }

    fn encode(&self) -> String {
        self.0.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_urls_need_a_valid_host_and_no_api_version() {
        for text in
            ["https://example.com.", "https://*.example.com", "https://a..b", "https://-a.example"]
        {
            assert!(SiteUrl::parse(text).is_err(), "{text}");
            assert!(ApiUrl::parse(text).is_err(), "{text}");
        }
        for text in ["https://api.x.com/2", "https://api.x.com/2/tweets", "https://p.example/1.1/"]
        {
            assert!(ApiUrl::parse(text).unwrap_err().contains("version"), "{text}");
        }
        assert!(ApiUrl::parse("https://proxy.example/x/").is_ok());
        assert!(SiteUrl::parse("http://[::1]:8000").is_ok());
    }
}
