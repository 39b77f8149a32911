//! Checks of the installation over HTTP.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use waggle_console::{Check, CheckState};

use super::tag::Tag;
use crate::checks;
use crate::http::{Failure, SignedIn};
use crate::use_cases::UseCases;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "CheckState", rename_all = "snake_case")]
enum CheckStateView {
    Ok,
    /// It works, but not as it should.
    Warning,
    /// It does not work, or is dangerous.
    Failed,
}

/// Something that was checked.
#[derive(Object)]
#[oai(rename = "Check")]
struct CheckView {
    /// What was checked.
    title: String,
    state: CheckStateView,
    /// What was found, with code in backticks.
    found: String,
    /// What to do about it, or what to keep in mind. Empty if there is nothing.
    remedy: String,
}

impl From<Check> for CheckView {
    fn from(check: Check) -> Self {
        Self {
            title: check.title.to_owned(),
            state: match check.state {
                CheckState::Ok => CheckStateView::Ok,
                CheckState::Warning => CheckStateView::Warning,
                CheckState::Failed => CheckStateView::Failed,
            },
            found: check.found,
            remedy: check.remedy,
        }
    }
}

/// The checks.
#[derive(Object)]
struct CheckList {
    items: Vec<CheckView>,
}

pub(crate) struct ChecksApi;

#[OpenApi(tag = "Tag::Settings")]
impl ChecksApi {
    /// Check the installation.
    ///
    /// For admins who are signed in. The checks of the address, the proxy and the session cookie
    /// are about the way that this request took.
    #[oai(path = "/checks", method = "get", operation_id = "list_checks")]
    async fn list_checks(
        &self,
        _admin: SignedIn,
        request: &Request,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<CheckList>, Failure> {
        let items = checks::run(&app, request).await.into_iter().map(Into::into).collect();
        Ok(Json(CheckList { items }))
    }
}
