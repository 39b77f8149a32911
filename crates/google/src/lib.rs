//! Signing in with Google: OpenID Connect's authorization code flow, with PKCE.
//!
//! What of a token is checked stands in <https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>.

mod http;
mod provider;

pub use provider::{Google, Registration};
