//! The pages in which people decide about drafts.

use std::sync::Arc;

use poem::web::{Data, Path};
use poem::{Request, Response, handler};
use waggle_console::{BatchPage, BatchesPage, ReviewPage, TweetPage};
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId};
use waggle_kernel::{Direction, Limit, PageRequest};
use waggle_twitter_n8n::{
    BatchFilter, GeneratedTweet, SourceTweetFilter, SourceTweetSort, TweetFilter,
};

use super::query::Query;
use super::{draw, shown};
use crate::http::Problem;
use crate::use_cases::UseCases;

/// What waits for a decision, oldest first.
#[handler]
pub(crate) async fn show_review(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let query = Query::of(request);
        let filter = TweetFilter { waiting: Some(true), ..TweetFilter::default() };
        let found = app.review.list(&actor, &filter, Direction::Ascending, query.page()?).await?;
        let mut batches: Vec<CampaignBatchId> =
            found.items.iter().map(|tweet| tweet.view().batch).collect();
        batches.dedup();
        let batches = app.batches.find_many(&actor, &batches).await?;
        draw(&ReviewPage::new(shell, &found.items, &batches, query.links(found.next)))
    })
    .await
}

/// The batches, newest first.
#[handler]
pub(crate) async fn show_batches(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let mut query = Query::of(request);
        let filter = BatchFilter {
            status: query.value("status"),
            search: query.text("search").map(str::to_owned),
            ..BatchFilter::default()
        };
        let newest = Direction::Descending;
        let found = app.batches.list(&actor, &filter, newest, query.page()?).await?;
        let links = query.links(found.next);
        draw(&BatchesPage::new(shell, &filter, query.ignored, &found.items, links))
    })
    .await
}

/// How many source tweets of a batch its page shows.
const FEW: Option<Limit> = Limit::new(10);

/// A batch with its tweets, the most liked of its source tweets, and the posts that were made from
/// its tweets.
#[handler]
pub(crate) async fn show_batch(
    request: &Request,
    app: Data<&Arc<UseCases>>,
    id: Path<String>,
) -> Response {
    shown(&app, request, async |actor, shell| {
        let id = id.parse().map_err(|_| Problem::not_found("there is no such campaign batch"))?;
        let (id, query) = (CampaignBatchId::new(id), Query::of(request));
        let (batch, sources) = app.batches.find(&actor, id).await?;
        let filter = TweetFilter { batch: Some(id), ..TweetFilter::default() };
        let found = app.review.list(&actor, &filter, Direction::Ascending, query.page()?).await?;
        let ids: Vec<GeneratedTweetId> = found.items.iter().map(GeneratedTweet::id).collect();
        let posts = app.posts.of_tweets(&actor, &ids).await?;
        let of_batch = SourceTweetFilter { batch: Some(id), ..SourceTweetFilter::default() };
        let (likes, most) = (SourceTweetSort::Likes, Direction::Descending);
        let few = PageRequest::first(FEW.unwrap_or(Limit::DEFAULT));
        let first = app.source_tweets.list(&actor, &of_batch, likes, most, few).await?.items;
        let links = query.links(found.next);
        let made_from = (&batch, (sources.len(), &*first));
        draw(&BatchPage::new(shell, made_from, (&found.items, &posts), links))
    })
    .await
}

/// A generated tweet with its post and its history.
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
        let posts = app.posts.of_tweets(&actor, &[id]).await?;
        let newest = PageRequest::first(Limit::DEFAULT);
        let history = app.review.history(&actor, id, newest).await?;
        draw(&TweetPage::new(shell, &tweet, posts.first(), history.items))
    })
    .await
}
