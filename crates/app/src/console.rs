//! The pages of the console: who may see them, what they read, and their files.

mod account;
mod admin;
mod checks;
mod google;
mod help;
mod home;
mod notifications;
mod old;
mod publishing;
mod query;
mod review;
mod set_up;
mod sources;

pub(crate) use account::show_account;
pub(crate) use admin::{show_audit, show_settings, show_settings_history, show_tokens, show_users};
pub(crate) use checks::show_checks;
pub(crate) use google::back_from_google;
pub(crate) use help::show_help;
pub(crate) use home::show_home;
pub(crate) use notifications::show_notifications;
pub(crate) use old::with_old_addresses;
pub(crate) use publishing::{show_post, show_posts, show_publishing, show_sandbox};
pub(crate) use review::{show_batch, show_batches, show_review, show_tweet};
pub(crate) use set_up::show_setup;
pub(crate) use sources::show_sources;

use poem::http::{Method, StatusCode, header};
use poem::web::Path;
use poem::{IntoResponse as _, Request, Response, handler};
use waggle_accounts::Visitor;
use waggle_console::{DrawError, MessagePage, Page, Section, Shell};
use waggle_content::Platform;
use waggle_kernel::{Actor, Scope};

use crate::http::{CallerRefused, FixedFile, Problem, is_page_path, viewer};
use crate::use_cases::UseCases;

/// A file of the pages, which never changes under its path.
#[handler]
pub(crate) fn send_asset(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = waggle_console::asset(&hash, &name) else {
        return Problem::not_found("there is no such file").into_response();
    };
    Response::builder()
        .content_type(asset.content_type)
        .header(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
        .extension(FixedFile(asset.name))
        .body(asset.text)
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
    shown_to(app, request, |visitor, shell| page(visitor.user.actor(), shell)).await
}

/// The same, for a page that needs the session of the user.
async fn shown_to<F>(
    app: &UseCases,
    request: &Request,
    page: impl FnOnce(Visitor, Shell) -> F + Send,
) -> Response
where
    F: Future<Output = Result<Response, Problem>> + Send,
{
    let section = match request.uri().path() {
        "/" => Section::Home,
        "/review" => Section::Review,
        "/batches" => Section::Batches,
        "/sources" => Section::Sources,
        "/posts" => Section::Posts,
        "/publishing" => Section::Publishing,
        "/sandbox" => Section::Sandbox,
        "/notifications" => Section::Notifications,
        "/tokens" => Section::Tokens,
        "/settings" | "/settings/history" => Section::Settings,
        "/users" => Section::Users,
        "/audit" => Section::Audit,
        "/checks" => Section::Checks,
        _ => Section::Other,
    };
    let (visitor, _) = match viewer(app, request).await {
        Ok(viewer) => viewer,
        Err(
            CallerRefused::Missing
            | CallerRefused::NoSession
            | CallerRefused::NeedsFactor
            | CallerRefused::NeedsSetup,
        ) => return to_sign_in(request),
        Err(refused) => {
            let shell = Shell::of_visitor(section);
            return match refused {
                CallerRefused::Scope(Scope::Admin) => {
                    let detail = "this page is for admins; ask one of them to give you that role";
                    told(shell, &Problem::new(StatusCode::FORBIDDEN, detail))
                }
                refused => told(shell, &refused.into()),
            };
        }
    };
    let shell = shell_of(app, &visitor, section).await;
    match page(visitor, shell.clone()).await {
        Ok(response) => response,
        Err(problem) => told(shell, &problem),
    }
}

/// What surrounds the pages of a user.
async fn shell_of(app: &UseCases, visitor: &Visitor, section: Section) -> Shell {
    let actor = visitor.user.actor();
    // A page is shown also if this cannot be read now; then the page itself says so.
    let (needs_person, unread) =
        tokio::join!(app.posts.needs_person(&actor), app.notifications.count_unread(&actor));
    Shell {
        user: visitor.user.username.to_string(),
        scopes: actor.scopes(),
        zone: app.zone_of(&visitor.user),
        section,
        is_sandbox_only: !app.connections.is_connected(Platform::X),
        needs_person: needs_person.unwrap_or_default(),
        unread: unread.unwrap_or_default(),
        after_approval: visitor.user.after_approval,
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

/// Answers every path that nothing else does: people get a page, programs a problem. A page that
/// was asked for with a final slash is at the path without it.
#[handler]
pub(crate) fn show_missing(request: &Request) -> Response {
    let problem = Problem::not_found("there is no such path");
    let is_page = request.header("accept").is_some_and(|accept| accept.contains("text/html"));
    if !is_page || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return problem.into_response();
    }
    let path = request.uri().path();
    if let Some(page) = path.strip_suffix('/').filter(|page| is_page_path(page)) {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        return Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(header::LOCATION, format!("{page}{query}"))
            .finish();
    }
    told(Shell::of_visitor(Section::Other), &problem)
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
