//! Signing in with Google, using the authorization code flow of OpenID Connect with PKCE.
//!
//! ID tokens are validated as described in
//! <https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>.

mod http;
mod provider;

pub use provider::{Google, Registration};
