//! What goes wrong at the door, for the caller.

use poem::http::StatusCode;
use serde_json::json;
use tracing::error;
use waggle_accounts::ports::PasskeyError;
use waggle_accounts::{
    ChangeAddressError, CodeError, CreateTokenError, GoogleError, IdentityError, ManageUsersError,
    NotRecent, PasskeysError, RegisterError, ResetPasswordError, SecondFactorError, SessionsError,
    SignInError, TokensError,
};
use waggle_kernel::error_chain;

use super::Problem;
use crate::api::user_json;

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        let detail = error.to_string();
        match error {
            SignInError::Refused => Self::new(StatusCode::UNAUTHORIZED, detail),
            SignInError::NoPassword => Self::new(StatusCode::FORBIDDEN, detail),
            SignInError::NeedsFactor => {
                Self::new(StatusCode::FORBIDDEN, detail).with("needs", json!("second_factor"))
            }
            SignInError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            SignInError::Port(error) => error.into(),
        }
    }
}

impl From<SessionsError> for Problem {
    fn from(error: SessionsError) -> Self {
        let detail = error.to_string();
        match error {
            SessionsError::Refused => Self::new(StatusCode::UNAUTHORIZED, detail),
            SessionsError::NotFound => Self::not_found(detail),
            SessionsError::Port(error) => error.into(),
        }
    }
}

impl From<ManageUsersError> for Problem {
    fn from(error: ManageUsersError) -> Self {
        let detail = error.to_string();
        match error {
            ManageUsersError::Forbidden(error) => error.into(),
            ManageUsersError::NotRecent(error) => error.into(),
            ManageUsersError::NotFound => Self::not_found(detail),
            ManageUsersError::Address(_)
            | ManageUsersError::Username(_)
            | ManageUsersError::Name(_)
            | ManageUsersError::Password(_) => Self::invalid(detail),
            ManageUsersError::WrongPassword
            | ManageUsersError::Own
            | ManageUsersError::ForeignDomain => Self::new(StatusCode::FORBIDDEN, detail),
            ManageUsersError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            ManageUsersError::Taken(_) | ManageUsersError::LastAdmin => Self::conflict(detail),
            ManageUsersError::Stale { current } => {
                Self::conflict(detail).with("current", user_json(&current))
            }
            ManageUsersError::Port(error) => error.into(),
        }
    }
}

impl From<NotRecent> for Problem {
    fn from(error: NotRecent) -> Self {
        Self::new(StatusCode::FORBIDDEN, error.to_string())
            .with("needs", json!("recent_authentication"))
    }
}

impl From<SecondFactorError> for Problem {
    fn from(error: SecondFactorError) -> Self {
        let detail = error.to_string();
        match error {
            SecondFactorError::Forbidden(error) => error.into(),
            SecondFactorError::NotRecent(error) => error.into(),
            SecondFactorError::IsOn
            | SecondFactorError::NotBegun
            | SecondFactorError::Unreadable => Self::conflict(detail),
            SecondFactorError::Own | SecondFactorError::Refused => {
                Self::new(StatusCode::FORBIDDEN, detail)
            }
            SecondFactorError::Limited(exhausted)
            | SecondFactorError::TooManyChanges(exhausted) => Self::too_often(detail, &exhausted),
            SecondFactorError::Port(error) => error.into(),
        }
    }
}

impl From<PasskeysError> for Problem {
    fn from(error: PasskeysError) -> Self {
        let detail = error.to_string();
        match error {
            PasskeysError::NotRecent(error) => error.into(),
            PasskeysError::Name(_) => Self::invalid(detail),
            PasskeysError::Ended => Self::new(StatusCode::UNAUTHORIZED, detail),
            PasskeysError::TooMany
            | PasskeysError::Taken
            | PasskeysError::Passkey(PasskeyError::NotSetUp | PasskeyError::None) => {
                Self::conflict(detail)
            }
            PasskeysError::Stale
            | PasskeysError::Passkey(PasskeyError::Refused(_) | PasskeyError::Cloned) => {
                Self::new(StatusCode::FORBIDDEN, detail)
            }
            PasskeysError::Factor(error) => error.into(),
            PasskeysError::Passkey(PasskeyError::Port(error)) | PasskeysError::Port(error) => {
                error.into()
            }
        }
    }
}

