//! Whose address lets them in at all, and whose lets them do everything.

use crate::people::address::Address;

/// The rules about addresses, as the settings have them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// The domains whose addresses are let in; `None` lets every address in, and an empty list none.
    pub domains: Option<Vec<String>>,
    /// Whose addresses may do everything.
    pub super_admins: Vec<Address>,
    /// Whether super admins are let in whatever their domain.
    pub admit_super_admins: bool,
}

impl Admission {
    /// Whether somebody with this address is let in. Domains have to be equal: those below one do not count as it.
    pub fn admits(&self, address: &Address) -> bool {
        let is_of_domain = match &self.domains {
            None => true,
            Some(domains) => domains.iter().any(|domain| domain == address.domain()),
        };
        is_of_domain || (self.admit_super_admins && self.is_super_admin(address))
    }

    /// Whether the list of super admins has this address. It gives the right to those alone who have shown that it is
    /// theirs.
    pub fn is_super_admin(&self, address: &Address) -> bool {
        self.super_admins.contains(address)
    }

    /// Whether addresses are restricted to domains.
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
    fn the_whole_domain_has_to_be_equal() {
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
    fn an_empty_list_admits_no_one_and_super_admins_only_when_it_is_said() {
        let boss = "boss@elsewhere.example".parse().unwrap();
        let closed = of(&[]);

        assert!(!closed.admits(&"joe@hive.example".parse().unwrap()) && !closed.admits(&boss));
        assert!(Admission { admit_super_admins: true, ..closed.clone() }.admits(&boss));
        assert!(Admission { domains: None, ..closed }.admits(&boss));
    }

    proptest! {
        #[test]
        fn whoever_is_admitted_has_the_domain(text in "[a-z\"@.()]{0,12}@[a-z.]{0,6}(hive\\.example)[a-z.]{0,3}") {
            if let Ok(address) = text.parse::<Address>() && of(&["hive.example"]).admits(&address) {
                prop_assert!(text.ends_with("@hive.example"));
            }
        }
    }
}
