//! Errors of authentication and access control.

use poem::http::StatusCode;
use waggle_accounts::NotRecent;
use waggle_kernel::{PortError, Scope};

use super::pace::TooFast;
use super::problem::Problem;

/// Why a caller is rejected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallerRefused {
    #[error(
        "authentication is required: send an API token as 'Authorization: Bearer wgl_...' or as \
         the password of HTTP Basic, or sign in"
    )]
    Missing,
    /// The `Authorization` header has a token without a scheme.
    #[error(
        "the API token must be sent as 'Authorization: Bearer wgl_...': the word Bearer is missing"
    )]
    NoScheme,
    #[error(
        "the API token was sent as the user name; it must be the password of HTTP Basic, with any \
         user name"
    )]
    AsUserName,
    #[error("the API token is wrong, expired or revoked")]
    Wrong,
    #[error("the session has ended; sign in again")]
    NoSession,
    #[error("this operation is for signed-in users, not for API tokens")]
    NoPerson,
    #[error("your second factor is required: send it to /api/v1/auth/second-factor")]
    NeedsFactor,
    #[error("admins must have a second factor: set one up first, at /api/v1/me/second-factor")]
    NeedsSetup,
    /// Another site may have caused the browser to send this request.
    #[error("this request was not sent by a page of Waggle")]
    CrossSite,
    #[error("this operation needs the scope '{0}', which the API token or the role does not have")]
    Scope(Scope),
    /// The user did not authenticate recently.
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    /// The rate limit of the API token was exceeded.
    #[error(transparent)]
    TooFast(#[from] TooFast),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<CallerRefused> for Problem {
    fn from(refused: CallerRefused) -> Self {
        let detail = refused.to_string();
        match refused {
            CallerRefused::Missing
            | CallerRefused::NoScheme
            | CallerRefused::AsUserName
            | CallerRefused::Wrong
            | CallerRefused::NoSession => Self::new(StatusCode::UNAUTHORIZED, detail),
            CallerRefused::Scope(_) | CallerRefused::NoPerson | CallerRefused::CrossSite => {
                Self::new(StatusCode::FORBIDDEN, detail)
            }
            CallerRefused::NeedsFactor => needs(detail, "second_factor"),
            CallerRefused::NeedsSetup => needs(detail, "second_factor_setup"),
            CallerRefused::NotRecent(error) => error.into(),
            CallerRefused::TooFast(error) => error.into(),
            CallerRefused::Port(error) => error.into(),
        }
    }
}

fn needs(detail: String, what: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail).with("needs", what.into())
}