impl From<CreateTokenError> for Problem {
    fn from(error: CreateTokenError) -> Self {
        let detail = error.to_string();
        match error {
            CreateTokenError::Forbidden(error) => error.into(),
            CreateTokenError::NotRecent(error) => error.into(),
            CreateTokenError::Ended => Self::new(StatusCode::UNAUTHORIZED, detail),
            CreateTokenError::TooMuch(_) => Self::new(StatusCode::FORBIDDEN, detail),
            CreateTokenError::NoScope | CreateTokenError::Expired | CreateTokenError::Name(_) => {
                Self::invalid(detail)
            }
            CreateTokenError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            CreateTokenError::Port(error) => error.into(),
        }
    }
}

impl From<TokensError> for Problem {
    fn from(error: TokensError) -> Self {
        let detail = error.to_string();
        match error {
            TokensError::Forbidden(error) => error.into(),
            TokensError::NotFound => Self::not_found(detail),
            TokensError::Port(error) => error.into(),
        }
    }
}

impl From<CodeError> for Problem {
    fn from(error: CodeError) -> Self {
        let detail = error.to_string();
        match error {
            CodeError::Malformed(_) => Self::invalid(detail),
            CodeError::Refused => Self::new(StatusCode::FORBIDDEN, detail),
            CodeError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            CodeError::Port(error) => error.into(),
        }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        let detail = error.to_string();
        match error {
            RegisterError::Closed | RegisterError::ForeignDomain => {
                Self::new(StatusCode::FORBIDDEN, detail)
            }
            RegisterError::Address(_)
            | RegisterError::Username(_)
            | RegisterError::Name(_)
            | RegisterError::Password(_)
            | RegisterError::NoPassword => Self::invalid(detail),
            RegisterError::NoName => Self::conflict(detail),
            RegisterError::Code(error) => error.into(),
            RegisterError::Port(error) => error.into(),
        }
    }
}

impl From<ResetPasswordError> for Problem {
    fn from(error: ResetPasswordError) -> Self {
        let detail = error.to_string();
        match error {
            ResetPasswordError::Address(_) | ResetPasswordError::Password(_) => {
                Self::invalid(detail)
            }
            ResetPasswordError::Code(error) => error.into(),
            ResetPasswordError::Port(error) => error.into(),
        }
    }
}

impl From<ChangeAddressError> for Problem {
    fn from(error: ChangeAddressError) -> Self {
        let detail = error.to_string();
        match error {
            ChangeAddressError::NotRecent(error) => error.into(),
            ChangeAddressError::Address(_) => Self::invalid(detail),
            ChangeAddressError::ForeignDomain => Self::new(StatusCode::FORBIDDEN, detail),
            ChangeAddressError::Code(error) => error.into(),
            ChangeAddressError::Port(error) => error.into(),
        }
    }
}

impl From<GoogleError> for Problem {
    fn from(error: GoogleError) -> Self {
        let detail = error.to_string();
        match error {
            GoogleError::Identity(IdentityError::NotSetUp) => Self::conflict(detail),
            GoogleError::Identity(IdentityError::Port(error)) | GoogleError::Port(error) => {
                error.into()
            }
            GoogleError::Identity(
                IdentityError::Unreachable(ref cause) | IdentityError::NotTheIssuer(ref cause),
            ) => {
                let cause = error_chain(cause);
                error!(request.id = %Self::request_id(), error = %cause, "a sign-in with Google failed");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            GoogleError::Identity(IdentityError::Unverified | IdentityError::Refused(_))
            | GoogleError::Stale
            | GoogleError::Denied
            | GoogleError::ForeignDomain
            | GoogleError::Refused => Self::new(StatusCode::FORBIDDEN, detail),
            GoogleError::Limited(exhausted) => Self::too_often(detail, &exhausted),
            GoogleError::Code(error) => error.into(),
            GoogleError::Register(error) => error.into(),
        }
    }
}
