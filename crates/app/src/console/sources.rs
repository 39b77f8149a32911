//! The page of source tweets.

use std::sync::Arc;

use poem::web::Data;
use poem::{Request, Response, handler};
use waggle_console::{SourceFilter, SourcesPage};
use waggle_kernel::ids::CampaignBatchId;
use waggle_kernel::{Clock as _, Direction};
use waggle_system::SystemClock;
use waggle_twitter_n8n::{Lapsed, SourceTweetFilter, SourceTweetSort};

use super::query::Query;
use super::{draw, shown};
use crate::use_cases::UseCases;

/// The source tweets that match the filters of the address. Totals are counted if the address asks
/// for them: they read all tweets that match.
#[handler]
pub(crate) async fn show_sources(request: &Request, app: Data<&Arc<UseCases>>) -> Response {
    shown(&app, request, async |actor, shell| {
        let mut query = Query::of(request);
        let now = SystemClock.now();
        let offers = u32::try_from(app.settings.values().source_tweet_offers.count());
        let offers = offers.unwrap_or(u32::MAX);
        let sort = sort(query.text("sort"));
        if sort.is_none() {
            query.leave_out("sort", "not understood");
        }
        let order = match query.text("order") {
            Some("asc") => Direction::Ascending,
            None | Some("desc") => Direction::Descending,
            Some(_) => {
                query.leave_out("order", "not understood");
                Direction::Descending
            }
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let filter = SourceTweetFilter {
            date_from: query.minute("date_from", shell.zone),
            date_before: query.minute("date_before", shell.zone),
            min_likes: query.value("min_likes"),
            min_retweets: query.value("min_retweets"),
            min_views: query.value("min_views"),
            is_processed: query.value("is_processed"),
            batch: query.value("campaign_batch_id").map(CampaignBatchId::new),
            lapsed: query.value("lapsed").map(|is| Lapsed { now, offers, is }),
            search: owned(query.text("search")),
            tweet_id: owned(query.text("tweet_id")),
            execution_id: owned(query.text("execution_id")),
            status: owned(query.text("status")),
        };
        let sort = sort.unwrap_or(SourceTweetSort::Date);
        let found = app.source_tweets.list(&actor, &filter, sort, order, query.page()?).await?;
        let totals = match query.text("totals") {
            Some("yes") => Some(app.source_tweets.totals(&actor, &filter).await?),
            _ => None,
        };
        let links = query.links(found.next);
        let chosen = chosen(&query, &filter);
        let chosen = (chosen, query.ignored);
        draw(&SourcesPage::new(shell, chosen, totals, &found.items, now, links))
    })
    .await
}

/// The sort order of this name.
fn sort(name: Option<&str>) -> Option<SourceTweetSort> {
    Some(match name {
        None | Some("date") => SourceTweetSort::Date,
        Some("likes") => SourceTweetSort::Likes,
        Some("retweets") => SourceTweetSort::Retweets,
        Some("views") => SourceTweetSort::Views,
        Some("total_engagement") => SourceTweetSort::TotalEngagement,
        Some(_) => return None,
    })
}

/// The filters as the page shows them.
fn chosen(query: &Query, filter: &SourceTweetFilter) -> SourceFilter {
    let text = |name| query.text(name).unwrap_or_default().to_owned();
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    let names = [
        "search",
        "tweet_id",
        "execution_id",
        "status",
        "min_likes",
        "min_retweets",
        "min_views",
        "is_processed",
        "lapsed",
        "campaign_batch_id",
    ];
    for name in names {
        pairs.extend_pairs(query.text(name).map(|text| (name, text)));
    }
    for (name, time) in [("date_from", filter.date_from), ("date_before", filter.date_before)] {
        pairs.extend_pairs(time.map(|time| (name, time.to_rfc3339())));
    }
    SourceFilter {
        search: text("search"),
        tweet_id: text("tweet_id"),
        execution_id: text("execution_id"),
        date_from: text("date_from"),
        date_before: text("date_before"),
        status: text("status"),
        min_likes: text("min_likes"),
        min_retweets: text("min_retweets"),
        min_views: text("min_views"),
        is_processed: text("is_processed"),
        lapsed: text("lapsed"),
        batch: text("campaign_batch_id"),
        sort: text("sort"),
        order: text("order"),
        query: pairs.finish(),
        with_totals: query.with("totals", "yes"),
    }
}
