//! The page of what may be wrong with the installation.

use std::sync::Arc;

use poem::web::Data;
use poem::{Request, Response, handler};
use waggle_console::ChecksPage;

use super::{draw, shown};
use crate::checks;
use crate::use_cases::UseCases;

/// The checks, which are made for this request.
#[handler]
pub(crate) async fn show_checks(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |_, shell| {
        draw(&ChecksPage { shell, checks: checks::run(&app, request).await })
    })
    .await
}
