//! Sign-in, and the account of the user.

use askama::Template;
use waggle_accounts::{Passkey, Session, Visitor};
use waggle_kernel::Zone;

use crate::control::Control;
use crate::ops::{
    CHANGE_PASSWORD, END_OTHER_SESSIONS, END_SESSION, REMOVE_PASSKEY, REMOVE_TOTP, RENEW_CODES,
    UPDATE_ME,
};
use crate::shell::Shell;
use crate::words::Moment;

/// The page `/account` for visitors: sign-in, registration, mailed codes and links.
#[derive(Template)]
#[template(path = "pages/sign_in.html")]
pub struct SignInPage {
    /// The view that is shown first; empty for the one that the address names.
    pub view: &'static str,
    /// After how many seconds the page leads back to the sign-in; 0 for never.
    pub back_after: i64,
    /// The path of the page that the sign-in leads to.
    pub return_to: String,
    pub has_google: bool,
    /// Whether people can register.
    pub can_register: bool,
    /// The address of the user who is signed in while this page is shown; empty if there is none.
    pub signed_in_as: String,
}

/// The second factors of a user.
#[derive(Debug, Clone, Copy)]
pub struct Factors<'a> {
    pub has_totp: bool,
    pub passkeys: &'a [Passkey],
    pub recovery_codes_left: u32,
    /// Whether passkeys can be added.
    pub can_have_passkeys: bool,
}

struct PasskeyLine {
    name: String,
    created: Moment,
    last_used: Option<Moment>,
    remove: Option<Control>,
}

struct SessionLine {
    client: String,
    ip: String,
    created: Moment,
    last_used: Moment,
    is_this: bool,
    end: Option<Control>,
}

/// The page `/account` for people who are signed in. For those who must set up a second factor
/// first, it has nothing else.
#[derive(Template)]
#[template(path = "pages/account.html")]
pub struct AccountPage {
    shell: Shell,
    user: User,
    is_enrolling: bool,
    update: Option<Control>,
    /// All time zones, and whether the user chose each.
    zones: Vec<(Zone, bool)>,
    change_password: Option<Control>,
    has_totp: bool,
    can_have_passkeys: bool,
    recovery_codes_left: u32,
    passkeys: Vec<PasskeyLine>,
    remove_totp: Option<Control>,
    renew_codes: Option<Control>,
    sessions: Vec<SessionLine>,
    end_others: Option<Control>,
}

/// What the page tells of the user.
struct User {
    username: String,
    email: String,
    role: &'static str,
    first_name: String,
    last_name: String,
    has_zone: bool,
    has_password: bool,
}

impl AccountPage {
    /// The page of a visitor, with these second factors and sessions. `is_enrolling` is whether the
    /// visitor must set up a second factor first.
    pub fn new(
        shell: Shell,
        visitor: &Visitor,
        factors: Factors<'_>,
        sessions: &[Session],
        is_enrolling: bool,
    ) -> Self {
        let user = &visitor.user;
        let scopes = user.effective_role().scopes();
        let control = |op, label, done: &str| {
            Control::new(op, "", None, label, scopes).map(|control| control.done(done))
        };
        let passkey = |passkey: &Passkey| PasskeyLine {
            name: passkey.name.clone(),
            created: passkey.created_at.into(),
            last_used: passkey.last_used_at.map(Into::into),
            remove: Control::new(&REMOVE_PASSKEY, passkey.id, None, "Remove", scopes)
                .map(|control| control.done("The passkey is removed")),
        };
        let session = |session: &Session| {
            let is_this = session.id == visitor.session.id;
            let end = Control::new(&END_SESSION, session.id, None, "End", scopes);
            SessionLine {
                client: session.user_agent.clone(),
                ip: session.ip.clone(),
                created: session.created_at.into(),
                last_used: session.last_used_at.into(),
                is_this,
                end: end.filter(|_| !is_this).map(|control| control.done("The session is ended")),
            }
        };
        let has_factor = factors.has_totp || !factors.passkeys.is_empty();
        let update = Control::new(&UPDATE_ME, "", None, "Save", scopes);
        let renew = control(&RENEW_CODES, "Create new recovery codes", "The old codes are void");
        let remove_totp =
            control(&REMOVE_TOTP, "Remove the authenticator app", "The authenticator app is gone");
        let end_others = control(&END_OTHER_SESSIONS, "End all others", "All others are ended");
        Self {
            is_enrolling,
            update: update.map(|control| control.done("Saved")),
            zones: Zone::all().map(|zone| (zone, user.time_zone == Some(zone))).collect(),
            change_password: control(&CHANGE_PASSWORD, "Change it", "The password is changed"),
            has_totp: factors.has_totp,
            can_have_passkeys: factors.can_have_passkeys,
            recovery_codes_left: factors.recovery_codes_left,
            passkeys: factors.passkeys.iter().map(passkey).collect(),
            remove_totp: remove_totp.filter(|_| factors.has_totp),
            renew_codes: renew
                .map(|control| control.shows("recovery_codes"))
                .filter(|_| has_factor),
            sessions: sessions.iter().map(session).collect(),
            end_others: end_others.filter(|_| sessions.len() > 1),
            user: User {
                username: user.username.to_string(),
                email: user.email.to_string(),
                role: user.effective_role().name(),
                first_name: user.first_name.as_str().to_owned(),
                last_name: user.last_name.as_str().to_owned(),
                has_zone: user.time_zone.is_some(),
                has_password: user.has_password,
            },
            shell,
        }
    }

    fn has_factor(&self) -> bool {
        self.has_totp || !self.passkeys.is_empty()
    }
}
