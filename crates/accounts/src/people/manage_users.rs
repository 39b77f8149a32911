//! Creating, showing and changing users, their roles and passwords, and reading the audit log.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{
    Actor, Budget, Clock, Exhausted, Forbidden, Limits, Page, PageRequest, PortError, Scope,
    UnknownZone, Version,
};

use crate::auth_event::{AuthEvent, AuthEventFilter, Client, EventKind, NewAuthEvent};
use crate::mails::mail::{Letter, NewMail};
use crate::people::address::{Address, InvalidAddress};
use crate::people::admission::Admission;
use crate::people::password::{NewPassword, PasswordRefused, StoredPassword, Verdict};
use crate::people::role::Role;
use crate::people::user::{
    AfterApproval, InvalidName, InvalidUsername, Login, MOST_NAMES, NewUser, PersonName, User,
    Username, derived,
};
use crate::policy::AccountPolicy;
use crate::ports::{
    AuthEventRepository, EndSessions, InsertUserError, PasswordHasher, SaveUserError,
    UserRepository,
};
use crate::sessions::manage_sessions::{NotRecent, Visitor};
use crate::sessions::sign_in::failures_of;

/// How often the list of super admins is applied again if users are changed concurrently.
const MOST_SYNCS: u32 = 5;

/// Manages users.
pub struct ManageUsers {
    pub users: Arc<dyn UserRepository>,
    pub events: Arc<dyn AuthEventRepository>,
    pub limits: Arc<dyn Limits>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub clock: Arc<dyn Clock>,
}

/// The data of a new user.
pub struct Wanted {
    pub email: String,
    /// The name to sign in with; `None` takes the part before the `@`.
    pub username: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub role: Role,
    /// `None` creates the user without a password.
    pub password: Option<SecretString>,
}

/// Changes to a user. Fields that are `None` stay unchanged.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    pub role: Option<Role>,
    /// Whether the user can sign in.
    pub is_active: Option<bool>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    /// The version that the change is based on; `None` skips the check.
    pub expected: Option<Version>,
}

/// A change that users make to themselves. What is left out stays as it is.
#[derive(Debug, Clone, Default)]
pub struct OwnChange {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    /// The name of a time zone; empty to choose none.
    pub time_zone: Option<String>,
    pub after_approval: Option<AfterApproval>,
    /// The version that the change is based on; `None` skips the check.
    pub expected: Option<Version>,
}

fn name(wanted: Option<&str>, before: &PersonName) -> Result<PersonName, InvalidName> {
    wanted.map_or_else(|| Ok(before.clone()), str::parse)
}

impl ManageUsers {
    /// Creates a user. The address must be allowed, unless the operator creates the user.
    ///
    /// # Errors
    ///
    /// On any error, no user is created.
    pub async fn create(
        &self,
        actor: &Actor,
        wanted: &Wanted,
        client: &Client,
        admission: &Admission,
    ) -> Result<User, ManageUsersError> {
        actor.require(Scope::Admin)?;
        let user = new_user(wanted, &*self.hasher, self.clock.now(), |email| {
            // The operator can override the settings.
            actor.is_on_host() || admission.admits(email)
        })
        .await?;
        let metadata = json!({ "role": user.role.name(), "username": user.username.as_str() });
        let event =
            self.event(EventKind::UserCreated, actor, None, user.email.as_str(), client, metadata);
        let id = self.users.insert(&user, &event).await?;
        self.find(id).await
    }

    /// Returns a page of users, ordered by id.
    ///
    /// # Errors
    ///
    /// [`ManageUsersError::Forbidden`] without the scope `admin`.
    pub async fn list(
        &self,
        actor: &Actor,
        page: PageRequest,
    ) -> Result<Page<User>, ManageUsersError> {
        actor.require(Scope::Admin)?;
        Ok(self.users.list(page).await?)
    }

    /// Returns the user with this id.
    ///
    /// # Errors
    ///
    /// - [`ManageUsersError::Forbidden`] without the scope `admin`.
    /// - [`ManageUsersError::NotFound`] if there is no such user.
    pub async fn show(&self, actor: &Actor, id: UserId) -> Result<User, ManageUsersError> {
        actor.require(Scope::Admin)?;
        self.find(id).await
    }

    /// Returns the user who signs in as `login`.
    ///
    /// # Errors
    ///
    /// As for [`show`](Self::show), and [`ManageUsersError::Username`] if `login` is neither a user
    /// name nor an email address.
    pub async fn show_login(&self, actor: &Actor, login: &str) -> Result<User, ManageUsersError> {
        actor.require(Scope::Admin)?;
        let login: Login = login.parse()?;
        let found = self.users.find_login(&login).await?;
        found.map(|(user, _)| user).ok_or(ManageUsersError::NotFound)
    }

