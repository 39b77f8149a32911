//! Which email addresses are allowed, and which belong to super admins.

use crate::people::address::Address;

/// The rules for email addresses, from the settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// The allowed domains. `None` allows every address, and an empty list allows none.
    pub domains: Option<Vec<String>>,
    /// The addresses of the super admins, who can do everything.
    pub super_admins: Vec<Address>,
    /// Whether super admins are allowed with any domain.
    pub admit_super_admins: bool,
}

impl Admission {
    /// Returns whether the address is allowed. The domain must match exactly; subdomains do not
    /// match.
    pub fn admits(&self, address: &Address) -> bool {
        let is_of_domain = match &self.domains {
            None => true,
            Some(domains) => domains.iter().any(|domain| domain == address.domain()),
        };
        is_of_domain || (self.admit_super_admins && self.is_super_admin(address))
    }

    /// Returns whether the address is on the list of super admins. Only a user who has verified the
    /// address becomes a super admin.
    pub fn is_super_admin(&self, address: &Address) -> bool {
        self.super_admins.contains(address)
    }

    /// Returns whether only addresses of certain domains are allowed.
    pub const fn is_restricted(&self) -> bool {
        self.domains.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(domains: &[&str]) -> Admission {
        Admission {
            domains: Some(domains.iter().map(|domain| (*domain).to_owned()).collect()),
            super_admins: vec!["boss@elsewhere.example".parse().unwrap()],
            admit_super_admins: false,
        }
    }

    #[test]
    fn only_the_exact_domain_is_admitted() {
        let admission = of(&["hive.example"]);
        let admits = |text: &str| text.parse().is_ok_and(|address| admission.admits(&address));

        assert!(admits("joe@hive.example") && admits("Joe+x@HIVE.example"));
        for text in [
            "joe@sub.hive.example",
            "joe@ahive.example",
            "joe@hive.example.evil.example",
            "joe@hive.example.",
            "joe@hive.exampl\u{435}",
            "\"joe@hive.example\"@evil.example",
            "joe@evil.example(@hive.example)",
            "joe@hive.example@evil.example",
            "boss@elsewhere.example",
        ] {
            assert!(!admits(text), "{text}");
        }
    }

    #[test]
    fn an_empty_list_admits_only_super_admins_and_only_if_configured() {
        let boss = "boss@elsewhere.example".parse().unwrap();
        let closed = of(&[]);

        assert!(!closed.admits(&"joe@hive.example".parse().unwrap()) && !closed.admits(&boss));
        assert!(Admission { admit_super_admins: true, ..closed.clone() }.admits(&boss));
        assert!(Admission { domains: None, ..closed }.admits(&boss));
    }

    proptest! {
        #[test]
        fn admitted_addresses_have_the_domain(
            text in "[a-z\"@.()]{0,12}@[a-z.]{0,6}(hive\\.example)[a-z.]{0,3}",
        ) {
            if let Ok(address) = text.parse::<Address>() && of(&["hive.example"]).admits(&address) {
                prop_assert!(text.ends_with("@hive.example"));
            }
        }
    }
}
