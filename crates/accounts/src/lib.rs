//! Who acts: people with their sessions and roles, API tokens, and the record of what happened at the door.
//!
//! A token is shown once, when it is made; what is kept is its SHA-256. Its form is
//! `wgl_<12 hexadecimal digits>_<43 characters of base64url>`: the first part finds it, the second proves it.
//!
//! ```
//! use waggle_accounts::{InvalidToken, PresentedToken};
//!
//! let text = format!("wgl_0123456789ab_{}", "A".repeat(43));
//! let token = PresentedToken::parse(&text)?;
//!
//! assert_eq!(token.public_id(), "0123456789ab");
//! assert!(PresentedToken::parse("Bearer of good news").is_err());
//! # Ok::<(), InvalidToken>(())
//! ```

mod auth_event;
mod budget;
mod codes;
mod factors;
mod google;
mod keys;
mod limits;
mod mails;
mod people;
mod policy;
pub mod ports;
mod sessions;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tokens;

pub use auth_event::{AuthEvent, AuthEventFilter, Client, EventKind, NewAuthEvent};
pub use budget::{Budget, Exhausted};
pub use codes::code::{
    CODE_LIFE, Code, CodeLength, Flow, Intent, InvalidCode, Link, MOST_TRIES, NewVerification,
    Purpose, Registration, Verification,
};
pub use codes::mailed_codes::{CodeError, Codes, Issued, Presented};
pub use factors::passkey::{Passkeys, PasskeysError};
pub use factors::second_factor::{FactorState, Resealed, SecondFactor, SecondFactorError};
pub use factors::stored_passkey::{InvalidPasskeyName, NewPasskey, Passkey, PasskeyName};
pub use google::identity::{GoogleIdentity, GoogleProfile, IdentityError, SignInSecrets};
pub use google::return_to::ReturnTo;
pub use google::sign_in_with_google::{
    Begun, Callback, Finished, GOOGLE_PATIENCE, GoogleError, GoogleSignIn,
};
pub use keys::{Mark, SealedSecret, ServerKeys};
pub use limits::{LIMITS, LimitTable, NamedLimit, network};
pub use mails::deliver_mail::{DeliverMail, Delivered};
pub use mails::mail::{Letter, Mail, MailFailure, NewMail, Proof, QueuedMail};
pub use people::address::{Address, InvalidAddress};
pub use people::admission::Admission;
pub use people::change_address::{ChangeAddress, ChangeAddressError};
pub use people::manage_users::{ManageUsers, ManageUsersError, Taken, UserChange, Wanted};
pub use people::password::{NewPassword, PasswordRefused, StoredPassword, Verdict};
pub use people::register::{Application, Register, RegisterError};
pub use people::reset_password::{ResetPassword, ResetPasswordError};
pub use people::role::{Role, UnknownRole};
pub use people::user::{InvalidName, InvalidUsername, Login, NewUser, PersonName, User, Username};
pub use policy::{AccountPolicy, SignInPolicy};
pub use sessions::manage_sessions::{NotRecent, Sessions, SessionsError, Standing, Visitor};
pub use sessions::session::{NewSession, PresentedSession, Session, SessionLife};
pub use sessions::sign_in::{ProvenBy, SignIn, SignInError, SignedIn};

pub use factors::totp::{NewTotp, StoredTotp};
pub use tokens::manage_tokens::{
    AuthenticateError, CreateTokenError, CreatedToken, Tokens, TokensError,
};
pub use tokens::token::{
    ApiToken, InvalidToken, InvalidTokenName, NewApiToken, OwnedToken, PresentedToken, StoredHash,
    TokensOnReset, WantedToken,
};
