//! What the settings say about people.

use chrono::Duration;

use crate::codes::code::CodeLength;
use crate::limits::LimitTable;
use crate::people::address::Address;
use crate::people::admission::Admission;
use crate::people::role::Role;
use crate::people::user::User;
use crate::sessions::session::SessionLife;

/// What the settings say about people, at one moment.
#[derive(Debug, Clone)]
pub struct AccountPolicy {
    /// How long sessions last, and how often signing in may fail.
    pub sign_in: SignInPolicy,
    /// Whose address lets them in.
    pub admission: Admission,
    /// How often all else may be done.
    pub limits: LimitTable,
    /// How many digits codes have.
    pub code_length: CodeLength,
    /// Whether mails have links: then the address by which people reach us is known.
    pub has_links: bool,
    /// Whether people may make themselves users.
    pub is_registration_open: bool,
    /// What they may do then.
    pub new_user_role: Role,
    /// Whether new Google users are mailed a code.
    pub google_code: bool,
    /// Who is told of attempts to come in from a foreign domain.
    pub security_admins: Vec<Address>,
    /// Who is told where there is no super admin.
    pub notified: Vec<Address>,
    /// For how long somebody who proved who they are need not do so again for what is sensitive.
    pub recent: Duration,
    /// Whether admins without a second factor may do nothing but set one up.
    pub admins_need_second_factor: bool,
}

impl AccountPolicy {
    /// Whether a user has to set up a second factor before anything else.
    pub fn needs_setup(&self, user: &User) -> bool {
        self.is_second_factor_required(user) && !user.has_second_factor
    }

    /// Whether a user has to have a second factor.
    pub fn is_second_factor_required(&self, user: &User) -> bool {
        self.admins_need_second_factor && user.effective_role() == Role::Admin
    }

    /// Who looks after everything: the super admins, or those named for the case that there is none.
    pub fn caretakers(&self) -> &[Address] {
        let admins = &self.admission.super_admins;
        if admins.is_empty() { &self.notified } else { admins }
    }
}

/// How long sessions last, and how often somebody may fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInPolicy {
    /// How long the sessions of admins last.
    pub admins: SessionLife,
    /// How long those of all others last.
    pub others: SessionLife,
    /// How often signing in as one account may fail.
    pub failures_per_account: u32,
    /// How often signing in from one address may fail.
    pub failures_per_client: u32,
    /// In how long a time.
    pub window: Duration,
    /// How often somebody is mailed that signing in is blocked.
    pub limits: LimitTable,
}

impl SignInPolicy {
    /// How long a session of this user lasts.
    pub fn life(&self, user: &User) -> SessionLife {
        if user.effective_role() == Role::Admin { self.admins } else { self.others }
    }
}
