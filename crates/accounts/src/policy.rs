//! The settings about users and authentication.

use chrono::Duration;

use crate::codes::code::CodeLength;
use crate::limits::LimitTable;
use crate::people::address::Address;
use crate::people::admission::Admission;
use crate::people::role::Role;
use crate::people::user::User;
use crate::sessions::session::SessionLife;

/// The settings about users and authentication, at one point in time.
#[derive(Debug, Clone)]
pub struct AccountPolicy {
    /// Session lifetimes and the limits for failed sign-ins.
    pub sign_in: SignInPolicy,
    /// Which email addresses are allowed.
    pub admission: Admission,
    /// All other rate limits.
    pub limits: LimitTable,
    pub code_length: CodeLength,
    /// Whether emails contain links. They do if the public URL is set.
    pub has_links: bool,
    /// Whether people can register themselves.
    pub is_registration_open: bool,
    /// The role of users who register themselves.
    pub new_user_role: Role,
    /// Whether a new user who signs in with Google must enter a mailed code.
    pub google_code: bool,
    /// Who is notified of Google sign-ins from domains that are not allowed.
    pub security_admins: Vec<Address>,
    /// Who is notified if there are no super admins.
    pub notified: Vec<Address>,
    /// How long an authentication counts as recent. Sensitive actions require a recent one.
    pub recent: Duration,
    /// Whether admins without a second factor can only set one up.
    pub admins_need_second_factor: bool,
}

impl AccountPolicy {
    /// Returns whether the user must set up a second factor before doing anything else.
    pub fn needs_setup(&self, user: &User) -> bool {
        self.is_second_factor_required(user) && !user.has_second_factor
    }

    /// Returns whether the user must have a second factor.
    pub fn is_second_factor_required(&self, user: &User) -> bool {
        self.admins_need_second_factor && user.effective_role() == Role::Admin
    }

    /// Returns who receives the notices for admins: the super admins, or `notified` if there are
    /// none.
    pub fn caretakers(&self) -> &[Address] {
        let admins = &self.admission.super_admins;
        if admins.is_empty() { &self.notified } else { admins }
    }
}

/// Session lifetimes and the limits for failed sign-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInPolicy {
    /// The session lifetime of admins.
    pub admins: SessionLife,
    /// The session lifetime of everyone else.
    pub others: SessionLife,
    /// How many sign-ins to one account may fail in a window.
    pub failures_per_account: u32,
    /// How many sign-ins from one client may fail in a window.
    pub failures_per_client: u32,
    /// The window in which failed sign-ins are counted.
    pub window: Duration,
    /// Limits the emails about a temporary sign-in lock.
    pub limits: LimitTable,
}

impl SignInPolicy {
    /// Returns the session lifetime of this user.
    pub fn life(&self, user: &User) -> SessionLife {
        if user.effective_role() == Role::Admin { self.admins } else { self.others }
    }
}
