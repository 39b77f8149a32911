//! API tokens: one's own, and for admins all of them.

use askama::Template;
use chrono::{DateTime, Utc};
use waggle_accounts::OwnedToken;
use waggle_kernel::Scope;

use crate::control::Control;
use crate::ops::{CREATE_TOKEN, REVOKE_ANY_TOKEN, REVOKE_TOKEN};
use crate::shell::Shell;
use crate::words::Moment;

/// A token as pages show it.
struct TokenLine {
    id: String,
    name: String,
    owner: String,
    scopes: String,
    /// The scopes that have no effect; empty if there are none.
    unusable: String,
    state: &'static str,
    class: &'static str,
    created: Moment,
    expires: Option<Moment>,
    last_used: Option<Moment>,
    revoke: Option<Control>,
}

fn names(scopes: impl IntoIterator<Item = Scope>) -> String {
    scopes.into_iter().map(Scope::name).collect::<Vec<_>>().join(", ")
}

impl TokenLine {
    fn new(owned: &OwnedToken, shell: &Shell, now: DateTime<Utc>) -> Self {
        let OwnedToken { token, owner } = owned;
        let (state, class) = match token.revoked_at {
            Some(_) => ("revoked", "off"),
            None if token.is_live(now) => ("live", "good"),
            None => ("expired", "off"),
        };
        let is_own = owner.as_ref().is_some_and(|owner| owner.username.as_str() == shell.user);
        let op = if is_own { &REVOKE_TOKEN } else { &REVOKE_ANY_TOKEN };
        let revoke = Control::new(op, &token.public_id, None, "Revoke", shell.scopes);
        Self {
            id: token.public_id.clone(),
            name: token.name.clone(),
            owner: owner
                .as_ref()
                .map_or_else(|| "the operator".to_owned(), |owner| owner.username.to_string()),
            scopes: names(token.scopes.iter()),
            unusable: names(owned.unusable_scopes()),
            state,
            class,
            created: token.created_at.into(),
            expires: token.expires_at.map(Into::into),
            last_used: token.last_used_at.map(Into::into),
            revoke: revoke
                .filter(|_| token.is_live(now))
                .map(|control| control.done(format!("The token {} is revoked", token.name))),
        }
    }
}

/// The page `/tokens`, oldest first.
#[derive(Template)]
#[template(path = "pages/tokens.html")]
pub struct TokensPage {
    shell: Shell,
    /// The scopes that the user can give to a token, and what each allows.
    scopes: Vec<(&'static str, &'static str)>,
    create: Option<Control>,
    tokens: Vec<TokenLine>,
}

impl TokensPage {
    /// The page of these tokens, as they are at `now`.
    pub fn new(shell: Shell, tokens: &[OwnedToken], now: DateTime<Utc>) -> Self {
        let create = Control::new(&CREATE_TOKEN, "", None, "Create the token", shell.scopes);
        let scopes = Scope::ALL.into_iter().filter(|scope| shell.scopes.grant(*scope));
        Self {
            scopes: scopes.map(|scope| (scope.name(), allows(scope))).collect(),
            create: create.map(|control| control.shows("token").done("The token is created")),
            tokens: tokens.iter().map(|token| TokenLine::new(token, &shell, now)).collect(),
            shell,
        }
    }
}

/// What a scope allows.
const fn allows(scope: Scope) -> &'static str {
    match scope {
        Scope::Ingest => "submit source tweets and batches: for n8n",
        Scope::Read => "read everything except settings and users",
        Scope::Write => "edit, reject, delete and restore",
        Scope::Approve => "approve drafts",
        Scope::Publish => "publish approved drafts",
        Scope::Admin => "everything, including settings",
    }
}
