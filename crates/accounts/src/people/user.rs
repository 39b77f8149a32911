//! People.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{Actor, Scope, Scopes, Version, is_hidden};

use crate::people::address::Address;
use crate::people::password::StoredPassword;
use crate::people::role::Role;

/// The name that a user signs in with beside the address: 1 to 150 letters, digits, `.`, `_`, `-`, `+`. It never has
/// an `@`, so that it cannot be taken for an address. Upper and lower case are the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// The longest, in characters.
    pub const MOST: usize = 150;

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names are compared.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Username {
    type Err = InvalidUsername;

    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        let is_taken = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
        let is_valid =
            (1..=Self::MOST).contains(&text.chars().count()) && text.chars().all(is_taken);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidUsername) }
    }
}

impl fmt::Display for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The text is no user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a user name has 1 to {} letters, digits, '.', '_', '-' or '+', and no '@'",
    Username::MOST
)]
pub struct InvalidUsername;

/// The name of a person, for others to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonName(String);

impl PersonName {
    /// The longest, in characters.
    pub const MOST: usize = 150;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PersonName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim();
        // They would let one person pass for another.
        if text.chars().count() > Self::MOST || text.chars().any(is_hidden) {
            return Err(InvalidName);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The text is no name of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a name has at most {} characters, none of them hidden", PersonName::MOST)]
pub struct InvalidName;

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id that Waggle gave them.
    pub id: UserId,
    /// The name to sign in with.
    pub username: Username,
    /// The mail address, which is unique.
    pub email: Address,
    /// When it was shown that the address is theirs.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// The given name.
    pub first_name: PersonName,
    /// The family name.
    pub last_name: PersonName,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in at all.
    pub is_active: bool,
    /// Whether they may do everything because the list of super admins has their address.
    pub is_super_admin: bool,
    /// Whether there is a password.
    pub has_password: bool,
    /// Whether a second factor is asked for.
    pub has_second_factor: bool,
    /// Since when there is the user.
    pub date_joined: DateTime<Utc>,
    /// When they last signed in.
    pub last_login: Option<DateTime<Utc>>,
    /// Counts the changes.
    pub version: Version,
}

impl User {
    /// What they may do now: a super admin everything, whatever the role.
    pub const fn effective_role(&self) -> Role {
        if self.is_super_admin { Role::Admin } else { self.role }
    }

    /// Who acts when they do something.
    pub fn actor(&self) -> Actor {
        Actor::user(self.id, self.username.as_str(), self.effective_role().scopes())
    }

    /// Those of `scopes` that the role does not have.
    pub fn lacks(&self, scopes: Scopes) -> Vec<Scope> {
        let own = self.effective_role().scopes();
        scopes.iter().filter(|scope| !own.grant(*scope)).collect()
    }
}

/// A user that is to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name to sign in with.
    pub username: Username,
    /// The mail address.
    pub email: Address,
    /// When it was shown that the address is theirs.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// The given name.
    pub first_name: PersonName,
    /// The family name.
    pub last_name: PersonName,
    /// What they may do.
    pub role: Role,
    /// Whether they may do everything because the list of super admins has their address, which is verified.
    pub is_super_admin: bool,
    /// The password, or none.
    pub password: StoredPassword,
    /// Now.
    pub date_joined: DateTime<Utc>,
}

/// What somebody typed to say who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// An address.
    Email(Address),
    /// A user name.
    Username(Username),
}

impl Login {
    /// The form in which logins are counted: upper and lower case, white space around and characters that nobody sees
    /// make no other login.
    pub fn folded(text: &str) -> String {
        let seen = text.trim().chars().filter(|c| !c.is_control());
        seen.flat_map(char::to_lowercase).take(Address::MOST).collect()
    }
}

impl FromStr for Login {
    type Err = InvalidUsername;

    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        let text = text.trim();
        if text.contains('@') {
            text.parse().map(Self::Email).map_err(|_| InvalidUsername)
        } else {
            text.parse().map(Self::Username)
        }
    }
}

/// How many names are tried where the wished one is taken.
pub(crate) const MOST_NAMES: u32 = 50;

/// A name made of what stands in front of the `@`; a number tells it from others.
pub(crate) fn derived(email: &Address, number: u32) -> Result<Username, InvalidUsername> {
    let is_taken = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    let mut name: String = email.local_part().chars().filter(is_taken).collect();
    if name.is_empty() {
        name.push_str("user");
    }
    if number > 0 {
        name.push_str(&number.to_string());
    }
    name.parse()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_cannot_pass_for_an_address_or_hide_something() {
        assert!("joe@example.com".parse::<Username>().is_err());
        assert!("joe doe".parse::<Username>().is_err());
        assert!("".parse::<Username>().is_err());
        assert!("Jürgen.M-1".parse::<Username>().is_ok());
        assert!("Joe\u{202e}nimda".parse::<PersonName>().is_err());
        assert!("Joe\nDoe".parse::<PersonName>().is_err());
        assert!("Νίκη Doe-Ångström".parse::<PersonName>().is_ok());
    }

    #[test]
    fn a_login_is_an_address_or_a_name() {
        assert!(matches!(" Joe@Example.com ".parse(), Ok(Login::Email(_))));
        assert!(matches!("joe".parse(), Ok(Login::Username(_))));
        assert_eq!(Login::folded(" Joe@\u{0}Example.com "), "joe@example.com");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,40}") {
            let _ = (text.parse::<Username>(), text.parse::<PersonName>(), text.parse::<Login>());
            let _ = Login::folded(&text);
        }
    }
}
