//! The page on which the first admin is created.

use std::sync::Arc;

use poem::web::Data;
use poem::{IntoResponse as _, Response, handler};
use waggle_console::SetupPage;

use super::draw;
use crate::http::Problem;
use crate::use_cases::UseCases;

/// The page, which is the same for every visitor. It says so once there are users.
#[handler]
pub(crate) async fn show_setup(app: Data<&Arc<UseCases>>) -> Response {
    let shown = async {
        let is_open = app.people.set_up.is_open().await?;
        draw(&SetupPage { is_open })
    };
    shown.await.unwrap_or_else(Problem::into_response)
}
