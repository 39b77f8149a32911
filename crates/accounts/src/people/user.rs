//! Users, their names, and what they can sign in with.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{Actor, Scope, Scopes, Version, Zone, is_hidden, named_enum};

use crate::people::address::Address;
use crate::people::password::StoredPassword;
use crate::people::role::Role;

/// The name that a user can sign in with instead of the email address: 1 to 150 letters, digits,
/// `.`, `_`, `-` or `+`. It never contains an `@`, so it cannot be confused with an email address.
/// Case is ignored in comparisons.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// The maximum length, in characters.
    pub const MOST: usize = 150;

    /// Returns the name as it was entered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the lower-case form that is used for comparisons.
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

/// The text is not a valid user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a user name must have 1 to {} letters, digits, '.', '_', '-' or '+', and no '@'",
    Username::MOST
)]
pub struct InvalidUsername;

/// A person's display name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonName(String);

impl PersonName {
    /// The maximum length, in characters.
    pub const MOST: usize = 150;

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PersonName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim();
        // Hidden characters would allow one person to imitate another.
        if text.chars().count() > Self::MOST || text.chars().any(is_hidden) {
            return Err(InvalidName);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The text is not a valid display name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a name can have at most {} characters and no hidden characters", PersonName::MOST)]
pub struct InvalidName;

named_enum! {
    /// What the console does after this user approves a tweet.
    #[derive(Default)]
    pub enum AfterApproval: "after_approval" {
        /// The tweet waits until somebody publishes it.
        #[default]
        Nothing = "nothing",
        /// The tweet is published after some seconds, during which that can be undone.
        Publish = "publish",
        /// The tweet is scheduled for the time that the user enters on the page.
        Schedule = "schedule",
    }
}

/// A user, who can sign in unless deactivated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// The name to sign in with.
    pub username: Username,
    /// Unique among all users.
    pub email: Address,
    /// When the user last proved to own the address; `None` if never.
    pub email_verified_at: Option<DateTime<Utc>>,
    pub first_name: PersonName,
    pub last_name: PersonName,
    /// The assigned role; see [`effective_role`](User::effective_role) for super admins.
    pub role: Role,
    /// Whether the user can sign in; otherwise the user is deactivated.
    pub is_active: bool,
    /// Whether the user can do everything because their verified address is on the list of super
    /// admins.
    pub is_super_admin: bool,
    pub has_password: bool,
    /// Whether signing in requires a second factor.
    pub has_second_factor: bool,
    /// The time zone that the user chose.
    pub time_zone: Option<Zone>,
    pub after_approval: AfterApproval,
    /// When the user was created.
    pub date_joined: DateTime<Utc>,
    pub last_login: Option<DateTime<Utc>>,
    /// Increases with each change.
    pub version: Version,
}

impl User {
    /// Returns the role that applies now: [`Role::Admin`] for super admins, otherwise the assigned
    /// role.
    pub const fn effective_role(&self) -> Role {
        if self.is_super_admin { Role::Admin } else { self.role }
    }

    /// Returns the actor for actions of this user.
    pub fn actor(&self) -> Actor {
        Actor::user(self.id, self.username.as_str(), self.effective_role().scopes())
    }

    /// Returns those of `scopes` that the role does not include.
    pub fn lacks(&self, scopes: Scopes) -> Vec<Scope> {
        let own = self.effective_role().scopes();
        scopes.iter().filter(|scope| !own.grant(*scope)).collect()
    }
}

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name to sign in with.
    pub username: Username,
    pub email: Address,
    /// When the user proved to own the address; `None` if they did not.
    pub email_verified_at: Option<DateTime<Utc>>,
    pub first_name: PersonName,
    pub last_name: PersonName,
    pub role: Role,
    /// Whether the user can do everything because their verified address is on the list of super
    /// admins.
    pub is_super_admin: bool,
    /// The password hash, or [`StoredPassword::none`].
    pub password: StoredPassword,
    /// When the user is created.
    pub date_joined: DateTime<Utc>,
}

/// What somebody typed to identify themselves when signing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    Email(Address),
    Username(Username),
}

impl Login {
    /// Returns the form in which logins are counted: in lower case, without surrounding whitespace
    /// and control characters.
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

/// How many user names are tried if the preferred one is taken.
pub(crate) const MOST_NAMES: u32 = 50;

/// Derives a user name from the part before the `@`. A `number` above 0 is appended, to make the
/// name unique.
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
    fn names_reject_addresses_and_hidden_characters() {
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
