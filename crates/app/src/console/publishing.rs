//! The pages of posts, of publishing and of the sandbox.

use std::sync::Arc;

use poem::web::{Data, Path};
use poem::{Request, Response, handler};
use tokio::try_join;
use tracing::error;
use waggle_console::{PostPage, PostsPage, PostsWith, PublishingPage, SandboxPage};
use waggle_content::{Post, PostFilter, PostStatus};
use waggle_kernel::ids::{GeneratedTweetId, PostId};
use waggle_kernel::{Actor, Clock as _, Direction, Limit, PageRequest};
use waggle_system::SystemClock;
use waggle_twitter_n8n::{GeneratedTweet, Status, TweetFilter};

use super::query::Query;
use super::{draw, shown};
use crate::http::Problem;
use crate::use_cases::UseCases;

/// How many posts of a kind the page of publishing shows.
const FEW: Option<Limit> = Limit::new(20);

/// The posts that match the filters of the address, newest first.
#[handler]
pub(crate) async fn show_posts(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let mut query = Query::of(request);
        let filter = PostFilter {
            status: query.value("status"),
            platform: query.value("platform"),
            ..PostFilter::default()
        };
        let found = app.posts.list(&actor, &filter, query.page()?).await?;
        let tweets = tweets_of(&app, &actor, &found.items).await?;
        let posts = PostsWith { posts: &found.items, tweets: &tweets, deliveries: &[] };
        let links = query.links(found.next);
        draw(&PostsPage::new(shell, &filter, query.ignored, posts, links))
    })
    .await
}

/// A post with its deliveries.
#[handler]
pub(crate) async fn show_post(
    request: &Request,
    app: Data<&Arc<UseCases>>,
    id: Path<String>,
) -> Response {
    shown(&app, request, async |actor, shell| {
        let id = id.parse().map_err(|_| Problem::not_found("there is no such post"))?;
        let post = [app.posts.find(&actor, PostId::new(id)).await?];
        let deliveries = app.posts.deliveries_of(&actor, &[PostId::new(id)]).await?;
        let tweets = tweets_of(&app, &actor, &post).await?;
        let [post] = post;
        draw(&PostPage::new(shell, &post, &deliveries, tweets.first()))
    })
    .await
}

/// What needs a person, what is published next, and what failed.
#[handler]
pub(crate) async fn show_publishing(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let few = FEW.unwrap_or(Limit::DEFAULT);
        let list = async |filter: PostFilter| {
            let page = app.posts.list(&actor, &filter, PageRequest::first(few)).await?;
            Ok::<_, Problem>(page.items)
        };
        let of = |status| PostFilter { status: Some(status), ..PostFilter::default() };
        let is_held = PostFilter { is_held: Some(true), ..PostFilter::default() };
        let is_approved = TweetFilter { status: Some(Status::Approved), ..TweetFilter::default() };
        let (newest, first) = (Direction::Descending, PageRequest::first(Limit::DEFAULT));
        let approved = async {
            let approved = app.review.list(&actor, &is_approved, newest, first).await?.items;
            let ids: Vec<GeneratedTweetId> = approved.iter().map(GeneratedTweet::id).collect();
            let posts = app.posts.of_tweets(&actor, &ids).await?;
            Ok::<_, Problem>((approved, posts))
        };
        let (backlog, unknown, held, missed, failed, upcoming, (approved, of_approved)) = try_join!(
            async { Ok(app.posts.backlog(&actor).await?) },
            list(of(PostStatus::Unknown)),
            list(is_held),
            list(of(PostStatus::Missed)),
            list(of(PostStatus::Failed)),
            async { Ok(app.posts.upcoming(&actor, few).await?) },
            approved,
        )?;
        let attention = [unknown, held, missed].concat();
        let all: Vec<Post> = [&*attention, &failed].concat();
        let ids: Vec<PostId> = attention.iter().map(|post| post.id).collect();
        let (tweets, deliveries) = try_join!(tweets_of(&app, &actor, &all), async {
            Ok(app.posts.deliveries_of(&actor, &ids).await?)
        })?;
        let with = |posts| PostsWith { posts, tweets: &tweets, deliveries: &deliveries };
        let lag = backlog.lag(SystemClock.now());
        let (attention, upcoming) = (with(&attention), with(&upcoming));
        let approved = (&*approved, &*of_approved);
        let posts = [attention, upcoming, with(&failed)];
        draw(&PublishingPage::new(shell, backlog, lag, posts, approved))
    })
    .await
}

/// The newest posts of the sandbox.
#[handler]
pub(crate) async fn show_sandbox(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |_, shell| {
        let most = usize::from(Limit::DEFAULT.rows());
        let posts = app.connections.sandbox().timeline(most).await.map_err(|problem| {
            error!(error = %problem, "the sandbox's timeline cannot be read");
            Problem::internal()
        })?;
        draw(&SandboxPage::new(shell, posts.into_iter().map(|post| (post.id, post.text, post.at))))
    })
    .await
}

/// The generated tweets that posts were made from.
async fn tweets_of(
    app: &UseCases,
    actor: &Actor,
    posts: &[Post],
) -> Result<Vec<GeneratedTweet>, Problem> {
    let details = posts.iter().filter_map(|post| post.twitter.as_ref());
    let ids: Vec<GeneratedTweetId> = details.filter_map(|of| of.generated_tweet).collect();
    Ok(app.review.find_many(actor, &ids).await?)
}
