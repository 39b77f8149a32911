//! The page that shows the API document. It works offline.
//!
//! Script and style come from the Swagger UI that the framework includes. They are served as files,
//! so that the page needs no inline script.

use hyper::body::Bytes;
use poem::endpoint::make_sync;
use poem::{Endpoint, Response, Route, get};

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Waggle API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<script src="/docs/swagger-ui.js"></script>
<script type="module" src="/docs/start.js"></script>
</head>
<body>
<noscript>
<p>This page needs JavaScript. The document is at <a href="/openapi.json">/openapi.json</a>.</p>
</noscript>
<div id="ui"></div>
</body>
</html>
"#;

const START: &str = r##"SwaggerUIBundle({ dom_id: "#ui", url: "/openapi.json", deepLinking: true });
"##;

/// The page and its files. `framework` is the page of the framework, from which script and style
/// are taken.
pub(crate) fn routes(framework: &str) -> Route {
    let style = between(framework, "<style charset=\"UTF-8\">", "</style>");
    let script = between(framework, "<script charset=\"UTF-8\">", "</script>");
    Route::new()
        .at("/", get(fixed("text/html; charset=utf-8", PAGE.to_owned())))
        .at("/start.js", get(fixed("text/javascript", START.to_owned())))
        .at("/swagger-ui.css", get(fixed("text/css", style.to_owned())))
        .at("/swagger-ui.js", get(fixed("text/javascript", script.to_owned())))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split_once(end)).map(|(inner, _)| inner).unwrap_or_default()
}

/// A response that is always the same. All requests share its bytes.
pub(crate) fn fixed(content_type: &'static str, text: String) -> impl Endpoint<Output = Response> {
    let bytes = Bytes::from(text);
    make_sync(move |_| Response::builder().content_type(content_type).body(bytes.clone()))
}
