//! Why a caller is refused.

use poem::http::StatusCode;
use waggle_accounts::NotRecent;
use waggle_kernel::{PortError, Scope};

use super::pace::TooFast;
use super::problem::Problem;

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallerRefused {
    /// There is no token.
    #[error(
        "an API token is needed, as 'Authorization: Bearer wgl_...' or as the password of HTTP \
         Basic, or a session"
    )]
    Missing,
    /// There is one that is not sent as one.
    #[error(
        "the API token has to be sent as 'Authorization: Bearer wgl_...': the word Bearer is \
         missing"
    )]
    NoScheme,
    /// The token is where the user name belongs.
    #[error(
        "the API token has to be the password of HTTP Basic, and it is the user name: any user \
         name will do"
    )]
    AsUserName,
    /// There is one that opens nothing.
    #[error("the API token is wrong, expired or revoked")]
    Wrong,
    /// The session has ended.
    #[error("the session has ended; sign in again")]
    NoSession,
    /// A program asks for what is a person's.
    #[error("this is for people who are signed in, not for API tokens")]
    NoPerson,
    /// The second factor was not shown yet.
    #[error("your second factor is still to be shown, at /api/v1/auth/second-factor")]
    NeedsFactor,
    /// There is none, and admins need one.
    #[error("admins need a second factor here: set one up first, at /api/v1/me/second-factor")]
    NeedsSetup,
    /// Another site may have made the browser send this.
    #[error("this request does not come from a page of Waggle")]
    CrossSite,
    /// The token or the role is for something else.
    #[error("this needs the scope '{0}', which the API token or the role does not have")]
    Scope(Scope),
    /// It is long ago that somebody proved who they are.
    #[error(transparent)]
    NotRecent(#[from] NotRecent),
    /// There were too many calls with the token.
    #[error(transparent)]
    TooFast(#[from] TooFast),
    /// Nobody could tell.
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
