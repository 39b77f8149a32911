//! The page that explains the console.

use std::sync::Arc;

use poem::web::Data;
use poem::{Request, Response, handler};
use waggle_console::HelpPage;

use super::{draw, shown};
use crate::use_cases::UseCases;

/// Keys, states, and the addresses for workflows.
#[handler]
pub(crate) async fn show_help(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |_, shell| {
        let values = app.settings.values();
        let public = values.public_url.as_ref().map(|url| url.url().as_str().to_owned());
        let home = public
            .unwrap_or_else(|| format!("http://{}", request.header("host").unwrap_or("localhost")));
        draw(&HelpPage { shell, home: home.trim_end_matches('/').to_owned() })
    })
    .await
}