    /// Changes a user. Changing the role or deactivating the user ends all their sessions.
    ///
    /// # Errors
    ///
    /// [`ManageUsersError::Own`] if actors change their own role or deactivate themselves. On any
    /// error, nothing is changed.
    pub async fn change(
        &self,
        actor: &Actor,
        id: UserId,
        change: &UserChange,
        client: &Client,
    ) -> Result<User, ManageUsersError> {
        actor.require(Scope::Admin)?;
        let before = self.find(id).await?;
        if change.expected.is_some_and(|expected| expected != before.version) {
            return Err(ManageUsersError::Stale { current: Box::new(before) });
        }
        let after = User {
            role: change.role.unwrap_or(before.role),
            is_active: change.is_active.unwrap_or(before.is_active),
            first_name: name(change.first_name.as_deref(), &before.first_name)?,
            last_name: name(change.last_name.as_deref(), &before.last_name)?,
            ..before.clone()
        };
        if after == before {
            return Ok(before);
        }
        let takes_rights = after.role != before.role || after.is_active != before.is_active;
        if takes_rights && actor.is_user(id) {
            return Err(ManageUsersError::Own);
        }
        let kind = match (after.is_active, before.is_active) {
            (true, false) => EventKind::UserActivated,
            (false, true) => EventKind::UserDeactivated,
            _ if after.role != before.role => EventKind::RoleChanged,
            _ => EventKind::UserChanged,
        };
        let metadata = json!({
            "role": { "from": before.role.name(), "to": after.role.name() },
            "is_active": { "from": before.is_active, "to": after.is_active },
        });
        let mut event = self.event(kind, actor, Some(id), before.email.as_str(), client, metadata);
        if takes_rights {
            let role = if after.is_active {
                after.role.name()
            } else {
                "nothing (your account is deactivated)"
            };
            let letter = Letter::RightsChanged { role: role.to_owned() };
            event.mails = vec![NewMail::notice(before.email.clone(), letter, event.at)];
        }
        let sessions = if takes_rights { EndSessions::All } else { EndSessions::None };
        self.save(after, sessions, &event).await
    }

    /// Changes the visitor's own names and preferences.
    ///
    /// # Errors
    ///
    /// On any error, nothing is changed.
    pub async fn change_own(
        &self,
        visitor: &Visitor,
        change: &OwnChange,
        client: &Client,
    ) -> Result<User, ManageUsersError> {
        let before = &visitor.user;
        if change.expected.is_some_and(|expected| expected != before.version) {
            return Err(ManageUsersError::Stale { current: Box::new(before.clone()) });
        }
        let after = User {
            first_name: name(change.first_name.as_deref(), &before.first_name)?,
            last_name: name(change.last_name.as_deref(), &before.last_name)?,
            time_zone: match change.time_zone.as_deref().map(str::trim) {
                Some("") => None,
                Some(name) => Some(name.parse()?),
                None => before.time_zone,
            },
            after_approval: change.after_approval.unwrap_or(before.after_approval),
            ..before.clone()
        };
        if after == *before {
            return Ok(after);
        }
        let event = NewAuthEvent::of_user(EventKind::UserChanged, before, client, self.clock.now());
        self.save(after, EndSessions::None, &event).await
    }

