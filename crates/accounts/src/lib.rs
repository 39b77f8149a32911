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

mod address;
mod admission;
mod auth_event;
mod budget;
mod change_address;
mod code;
mod codes;
mod deliver_mail;
mod google;
mod google_identity;
mod keys;
mod limits;
mod mail;
mod manage_users;
mod passkey;
mod password;
mod policy;
pub mod ports;
mod register;
mod reset_password;
mod return_to;
mod role;
mod second_factor;
mod session;
mod sessions;
mod sign_in;
mod stored_passkey;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod token;
mod tokens;
mod totp;
mod user;

pub use address::{Address, InvalidAddress};
pub use admission::Admission;
pub use auth_event::{AuthEvent, AuthEventFilter, Client, EventKind, NewAuthEvent};
pub use budget::{Budget, Exhausted};
pub use change_address::{ChangeAddress, ChangeAddressError};
pub use code::{
    CODE_LIFE, Code, CodeLength, Flow, Intent, InvalidCode, Link, MOST_TRIES, NewVerification,
    Purpose, Registration, Verification,
};
pub use codes::{CodeError, Codes, Issued, Presented};
pub use deliver_mail::{DeliverMail, Delivered};
pub use google::{Begun, Callback, Finished, GOOGLE_PATIENCE, GoogleError, GoogleSignIn};
pub use google_identity::{GoogleIdentity, GoogleProfile, IdentityError, SignInSecrets};
pub use keys::{Mark, SealedSecret, ServerKeys};
pub use limits::{LIMITS, LimitTable, NamedLimit, network};
pub use mail::{Letter, Mail, MailFailure, NewMail, Proof, QueuedMail};
pub use manage_users::{ManageUsers, ManageUsersError, Taken, UserChange, Wanted};
pub use passkey::{Passkeys, PasskeysError};
pub use password::{NewPassword, PasswordRefused, StoredPassword, Verdict};
pub use policy::{AccountPolicy, SignInPolicy};
pub use register::{Application, Register, RegisterError};
pub use reset_password::{ResetPassword, ResetPasswordError};
pub use return_to::ReturnTo;
pub use role::{Role, UnknownRole};
pub use second_factor::{FactorState, Resealed, SecondFactor, SecondFactorError};
pub use session::{NewSession, PresentedSession, Session, SessionLife};
pub use sessions::{NotRecent, Sessions, SessionsError, Standing, Visitor};
pub use sign_in::{ProvenBy, SignIn, SignInError, SignedIn};
pub use stored_passkey::{InvalidPasskeyName, NewPasskey, Passkey, PasskeyName};
pub use user::{InvalidName, InvalidUsername, Login, NewUser, PersonName, User, Username};

pub use token::{
    ApiToken, InvalidToken, InvalidTokenName, NewApiToken, OwnedToken, PresentedToken, StoredHash,
    TokensOnReset, WantedToken,
};
pub use tokens::{AuthenticateError, CreateTokenError, CreatedToken, Tokens, TokensError};
pub use totp::{NewTotp, StoredTotp};
