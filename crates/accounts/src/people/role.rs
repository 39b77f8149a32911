//! Roles: what users can do. Each role includes the rights of the previous one.

use waggle_kernel::{Scope, Scopes, named_enum};

named_enum! {
    /// The role of a user.
    pub enum Role: "role" {
        /// Can read everything that is not a secret.
        Viewer = "viewer",
        /// Can also edit, reject, delete and submit.
        Editor = "editor",
        /// Can also approve and publish.
        Approver = "approver",
        /// Can do everything, including managing users, tokens and settings.
        Admin = "admin",
    }
}

impl Role {
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
