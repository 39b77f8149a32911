//! The sandbox's timeline over HTTP, where posts appear while no account is connected.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use tracing::error;

use super::query::page;
use super::tag::Tag;
use crate::http::{Caller, Failure, Problem};
use crate::use_cases::UseCases;

/// A post on the sandbox's timeline.
#[derive(Object)]
#[oai(rename = "SandboxPost")]
struct SandboxPostView {
    id: String,
    /// The key that distinguishes the post from others.
    key: String,
    text: String,
    /// When the post arrived.
    at: DateTime<Utc>,
}

/// The sandbox's timeline, newest first.
#[derive(Object)]
struct Timeline {
    items: Vec<SandboxPostView>,
}

pub(crate) struct SandboxApi;

#[OpenApi(tag = "Tag::Sandbox")]
impl SandboxApi {
    /// List the posts on the sandbox's timeline, newest first.
    ///
    /// Scope: `read`. These posts exist only on this machine. They were never on X.
    #[oai(path = "/sandbox/timeline", method = "get", operation_id = "show_sandbox_timeline")]
    async fn show_sandbox_timeline(
        &self,
        _caller: Caller,
        app: Data<&Arc<UseCases>>,
        limit: Query<Option<u16>>,
    ) -> Result<Json<Timeline>, Failure> {
        let most = page(limit.0, None)?.limit.rows();
        let posts =
            app.connections.sandbox().timeline(usize::from(most)).await.map_err(|problem| {
                error!(error = %problem, "the sandbox's timeline cannot be read");
                Problem::internal()
            })?;
        let view = |post: waggle_platforms::SandboxPost| SandboxPostView {
            id: post.id,
            key: post.key,
            text: post.text,
            at: post.at,
        };
        Ok(Json(Timeline { items: posts.into_iter().map(view).collect() }))
    }
}
