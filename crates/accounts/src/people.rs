//! Users: registration, profiles, passwords, roles and administration.

pub(crate) mod address;
pub(crate) mod admission;
pub(crate) mod change_address;
pub(crate) mod manage_users;
pub(crate) mod password;
pub(crate) mod register;
pub(crate) mod reset_password;
pub(crate) mod role;
pub(crate) mod set_up;
pub(crate) mod setup_link;
pub(crate) mod user;
