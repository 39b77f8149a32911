//! The first page.

use std::sync::Arc;

use poem::web::Data;
use poem::{Request, Response, handler};
use tokio::try_join;
use waggle_console::{HomePage, PostsWith, SetupState};
use waggle_content::Platform;
use waggle_kernel::{Direction, Limit, PageRequest, Scope};
use waggle_twitter_n8n::{BatchFilter, Deleted, TweetFilter};

use super::{draw, shown_to};
use crate::http::Problem;
use crate::use_cases::UseCases;

/// How many batches and posts the page shows.
const FEW: Option<Limit> = Limit::new(5);

/// What waits, what goes out, and for admins what is left to set up.
#[handler]
pub(crate) async fn show_home(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown_to(&app, request, async |visitor, shell| {
        let (actor, few) = (visitor.user.actor(), FEW.unwrap_or(Limit::DEFAULT));
        let filter = TweetFilter { waiting: Some(true), ..TweetFilter::default() };
        let first = PageRequest::first(Limit::DEFAULT);
        // A sample batch that was deleted would not come back.
        let with_deleted = BatchFilter { deleted: Deleted::With, ..BatchFilter::default() };
        let list = async |filter: BatchFilter| {
            let (newest, first) = (Direction::Descending, PageRequest::first(few));
            Ok::<_, Problem>(app.batches.list(&actor, &filter, newest, first).await?.items)
        };
        let (waiting, batches, ever, backlog, upcoming) = try_join!(
            async { Ok(app.review.list(&actor, &filter, Direction::Ascending, first).await?) },
            list(BatchFilter::default()),
            list(with_deleted),
            async { Ok(app.posts.backlog(&actor).await?) },
            async { Ok(app.posts.upcoming(&actor, few).await?) },
        )?;
        let values = app.settings.values();
        let setup = actor.require(Scope::Admin).is_ok().then(|| SetupState {
            has_second_factor: visitor.user.has_second_factor,
            has_address: values.public_url.is_some(),
            has_domain: !values.allowed_domain.0.is_empty()
                || !values.domain_restriction_enabled.is_on(),
            has_mail: values.email_host.is_some() || values.email_host_user.is_some(),
            has_batch: batches.iter().any(|batch| !batch.is_sample()),
            has_x: app.connections.is_connected(Platform::X),
        });
        let waiting = (waiting.items.len(), waiting.next.is_some());
        let upcoming = PostsWith { posts: &upcoming, ..PostsWith::default() };
        let batches = (&*batches, ever.is_empty());
        draw(&HomePage::new(shell, waiting, backlog, upcoming, batches, setup))
    })
    .await
}
