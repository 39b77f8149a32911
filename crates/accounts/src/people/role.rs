//! What people may do: four roles, each of which may do what the one before may.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use waggle_kernel::{Scope, Scopes};

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads everything that is not a secret.
    Viewer,
    /// Edits, rejects, deletes, and hands in.
    Editor,
    /// Approves and publishes.
    Approver,
    /// Does everything: users, tokens, settings.
    Admin,
}

impl Role {
    /// Every role, the one that may least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Editor, Self::Approver, Self::Admin];

    /// The name in the database, on the wire and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// The one table of what each role may do.
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

/// The text names no [`Role`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown role '{0}'; there are viewer, editor, approver and admin")]
pub struct UnknownRole(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_one_before_may() {
        for pair in Role::ALL.windows(2) {
            for scope in Scope::ALL {
                let (less, more) = (pair[0].scopes().grant(scope), pair[1].scopes().grant(scope));
                assert!(more || !less, "{} {} {scope}", pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn an_editor_neither_approves_nor_publishes() {
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
