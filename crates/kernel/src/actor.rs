//! Actors and scopes: who performs an action, and what they are allowed to do.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use crate::ids::{TokenId, UserId};

crate::named_enum! {
    /// A permission. No scope implies another, except that [`Scope::Admin`] implies all.
    pub enum Scope: "scope" {
        /// Submit source tweets and generated tweets, and process source tweets.
        Ingest = "ingest",
        /// Read everything that is not a secret.
        Read = "read",
        /// Edit, reject, delete and restore.
        Write = "write",
        /// Approve content for publication.
        Approve = "approve",
        /// Publish approved content now or at a scheduled time, and cancel scheduled posts.
        Publish = "publish",
        /// Everything.
        Admin = "admin",
    }
}

impl Scope {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of [`Scope`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Creates a set of `scopes`.
    #[must_use]
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut rest = scopes;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// Whether the set grants `scope`, either directly or through [`Scope::Admin`].
    #[must_use]
    pub const fn grant(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | Scope::Admin.bit()) != 0
    }

    /// The scopes that both sets grant.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Scope::ALL.into_iter().filter(|scope| self.grant(*scope) && other.grant(*scope)).collect()
    }

    /// The scopes in the set. [`Scope::Admin`] is not expanded into the scopes that it implies.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & scope.bit() != 0)
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// The kind of an [`Actor`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorKind {
    /// Waggle itself, in the background.
    System,
    /// A person on the host, with Waggle's command line.
    Command,
    /// A signed-in user.
    User {
        id: UserId,
        /// The name that the user signs in with.
        name: String,
    },
    /// A program that authenticated with an API token.
    Token {
        id: TokenId,
        /// The name that its creator gave it.
        name: String,
    },
    /// A program without credentials, calling from a network that the operator trusts for ingest.
    TrustedNetwork {
        /// The address of the caller.
        address: IpAddr,
    },
}

/// Who performs an action, with the scopes that apply to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    kind: ActorKind,
    scopes: Scopes,
    request_id: String,
}

impl Actor {
    /// Waggle itself, with all scopes.
    #[must_use]
    pub const fn system() -> Self {
        Self::new(ActorKind::System, Scopes::of(&[Scope::Admin]))
    }

    /// A person on the host, who uses the command line, with all scopes.
    #[must_use]
    pub const fn command() -> Self {
        Self::new(ActorKind::Command, Scopes::of(&[Scope::Admin]))
    }

    const fn new(kind: ActorKind, scopes: Scopes) -> Self {
        Self { kind, scopes, request_id: String::new() }
    }

    /// A signed-in user.
    #[must_use]
    pub fn user(id: UserId, name: impl Into<String>, scopes: Scopes) -> Self {
        Self::new(ActorKind::User { id, name: name.into() }, scopes)
    }

    /// Whether the actor is this user.
    #[must_use]
    pub fn is_user(&self, user: UserId) -> bool {
        matches!(self.kind, ActorKind::User { id, .. } if id == user)
    }

    /// A program that authenticated with an API token.
    #[must_use]
    pub fn token(id: TokenId, name: impl Into<String>, scopes: Scopes) -> Self {
        Self::new(ActorKind::Token { id, name: name.into() }, scopes)
    }

    /// A caller from a trusted network. Its only scope is [`Scope::Ingest`].
    #[must_use]
    pub const fn trusted_network(address: IpAddr) -> Self {
        Self::new(ActorKind::TrustedNetwork { address }, Scopes::of(&[Scope::Ingest]))
    }

    /// Returns the actor with `scopes` instead of its own.
    #[must_use]
    pub fn limited_to(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Returns the actor as it acts in the request with this id.
    #[must_use]
    pub fn in_request(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = request_id.into();
        self
    }

    /// The actor as events name it.
    #[must_use]
    pub fn reference(&self) -> ActorRef {
        let key = match &self.kind {
            ActorKind::System => "system".to_owned(),
            ActorKind::Command => "command".to_owned(),
            ActorKind::User { id, .. } => format!("user:{id}"),
            ActorKind::Token { id, .. } => format!("token:{id}"),
            ActorKind::TrustedNetwork { .. } => "network".to_owned(),
        };
        ActorRef { key, shown: self.to_string(), request_id: self.request_id.clone() }
    }

    /// Whether the actor acts on the host itself, where it could change everything anyway.
    #[must_use]
    pub const fn is_on_host(&self) -> bool {
        matches!(self.kind, ActorKind::System | ActorKind::Command)
    }

    /// The kind of the actor.
    #[must_use]
    pub const fn kind(&self) -> &ActorKind {
        &self.kind
    }

    /// The scopes of the actor.
    #[must_use]
    pub const fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Checks that the actor has a scope.
    ///
    /// # Errors
    ///
    /// [`Forbidden`] if the actor has neither `scope` nor [`Scope::Admin`].
    pub const fn require(&self, scope: Scope) -> Result<(), Forbidden> {
        if self.scopes.grant(scope) { Ok(()) } else { Err(Forbidden { needed: scope }) }
    }
}

impl fmt::Display for Actor {
    /// A short name for history entries: `system`, `command`, `user:1:joe`, `token:3:n8n`,
    /// `network:10.0.0.7`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ActorKind::System => formatter.write_str("system"),
            ActorKind::Command => formatter.write_str("command"),
            ActorKind::User { id, name } => write!(formatter, "user:{id}:{name}"),
            ActorKind::Token { id, name } => write!(formatter, "token:{id}:{name}"),
            ActorKind::TrustedNetwork { address } => write!(formatter, "network:{address}"),
        }
    }
}

/// An actor as events name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorRef {
    /// Who it is, without personal data: `system`, `command`, `network`, `user:1`, `token:3`.
    pub key: String,
    /// The same with a name or an address: `user:1:joe`, `network:10.0.0.7`.
    pub shown: String,
    /// The id of the request in which the actor acts; empty if there is none.
    pub request_id: String,
}

impl ActorRef {
    /// Somebody who is not known, because they did not authenticate.
    #[must_use]
    pub const fn nobody() -> Self {
        Self { key: String::new(), shown: String::new(), request_id: String::new() }
    }
}

/// The actor lacks a required scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this requires the scope '{needed}'")]
pub struct Forbidden {
    /// The missing scope.
    pub needed: Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_grants_every_scope_and_other_scopes_grant_only_themselves() {
        for granted in Scope::ALL {
            for asked in Scope::ALL {
                let expected = granted == asked || granted == Scope::Admin;

                assert_eq!(Scopes::of(&[granted]).grant(asked), expected, "{granted} {asked}");
            }
        }
    }

    #[test]
    fn a_trusted_network_may_ingest_and_nothing_else() {
        let actor = Actor::trusted_network(IpAddr::from([10, 0, 0, 7]));

        let granted: Vec<Scope> =
            Scope::ALL.into_iter().filter(|&scope| actor.require(scope).is_ok()).collect();

        assert_eq!(granted, [Scope::Ingest]);
        assert_eq!(actor.to_string(), "network:10.0.0.7");
    }

    #[test]
    fn scope_names_round_trip() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
        }
        assert!("root".parse::<Scope>().is_err());
    }
}
