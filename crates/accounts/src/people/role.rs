//! Roles: what users can do. Each role includes the rights of the previous one.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use waggle_kernel::{Scope, Scopes};

/// The role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Can read everything that is not a secret.
    Viewer,
    /// Can also edit, reject, delete and submit.
    Editor,
    /// Can also approve and publish.
    Approver,
    /// Can do everything, including managing users, tokens and settings.
    Admin,
}

impl Role {
    /// All roles, from the fewest rights to the most.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Editor, Self::Approver, Self::Admin];

    /// The name in the database, in the API and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// The scopes of the role. This is the only place where they are defined.
    pub const fn scopes(self) -> Scopes {
        match self {
            Self::Viewer => Scopes::of(&[Scope::Read]),
            Self::Editor => Scopes::of(&[Scope::Read, Scope::Write, Scope::Ingest]),
            Self::Approver => Scopes::of(&[
                Scope::Read,
                Scope::Write,
                Scope::Ingest,
                Scope::Approve,
                Scope::Publish,
            ]),
            Self::Admin => Scopes::of(&[Scope::Admin]),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let known = Self::ALL.into_iter().find(|role| role.name() == text);
        known.ok_or_else(|| UnknownRole(text.chars().take(50).collect()))
    }
}

/// The text is not the name of a [`Role`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown role '{0}'; there are viewer, editor, approver and admin")]
pub struct UnknownRole(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_includes_the_previous_one() {
        for pair in Role::ALL.windows(2) {
            for scope in Scope::ALL {
                let (less, more) = (pair[0].scopes().grant(scope), pair[1].scopes().grant(scope));
                assert!(more || !less, "{} {} {scope}", pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn an_editor_cannot_approve_or_publish() {
        let scopes = Role::Editor.scopes();

        assert!(!scopes.grant(Scope::Approve) && !scopes.grant(Scope::Publish));
        assert!(!Role::Approver.scopes().grant(Scope::Admin));
    }

    #[test]
    fn names_are_read_back() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().is_err());
    }
}
