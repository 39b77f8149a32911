//! Authentication and authorization: users with their sessions and roles, API tokens, second
//! factors, and the audit log of auth events.
//!
//! A token is shown once, when it is created; only its SHA-256 hash is stored. It has the form
//! `wgl_<12 hexadecimal digits>_<43 characters of base64url>`. The first part identifies the token,
//! the second is the secret.
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
//!
//! Use cases take their ports as `Arc<dyn ...>`. With the feature `testing`, each port has a mock:
//!
//! ```
//! # #[cfg(feature = "testing")]
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! use std::sync::Arc;
//! use secrecy::ExposeSecret as _;
//! use waggle_accounts::ports::MockTokenRepository;
//! use waggle_accounts::{Client, Tokens, WantedToken};
//! use waggle_kernel::ids::TokenId;
//! use waggle_kernel::{Actor, FixedClock, MockEntropy, MockLimits, Scope, Scopes};
//!
//! let mut repository = MockTokenRepository::new();
//! repository.expect_insert().returning(|_, _| Ok(TokenId::new(1)));
//! let mut entropy = MockEntropy::new();
//! entropy.expect_bytes().returning(|| Ok([7; 32]));
//! let tokens = Tokens {
//!     tokens: Arc::new(repository),
//!     limits: Arc::new(MockLimits::new()),
//!     clock: Arc::new(FixedClock::noon()),
//!     entropy: Arc::new(entropy),
//! };
//! let scopes = Scopes::of(&[Scope::Ingest]);
//! let wanted = WantedToken { name: "n8n".into(), owner: None, scopes, expires_at: None };
//!
//! let created = tokens.create(&Actor::system(), &wanted, &Client::default()).await?;
//!
//! assert!(created.secret.expose_secret().starts_with("wgl_"));
//! # Ok::<(), waggle_accounts::CreateTokenError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod auth_event;
mod codes;
mod factors;
mod google;
mod limits;
mod mails;
mod people;
mod policy;
pub mod ports;
mod sessions;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tokens;

pub use auth_event::{ACCOUNT, AuthEvent, AuthEventFilter, Client, EventKind, NewAuthEvent};
pub use codes::code::{
    CODE_LIFE, Code, CodeLength, Flow, Intent, InvalidCode, Link, MOST_TRIES, NewVerification,
    Purpose, Registration, SetupToken, Verification,
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
pub use limits::{LIMITS, LimitTable, NamedLimit, network};
pub use mails::deliver_mail::{DeliverMail, Delivered};
pub use mails::mail::{Letter, Mail, MailFailure, MatterLine, NewMail, Proof, QueuedMail};
pub use people::address::{Address, InvalidAddress};
pub use people::admission::Admission;
pub use people::change_address::{ChangeAddress, ChangeAddressError};
pub use people::manage_users::{
    ManageUsers, ManageUsersError, OwnChange, Taken, UserChange, Wanted,
};
pub use people::password::{NewPassword, PasswordRefused, StoredPassword, Verdict};
pub use people::register::{Application, Register, RegisterError};
pub use people::reset_password::{ResetPassword, ResetPasswordError};
pub use people::role::Role;
pub use people::set_up::{FirstAdmin, SetUp, SetUpError};
pub use people::setup_link::{SETUP_LINK_LIFE, SetUpEnded, SetupLink};
pub use people::user::{
    AfterApproval, InvalidName, InvalidUsername, Login, NewUser, PersonName, User, Username,
};
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