    async fn save(
        &self,
        after: User,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<User, ManageUsersError> {
        match self.users.save(&after, sessions, event).await {
            Ok(version) => Ok(User { version, ..after }),
            Err(SaveUserError::Stale) => {
                Err(ManageUsersError::Stale { current: Box::new(self.find(after.id).await?) })
            }
            Err(SaveUserError::LastAdmin) => Err(ManageUsersError::LastAdmin),
            Err(SaveUserError::Port(error)) => Err(error.into()),
        }
    }

    /// Sets or removes a user's password and ends all their sessions.
    ///
    /// # Errors
    ///
    /// On any error, nothing is changed.
    pub async fn set_password(
        &self,
        actor: &Actor,
        id: UserId,
        password: Option<&SecretString>,
        client: &Client,
    ) -> Result<(), ManageUsersError> {
        actor.require(Scope::Admin)?;
        let user = self.find(id).await?;
        let stored = match password {
            Some(password) => self.hashed(password, &own_of(&user)).await?,
            None => StoredPassword::none(),
        };
        let metadata = json!({ "has_password": password.is_some() });
        let (kind, email) = (EventKind::PasswordSet, user.email.as_str());
        let mut event = self.event(kind, actor, Some(id), email, client, metadata);
        event.mails = vec![NewMail::notice(user.email.clone(), Letter::PasswordChanged, event.at)];
        let all = EndSessions::All;
        if self.users.set_password(id, None, &stored, all, Some(event)).await? {
            self.limits.forget(&failures_of(&user)).await?;
            Ok(())
        } else {
            Err(ManageUsersError::NotFound)
        }
    }

    /// Changes the visitor's own password and ends all their other sessions.
    ///
    /// # Errors
    ///
    /// - [`ManageUsersError::WrongPassword`] if `present` is wrong, or the password was changed
    ///   concurrently.
    /// - [`ManageUsersError::Limited`] after too many wrong passwords.
    /// - [`ManageUsersError::NotRecent`] if the user has a second factor and the authentication is
    ///   not recent.
    /// - [`ManageUsersError::Password`] if `wanted` is not acceptable.
    pub async fn change_own_password(
        &self,
        visitor: &Visitor,
        present: &SecretString,
        wanted: &SecretString,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), ManageUsersError> {
        let user = &visitor.user;
        // An attacker who only knows the password must not be able to change it and lock out a user
        // with a second factor.
        if user.has_second_factor {
            visitor.require_recent(self.clock.now(), policy.recent)?;
        }
        let login = Login::Email(user.email.clone());
        let budget = [Budget {
            key: format!("password:user:{}", user.id),
            most: policy.sign_in.failures_per_account,
            window: policy.sign_in.window,
        }];
        if let Some(exhausted) = self.limits.take(&budget, self.clock.now()).await? {
            return Err(ManageUsersError::Limited(exhausted));
        }
        let (_, seen) = self.users.find_login(&login).await?.ok_or(ManageUsersError::NotFound)?;
        let verdict = self.hasher.verify(present, &seen).await;
        if self.limits.unless_failed(&budget, verdict).await? == Verdict::Wrong {
            let (kind, now) = (EventKind::PasswordChangeFailure, self.clock.now());
            let event = NewAuthEvent::of_user(kind, user, client, now);
            self.events.record(&event).await?;
            return Err(ManageUsersError::WrongPassword);
        }
        self.limits.give_back(&budget).await?;
        let stored = self.hashed(wanted, &own_of(user)).await?;
        let (kind, now) = (EventKind::PasswordChanged, self.clock.now());
        let mut event = NewAuthEvent::of_user(kind, user, client, now);
        event.mails = vec![NewMail::notice(user.email.clone(), Letter::PasswordChanged, now)];
        let others = EndSessions::AllBut(visitor.session.id);
        if self.users.set_password(user.id, Some(seen), &stored, others, Some(event)).await? {
            Ok(())
        } else {
            // It was changed while it was verified.
            Err(ManageUsersError::WrongPassword)
        }
    }

    /// Makes exactly those users super admins whose verified address is on the list, and returns
    /// the users that changed. A deactivated user stays deactivated.
    ///
    /// # Errors
    ///
    /// [`ManageUsersError::Forbidden`] without the scope `admin`.
    pub async fn sync_super_admins(
        &self,
        actor: &Actor,
        admission: &Admission,
    ) -> Result<Vec<User>, ManageUsersError> {
        actor.require(Scope::Admin)?;
        let mut changed = Vec::new();
        let mut differing = self.users.super_admin_changes(&admission.super_admins).await?;
        // Users that were changed concurrently are checked again.
        for _ in 0..MOST_SYNCS {
            if differing.is_empty() {
                break;
            }
            self.sync_these(actor, differing, &mut changed).await?;
            differing = self.users.super_admin_changes(&admission.super_admins).await?;
        }
        Ok(changed)
    }

    async fn sync_these(
        &self,
        actor: &Actor,
        differing: Vec<User>,
        changed: &mut Vec<User>,
    ) -> Result<(), ManageUsersError> {
        for user in differing {
            let is_granted = !user.is_super_admin;
            let kind = if is_granted {
                EventKind::SuperAdminGranted
            } else {
                EventKind::SuperAdminRevoked
            };
            let (client, email) = (Client::default(), user.email.as_str());
            let mut event = self.event(kind, actor, Some(user.id), email, &client, json!({}));
            let role = if is_granted { "everything" } else { user.role.name() };
            let letter = Letter::RightsChanged { role: role.to_owned() };
            event.mails = vec![NewMail::notice(user.email.clone(), letter, event.at)];
            if self.users.set_super_admin(&user, is_granted, &event).await? {
                let version = user.version.next();
                changed.push(User { is_super_admin: is_granted, version, ..user });
            }
        }
        Ok(())
    }

    /// Creates a user without a password for each address on the list of super admins that has no
    /// user, and returns the new users. They become super admins when they verify the address, by
    /// resetting the password or signing in with Google.
    pub async fn invite_super_admins(
        &self,
        actor: &Actor,
        admission: &Admission,
    ) -> Result<Vec<User>, ManageUsersError> {
        let mut made = Vec::new();
        for address in &admission.super_admins {
            for number in 0..MOST_NAMES {
                let wanted = Wanted {
                    email: address.to_string(),
                    username: Some(derived(address, number)?.to_string()),
                    first_name: String::new(),
                    last_name: String::new(),
                    role: Role::Viewer,
                    password: None,
                };
                match self.create(actor, &wanted, &Client::default(), admission).await {
                    Ok(user) => made.push(user),
                    Err(ManageUsersError::Taken(Taken::Name)) => continue,
                    Err(ManageUsersError::Taken(Taken::Address)) => {}
                    Err(error) => return Err(error),
                }
                break;
            }
        }
        Ok(made)
    }

    /// Returns a page of auth events, newest first.
    ///
    /// # Errors
    ///
    /// [`ManageUsersError::Forbidden`] without the scope `admin`.
    pub async fn events(
        &self,
        actor: &Actor,
        filter: &AuthEventFilter,
        page: PageRequest,
    ) -> Result<Page<AuthEvent>, ManageUsersError> {
        actor.require(Scope::Admin)?;
        Ok(self.events.list(filter, page).await?)
    }

    /// Records that the audit log is exported.
    ///
    /// # Errors
    ///
    /// [`ManageUsersError::Forbidden`] without the scope `admin`. On any error, the log must not be
    /// exported.
    pub async fn tell_of_export(
        &self,
        actor: &Actor,
        client: &Client,
    ) -> Result<(), ManageUsersError> {
        actor.require(Scope::Admin)?;
        let event = self.event(EventKind::EventsExported, actor, None, "", client, json!({}));
        Ok(self.events.record(&event).await?)
    }

    async fn find(&self, id: UserId) -> Result<User, ManageUsersError> {
        self.users.find(id).await?.ok_or(ManageUsersError::NotFound)
    }

    async fn hashed(
        &self,
        password: &SecretString,
        own: &[&str],
    ) -> Result<StoredPassword, ManageUsersError> {
        let password = NewPassword::parse(password, own)?;
        Ok(self.hasher.hash(password.text()).await?)
    }

    fn event(
        &self,
        kind: EventKind,
        actor: &Actor,
        user: Option<UserId>,
        email: &str,
        client: &Client,
        metadata: Value,
    ) -> NewAuthEvent {
        NewAuthEvent {
            user,
            email: email.to_owned(),
            by: actor.reference(),
            metadata,
            ..NewAuthEvent::new(kind, client, self.clock.now())
        }
    }
}

/// Checks the data of a new user, and hashes the password.
pub(crate) async fn new_user(
    wanted: &Wanted,
    hasher: &dyn PasswordHasher,
    now: DateTime<Utc>,
    is_allowed: impl Fn(&Address) -> bool + Send,
) -> Result<NewUser, ManageUsersError> {
    let (first_name, last_name): (PersonName, PersonName) =
        (wanted.first_name.parse()?, wanted.last_name.parse()?);
    let email: Address = wanted.email.trim().parse()?;
    if !is_allowed(&email) {
        return Err(ManageUsersError::ForeignDomain);
    }
    let username: Username = match &wanted.username {
        Some(name) => name.trim().parse()?,
        None => email.local_part().parse()?,
    };
    let password = match &wanted.password {
        Some(password) => {
            let own = own(&username, &email, &first_name, &last_name);
            hasher.hash(NewPassword::parse(password, &own)?.text()).await?
        }
        None => StoredPassword::none(),
    };
    Ok(NewUser {
        username,
        email_verified_at: None,
        first_name,
        last_name,
        role: wanted.role,
        is_super_admin: false,
        password,
        date_joined: now,
        email,
    })
}

/// Returns the words that a user's password must not contain.
pub(crate) fn own<'a>(
    username: &'a Username,
    email: &'a Address,
    first_name: &'a PersonName,
    last_name: &'a PersonName,
) -> [&'a str; 7] {
    let domain = email.domain().split('.').next().unwrap_or_default();
    let (first_name, last_name) = (first_name.as_str(), last_name.as_str());
    [username.as_str(), email.as_str(), email.local_part(), domain, first_name, last_name, "waggle"]
}

