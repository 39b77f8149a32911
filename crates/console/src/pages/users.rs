//! The users, for admins.

use askama::Template;
use serde_json::json;
use waggle_accounts::{Role, User};

use crate::control::Control;
use crate::links::Links;
use crate::ops::{CREATE_USER, REMOVE_FACTORS, UPDATE_USER};
use crate::shell::Shell;
use crate::words::Moment;

/// A user as pages show them.
struct UserCard {
    id: i64,
    name: String,
    email: String,
    full_name: String,
    role: &'static str,
    is_active: bool,
    is_super_admin: bool,
    has_second_factor: bool,
    has_password: bool,
    joined: Moment,
    last_login: Option<Moment>,
    /// Changes the role, by a form with a choice.
    change_role: Option<Control>,
    controls: Vec<Control>,
}

impl UserCard {
    fn new(user: &User, shell: &Shell) -> Self {
        let (id, name) = (user.id.number(), &user.username);
        // Nobody changes their own rights.
        let is_self = user.username.as_str() == shell.user;
        let control = |op, label| {
            Control::new(op, id, user.version, label, shell.scopes).filter(|_| !is_self)
        };
        let (label, done) = if user.is_active {
            ("Deactivate", format!("{name} is deactivated, and all their sessions have ended"))
        } else {
            ("Activate", format!("{name} is active again"))
        };
        let activate = control(&UPDATE_USER, label)
            .map(|control| control.body(json!({ "is_active": !user.is_active })).done(done));
        let factors = control(&REMOVE_FACTORS, "Remove second factors");
        let factors = factors
            .filter(|_| user.has_second_factor)
            .map(|control| control.done(format!("{name} has no second factor any more")));
        Self {
            id,
            name: name.to_string(),
            email: user.email.to_string(),
            full_name: format!("{} {}", user.first_name.as_str(), user.last_name.as_str())
                .trim()
                .to_owned(),
            role: user.role.name(),
            is_active: user.is_active,
            is_super_admin: user.is_super_admin,
            has_second_factor: user.has_second_factor,
            has_password: user.has_password,
            joined: user.date_joined.into(),
            last_login: user.last_login.map(Into::into),
            change_role: control(&UPDATE_USER, "Change role").map(|control| {
                control.done(format!("{name} has a new role, and all their sessions have ended"))
            }),
            controls: [activate, factors].into_iter().flatten().collect(),
        }
    }
}

/// The page `/users`, by ID.
#[derive(Template)]
#[template(path = "pages/users.html")]
pub struct UsersPage {
    shell: Shell,
    roles: Vec<&'static str>,
    create: Option<Control>,
    users: Vec<UserCard>,
    links: Links,
}

impl UsersPage {
    /// The page of these users.
    pub fn new(shell: Shell, users: &[User], links: Links) -> Self {
        let create = Control::new(&CREATE_USER, "", None, "Add the user", shell.scopes);
        Self {
            roles: Role::ALL.map(Role::name).into(),
            create: create.map(|control| control.done("The user is added")),
            users: users.iter().map(|user| UserCard::new(user, &shell)).collect(),
            links,
            shell,
        }
    }
}
