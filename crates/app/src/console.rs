//! The pages of the console: who may see them, what they read, and their files.

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::web::{Data, Path};
use poem::{IntoResponse as _, Request, Response, handler};
use waggle_console::{
    BatchPage, BatchesPage, DrawError, MessagePage, Page, ReviewPage, Section, Shell, TweetPage,
};
use waggle_content::Platform;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId};
use waggle_kernel::{Actor, Direction, Limit, PageRequest, Scopes};
use waggle_twitter_n8n::{BatchFilter, TweetFilter};

use crate::http::{CallerRefused, Problem, viewer};
use crate::use_cases::UseCases;

/// What waits for a decision, oldest first.
#[handler]
pub(crate) async fn show_review(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let page = page(request)?;
        let filter = TweetFilter { waiting: Some(true), ..TweetFilter::default() };
        let found = app.review.list(&actor, &filter, Direction::Ascending, page).await?;
        let mut batches: Vec<CampaignBatchId> =
            found.items.iter().map(|tweet| tweet.view().batch).collect();
        batches.dedup();
        let batches = app.batches.find_many(&actor, &batches).await?;
        let next = found.next.map(|cursor| cursor.to_string());
        draw(&ReviewPage::new(shell, &found.items, &batches, next, page.after.is_none()))
    })
    .await
}

/// The batches, newest first.
#[handler]
pub(crate) async fn show_batches(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let page = page(request)?;
        let (all, newest) = (BatchFilter::default(), Direction::Descending);
        let found = app.batches.list(&actor, &all, newest, page).await?;
        let next = found.next.map(|cursor| cursor.to_string());
        draw(&BatchesPage::new(shell, &found.items, next, page.after.is_none()))
    })
    .await
}

/// A batch with its tweets.
#[handler]
pub(crate) async fn show_batch(
    request: &Request,
    app: Data<&Arc<UseCases>>,
    id: Path<String>,
) -> Response {
    shown(&app, request, async |actor, shell| {
        let id = id.parse().map_err(|_| Problem::not_found("there is no such campaign batch"))?;
        let (id, page) = (CampaignBatchId::new(id), page(request)?);
        let (batch, sources) = app.batches.find(&actor, id).await?;
        let filter = TweetFilter { batch: Some(id), ..TweetFilter::default() };
        let found = app.review.list(&actor, &filter, Direction::Ascending, page).await?;
        let next = found.next.map(|cursor| cursor.to_string());
        let is_first = page.after.is_none();
        draw(&BatchPage::new(shell, (&batch, sources), &found.items, next, is_first))
    })
    .await
}

/// A generated tweet with its history.
#[handler]
pub(crate) async fn show_tweet(
    request: &Request,
    app: Data<&Arc<UseCases>>,
    id: Path<String>,
) -> Response {
    shown(&app, request, async |actor, shell| {
        let id = id.parse().map_err(|_| Problem::not_found("there is no such generated tweet"))?;
        let id = GeneratedTweetId::new(id);
        let tweet = app.review.find(&actor, id).await?;
        let newest = PageRequest::first(Limit::DEFAULT);
        let history = app.review.history(&actor, id, newest).await?;
        draw(&TweetPage::new(shell, &tweet, history.items))
    })
    .await
}

/// A file of the pages, which never changes under its path.
#[handler]
pub(crate) fn send_asset(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = waggle_console::asset(&hash, &name) else {
        return Problem::not_found("there is no such file").into_response();
    };
    Response::builder()
        .content_type(asset.content_type)
        .header(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
        .body(asset.text)
}

/// The page of a list that the query parameter `cursor` selects.
fn page(request: &Request) -> Result<PageRequest, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let cursor = pairs.find(|(name, _)| name == "cursor").map(|(_, value)| value.parse());
    let after = cursor.transpose().map_err(|error| Problem::invalid(format!("cursor: {error}")))?;
    Ok(PageRequest { limit: Limit::DEFAULT, after })
}

/// Shows a page to a signed-in user who may see it. Others are led to the sign-in, or told which
/// right they lack.
async fn shown<F>(
    app: &UseCases,
    request: &Request,
    page: impl FnOnce(Actor, Shell) -> F + Send,
) -> Response
where
    F: Future<Output = Result<Response, Problem>> + Send,
{
    let section = match request.uri().path() {
        "/review" => Section::Review,
        "/batches" => Section::Batches,
        _ => Section::Other,
    };
    let is_sandbox_only = !app.connections.is_connected(Platform::X);
    let shell = |user: String, scopes| Shell { user, scopes, section, is_sandbox_only };
    let (visitor, actor) = match viewer(app, request).await {
        Ok(viewer) => viewer,
        Err(
            CallerRefused::Missing
            | CallerRefused::NoSession
            | CallerRefused::NeedsFactor
            | CallerRefused::NeedsSetup,
        ) => return to_sign_in(request),
        Err(refused) => return told(shell(String::new(), Scopes::NONE), &refused.into()),
    };
    let shell = shell(visitor.user.username.to_string(), visitor.user.effective_role().scopes());
    match page(actor, shell.clone()).await {
        Ok(response) => response,
        Err(problem) => told(shell, &problem),
    }
}

/// Leads to the sign-in, and back from there.
fn to_sign_in(request: &Request) -> Response {
    let here = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let here: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
    Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, format!("/account?return_to={here}"))
        .finish()
}

/// A page that tells a problem.
fn told(shell: Shell, problem: &Problem) -> Response {
    let status = problem.status();
    let title = match status {
        StatusCode::FORBIDDEN => "You may not see this page",
        StatusCode::NOT_FOUND => "There is no such page",
        StatusCode::UNPROCESSABLE_ENTITY => "This address is not valid",
        _ => "This did not work",
    };
    let (text, request_id) = (problem.detail().to_owned(), Problem::request_id());
    let page = draw(&MessagePage { shell, title, text, request_id });
    page.map_or_else(Problem::into_response, |mut response| {
        response.set_status(status);
        response
    })
}

fn draw(page: &impl Page) -> Result<Response, Problem> {
    let body = page.render()?;
    Ok(Response::builder().content_type("text/html; charset=utf-8").body(body))
}

impl From<DrawError> for Problem {
    fn from(_: DrawError) -> Self {
        Self::internal()
    }
}
