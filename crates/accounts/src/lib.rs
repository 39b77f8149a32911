//! Who acts: API tokens and what they may do.
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

pub mod ports;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod tokens;

pub use token::{
    ApiToken, InvalidToken, InvalidTokenName, NewApiToken, PresentedToken, StoredHash,
};
pub use tokens::{AuthenticateError, CreateTokenError, CreatedToken, Tokens, TokensError};