pub(crate) fn own_of(user: &User) -> [&str; 7] {
    own(&user.username, &user.email, &user.first_name, &user.last_name)
}

/// A value that another user already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Address,
    Name,
}

impl fmt::Display for Taken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Address => "email address",
            Self::Name => "name",
        })
    }
}

/// Errors of [`ManageUsers`]. If an operation fails, nothing is changed.
#[derive(Debug, Error)]
pub enum ManageUsersError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    #[error("there is no such user")]
    NotFound,
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    #[error(transparent)]
    Username(#[from] InvalidUsername),
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Zone(#[from] UnknownZone),
    #[error(transparent)]
    Password(#[from] PasswordRefused),
    #[error("the current password is wrong")]
    WrongPassword,
    /// Wrong passwords were given too often.
    #[error("too many failed attempts; try again later")]
    Limited(Exhausted),
    #[error("another user already has this {0}")]
    Taken(Taken),
    /// The domain of the address is not allowed.
    #[error(
        "addresses of this domain are not allowed; the setting ALLOWED_DOMAIN lists those that are"
    )]
    ForeignDomain,
    /// Users cannot change their own rights.
    #[error("you cannot change your own role or deactivate yourself")]
    Own,
    /// No active user with all rights would be left.
    #[error("this is the last active admin")]
    LastAdmin,
    /// The user was changed concurrently.
    #[error("the user was changed in the meantime")]
    Stale {
        /// The user as it is now.
        current: Box<User>,
    },
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<InsertUserError> for ManageUsersError {
    fn from(error: InsertUserError) -> Self {
        match error {
            InsertUserError::EmailTaken => Self::Taken(Taken::Address),
            InsertUserError::UsernameTaken => Self::Taken(Taken::Name),
            InsertUserError::Port(error) => Self::Port(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use waggle_kernel::{FixedClock, MockLimits};

    use super::*;
    use crate::ports::{MockAuthEventRepository, MockPasswordHasher, MockUserRepository};
    use crate::testing::scene::{policy, visitor};
    use crate::testing::user;

    /// Only the expected calls on users are allowed.
    fn manage(users: MockUserRepository) -> ManageUsers {
        ManageUsers {
            users: Arc::new(users),
            events: Arc::new(MockAuthEventRepository::new()),
            limits: Arc::new(MockLimits::new()),
            hasher: Arc::new(MockPasswordHasher::new()),
            clock: Arc::new(FixedClock::noon()),
        }
    }

    #[tokio::test]
    async fn super_admins_are_synced_until_nothing_differs() {
        let mut users = MockUserRepository::new();
        let unlisted = User { is_super_admin: true, ..user(4, Role::Editor) };
        let mut rounds =
            vec![Vec::new(), vec![user(3, Role::Viewer)], vec![user(3, Role::Viewer), unlisted]];
        users.expect_super_admin_changes().times(3).returning(move |_| Ok(rounds.pop().unwrap()));
        // The first time, user 3 is changed concurrently.
        let mut answers = vec![true, true, false];
        users
            .expect_set_super_admin()
            .withf(|user, is_granted, event| {
                let kind = if *is_granted {
                    EventKind::SuperAdminGranted
                } else {
                    EventKind::SuperAdminRevoked
                };
                *is_granted != user.is_super_admin && event.kind == kind && event.mails.len() == 1
            })
            .times(3)
            .returning(move |_, _, _| Ok(answers.pop().unwrap()));

        let changed = manage(users).sync_super_admins(&Actor::system(), &policy().admission).await;

        let changed: Vec<_> =
            changed.unwrap().iter().map(|user| (user.id.number(), user.is_super_admin)).collect();
        assert_eq!(changed, [(4, false), (3, true)]);
        let editor = user(3, Role::Editor).actor();
        let none = manage(MockUserRepository::new());
        let refused = none.sync_super_admins(&editor, &policy().admission).await;
        assert!(matches!(refused, Err(ManageUsersError::Forbidden(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn changing_the_password_with_a_second_factor_needs_recent_authentication() {
        let policy = policy();
        let mut stale = visitor(policy.recent + chrono::Duration::seconds(1));
        stale.user.has_second_factor = true;

        let changed = manage(MockUserRepository::new())
            .change_own_password(
                &stale,
                &"a good long password".into(),
                &"another good long password".into(),
                &Client::default(),
                &policy,
            )
            .await;

        assert!(matches!(changed, Err(ManageUsersError::NotRecent(_))), "{changed:?}");
    }
}
