//! Email addresses, in a normalized form that can be compared.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use thiserror::Error;
use waggle_kernel::is_plain_local_part;

/// An email address: ASCII, in lower case, `local@domain` and nothing else. Quoted local parts,
/// comments, address literals, trailing dots and domains with a single label are rejected. This
/// excludes the usual ways to write the same mailbox differently.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

impl Address {
    /// The maximum length, in characters (RFC 5321, section 4.5.3.1.3, without the angle brackets).
    pub const MOST: usize = 254;

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the part before the `@`.
    pub fn local_part(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// Returns the part after the `@`.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if text.len() > Self::MOST || !text.is_ascii() || text.contains(['"', '(', ')', '\\']) {
            return Err(InvalidAddress);
        }
        let options = Options::default().without_display_text().without_domain_literal();
        let address =
            EmailAddress::parse_with_options(text, options).map_err(|_| InvalidAddress)?;
        let (local, domain) = (address.local_part(), address.domain());
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
        let top = domain.rsplit('.').next().unwrap_or_default();
        if !is_plain_local_part(local)
            || !domain.contains('.')
            || !domain.split('.').all(is_label)
            || is_number(top)
        {
            return Err(InvalidAddress);
        }
        Ok(Self { at: local.len(), text: text.to_ascii_lowercase() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The text is not an acceptable email address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is not a valid email address, such as someone@example.com")]
pub struct InvalidAddress;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn upper_and_lower_case_are_the_same_address() {
        let address: Address = "Joe.Doe+x@Example.COM".parse().unwrap();

        assert_eq!(address.as_str(), "joe.doe+x@example.com");
        assert_eq!((address.local_part(), address.domain()), ("joe.doe+x", "example.com"));
    }

    #[test]
    fn ambiguous_addresses_are_rejected() {
        for text in [
            "",
            "joe",
            "joe@",
            "@example.com",
            "joe@example",
            "joe@example.com.",
            "joe@.example.com",
            "joe@example..com",
            "joe@-example.com",
            " joe@example.com",
            "joe@example.com ",
            "joe@example.com\r\nBcc: x@y.example",
            "\"joe\"@example.com",
            "=?utf-8?q?joe?=@example.com",
            "joe%evil.example@example.com",
            "evil.example!joe@example.com",
            "|joe@example.com",
            "-joe@example.com",
            ".joe@example.com",
            "joe.@example.com",
            "jo..e@example.com",
            "@evil.example:joe@example.com",
            "jo`e@example.com",
            "\"joe@evil.example\"@example.com",
            "joe(comment)@example.com",
            "joe@example.com(comment)",
            "joe@[127.0.0.1]",
            "joe@127.0.0.1",
            "Joe <joe@example.com>",
            "joe@evil.example@example.com",
            "joe@exämple.com",
            "joé@example.com",
            "joe@example.com,joe@evil.example",
            "jo\u{0}e@example.com",
            "joe..doe@example.com",
            ".joe@example.com",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
        assert!(format!("{}@example.com", "x".repeat(65)).parse::<Address>().is_err());
        assert!(format!("x@{}example.com", "x.".repeat(130)).parse::<Address>().is_err());
    }

    proptest! {
        #[test]
        fn accepted_addresses_parse_to_themselves(text in "[ -~]{0,20}@[ -~]{0,20}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.as_str().parse::<Address>(), Ok(address.clone()));
                prop_assert_eq!(
                    format!("{}@{}", address.local_part(), address.domain()), address.as_str()
                );
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}") {
            let _ = text.parse::<Address>();
        }
    }
}
