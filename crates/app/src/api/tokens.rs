//! API tokens over HTTP: users create tokens that act in their name, and admins see all tokens.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::Request;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use secrecy::ExposeSecret as _;
use waggle_accounts::{CreateTokenError, OwnedToken, TokensError, WantedToken};
use waggle_kernel::Scope;
use waggle_kernel::ids::UserId;

use super::done::Done;
use super::name::Name;
use super::tag::Tag;
use crate::http::{Failure, Problem, SignedIn, client};
use crate::use_cases::UseCases;

/// An API token, without its secret text.
#[derive(Object)]
#[oai(rename = "ApiToken")]
struct TokenView {
    /// The twelve hexadecimal digits after `wgl_` in the text of the token.
    id: String,
    name: String,
    /// The owner of the token. Null for tokens of the operator.
    user_id: Option<i64>,
    username: Option<String>,
    /// The scopes of the token. It can only use those that its owner has as well.
    scopes: Vec<Name<Scope>>,
    /// The scopes that have no effect, because the owner's role does not include them.
    unusable_scopes: Vec<Name<Scope>>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    /// When the token was last used, to the minute.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<OwnedToken> for TokenView {
    fn from(owned: OwnedToken) -> Self {
        let unusable_scopes = owned.unusable_scopes().into_iter().map(Into::into).collect();
        let OwnedToken { token, owner } = owned;
        Self {
            username: owner.map(|owner| owner.username.as_str().to_owned()),
            unusable_scopes,
            id: token.public_id,
            name: token.name,
            user_id: token.owner.map(UserId::number),
            scopes: token.scopes.iter().map(Into::into).collect(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// API tokens, oldest first.
#[derive(Object)]
struct TokenList {
    items: Vec<TokenView>,
}

/// A token to create.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewTokenBody {
    /// What the token is for.
    name: String,
    /// The scopes of the token. You must have all of them yourself.
    scopes: Vec<Name<Scope>>,
    /// When the token expires.
    expires_at: Option<DateTime<Utc>>,
}

/// A token that was created.
#[derive(Object)]
struct CreatedTokenView {
    id: String,
    name: String,
    scopes: Vec<Name<Scope>>,
    expires_at: Option<DateTime<Utc>>,
    /// The text of the token. It is shown only once.
    token: String,
}

pub(crate) struct TokensApi;

#[OpenApi(tag = "Tag::Accounts")]
impl TokensApi {
    /// List your API tokens, oldest first.
    ///
    /// For people who are signed in.
    #[oai(path = "/tokens", method = "get", operation_id = "list_tokens")]
    async fn list_tokens(
        &self,
        person: SignedIn,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<TokenList>, Failure> {
        let own = app.people.tokens.list_own(&person.visitor).await?;
        Ok(Json(TokenList { items: own.into_iter().map(Into::into).collect() }))
    }

    /// Create an API token.
    ///
    /// For people who are signed in and proved who they are a short while ago. The token acts in
    /// your name. It can never do more than you can, even if your role changes later. You are
    /// notified by email.
    #[oai(path = "/tokens", method = "post", operation_id = "create_token")]
    async fn create_token(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        body: Json<NewTokenBody>,
    ) -> Result<Json<CreatedTokenView>, Failure<401>> {
        let wanted = WantedToken {
            name: body.0.name,
            owner: None,
            scopes: body.0.scopes.into_iter().map(|scope| scope.0).collect(),
            expires_at: body.0.expires_at,
        };
        let (from, policy) = (client(&app, request), app.policy());
        let created =
            app.people.tokens.create_own(&person.visitor, &wanted, &from, &policy).await?;
        Ok(Json(CreatedTokenView {
            id: created.token.public_id,
            name: created.token.name,
            scopes: created.token.scopes.iter().map(Into::into).collect(),
            expires_at: created.token.expires_at,
            token: created.secret.expose_secret().to_owned(),
        }))
    }

    /// Revoke one of your API tokens.
    ///
    /// For people who are signed in. The token stops working at once.
    #[oai(path = "/tokens/:id", method = "delete", operation_id = "revoke_token")]
    async fn revoke_token(
        &self,
        person: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        id: Path<String>,
    ) -> Result<Json<Done>, Failure<404>> {
        app.people.tokens.revoke_own(&person.visitor, &id.0, &client(&app, request)).await?;
        Ok(Json(Done { message: "the token was revoked".to_owned() }))
    }

    /// List all API tokens, oldest first.
    ///
    /// For admins who are signed in.
    #[oai(path = "/users/tokens", method = "get", operation_id = "list_all_tokens")]
    async fn list_all_tokens(
        &self,
        admin: SignedIn,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<TokenList>, Failure> {
        let all = app.people.tokens.list(&admin.visitor.user.actor()).await?;
        Ok(Json(TokenList { items: all.into_iter().map(Into::into).collect() }))
    }

    /// Revoke any API token.
    ///
    /// For admins who are signed in and proved who they are a short while ago. The token stops
    /// working at once.
    #[oai(path = "/users/tokens/:id", method = "delete", operation_id = "revoke_any_token")]
    async fn revoke_any_token(
        &self,
        admin: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        id: Path<String>,
    ) -> Result<Json<Done>, Failure<404>> {
        let (actor, from) = (admin.visitor.user.actor(), client(&app, request));
        app.people.tokens.revoke(&actor, &id.0, &from).await?;
        Ok(Json(Done { message: "the token was revoked".to_owned() }))
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
