//! The repository of generated tweets.

use std::collections::BTreeSet;

use async_trait::async_trait;
use diesel::dsl::{not, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde_json::Value;
use waggle_content::PostStatus;
use waggle_kernel::ids::{CampaignBatchId, GeneratedTweetId, Version};
use waggle_kernel::{Cursor, Direction, NewEvent, Page, PageRequest, PortError};
use waggle_twitter_n8n::ports::{GeneratedTweetRepository, ReviewedTweet, SaveError};
use waggle_twitter_n8n::{
    Approval, GENERATED_TWEET, GeneratedTweet, HistoryAction, HistoryEntry, NewGeneratedTweet,
    Place, StoredTweet, TweetFilter,
};

use super::post_events::write_reached;
use super::search::{FIRST, few_candidates};
use super::tweet_order::place;
use super::{
    Conn, Db, Repositories, batch_status, columns, containing, cursor_time, dialect, events,
    keyset, locks, lower, one_more, tweet_order,
};
use crate::error::{StoreError, column, during};
use crate::run_query::RunQueryDsl;
use crate::schema::{campaign_batches, generated_tweets, posts};
use crate::texts::Texts;
use crate::types::Time;

#[derive(Queryable, Selectable)]
#[diesel(table_name = generated_tweets)]
struct Row {
    id: i64,
    campaign_batch_id: i64,
    tweet_id: String,
    kind: String,
    content: String,
    claimed_character_count: Option<i64>,
    engagement_hook: String,
    coophive_elements: Value,
    discord_voice_patterns: Value,
    theme_connection: String,
    claimed_ready: Option<bool>,
    status: String,
    is_edited: bool,
    approved_by: Option<String>,
    approved_at: Option<Time>,
    approved_hash: Option<String>,
    created_at: Time,
    updated_at: Time,
    published_at: Option<Time>,
    x_com_post_id: Option<String>,
    version: i64,
    place: Option<i64>,
}

impl Row {
    /// The position of a list after this tweet.
    fn cursor(&self) -> Cursor {
        let sort_value = self.created_at.0.timestamp_micros();
        Cursor { sort_value, id: self.place.unwrap_or(self.id) }
    }
}

impl TryFrom<Row> for GeneratedTweet {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let approval = match (row.approved_by, row.approved_at, row.approved_hash) {
            (Some(by), Some(at), Some(hash)) => {
                let hash = hash.parse().map_err(column("generated_tweets.approved_hash"))?;
                Some(Approval { by, at: at.into(), hash })
            }
            _ => None,
        };
        Ok(Self::stored(StoredTweet {
            id: GeneratedTweetId::new(row.id),
            batch: CampaignBatchId::new(row.campaign_batch_id),
            tweet: NewGeneratedTweet {
                claimed_id: row.tweet_id.clone(),
                tweet_id: row.tweet_id,
                kind: row.kind,
                content: row.content,
                claimed_character_count: row.claimed_character_count,
                claimed_ready: row.claimed_ready,
                engagement_hook: row.engagement_hook,
                coophive_elements: row.coophive_elements,
                discord_voice_patterns: row.discord_voice_patterns,
                theme_connection: row.theme_connection,
                is_edited: row.is_edited,
            },
            status: row.status.parse().map_err(column("generated_tweets.status"))?,
            approval,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            published_at: row.published_at.map(Into::into),
            x_com_post_id: row.x_com_post_id,
            version: Version::new(row.version),
        }))
    }
}

/// Writes one change, unless the tweet was changed in between, or its post is being published or
/// may be public.
async fn write_change(
    connection: &mut Conn,
    change: &ReviewedTweet,
) -> Result<Result<Version, SaveError>, StoreError> {
    let stored = change.tweet.view();
    let id = stored.id.number();
    // Code that locks several of them locks the tweet first, then its post, then its batch.
    locks::lock_tweet(connection, id).await?;
    let post = locks::lock_post_of_tweet(connection, id).await?;
    let waiting = match &post {
        None => None,
        Some((post, status)) => {
            let status: PostStatus = status.parse().map_err(column("posts.status"))?;
            if status.may_be_public() {
                return Ok(Err(SaveError::InFlight));
            }
            (status == PostStatus::Scheduled).then_some(*post)
        }
    };
    let next = stored.version.next();
    let approval = stored.approval.as_ref();
    let written = diesel::update(generated_tweets::table.find(id))
        .filter(generated_tweets::version.eq(stored.version.number()))
        .set((
            generated_tweets::content.eq(&stored.tweet.content),
            generated_tweets::character_count.eq(i64::from(change.tweet.character_count())),
            generated_tweets::engagement_hook.eq(&stored.tweet.engagement_hook),
            generated_tweets::ready_for_deployment.eq(change.tweet.ready_for_deployment()),
            generated_tweets::status.eq(stored.status.name()),
            generated_tweets::is_edited.eq(stored.tweet.is_edited),
            generated_tweets::approved_by.eq(approval.map(|approval| &approval.by)),
            generated_tweets::approved_at.eq(approval.map(|approval| Time::from(approval.at))),
            generated_tweets::approved_hash.eq(approval.map(|approval| approval.hash.to_string())),
            generated_tweets::updated_at.eq(Time::from(stored.updated_at)),
            generated_tweets::version.eq(next.number()),
        ))
        .execute(connection)
        .await?;
    if written == 0 {
        return Ok(Err(SaveError::Stale));
    }
    if let Some(post) = waiting {
        diesel::update(posts::table.find(post))
            .set((
                posts::status.eq(PostStatus::Cancelled.name()),
                posts::due_at.eq(None::<Time>),
                posts::is_held.eq(false),
                posts::last_error.eq("the tweet was changed after it was queued"),
                posts::updated_at.eq(Time::from(stored.updated_at)),
                posts::version.eq(posts::version + 1),
            ))
            .execute(connection)
            .await?;
        write_reached(connection, &[post], &change.event.by, stored.updated_at).await?;
    }
    events::write(connection, std::slice::from_ref(&change.event)).await?;
    Ok(Ok(next))
}

/// Increases the version of a tweet after a change of something that belongs to it, and returns it.
pub(super) async fn touch(connection: &mut Conn, tweet: i64, now: Time) -> QueryResult<Version> {
    diesel::update(generated_tweets::table.find(tweet))
        .set((
            generated_tweets::updated_at.eq(now),
            generated_tweets::version.eq(generated_tweets::version + 1),
        ))
        .returning(generated_tweets::version)
        .get_result(connection)
        .await
        .map(Version::new)
}

type Boxed<'a> = generated_tweets::BoxedQuery<'a, Db>;

/// The tweets that wait for a decision, in the words of the partial index, so that SQLite uses it.
/// It would use the index of all statuses for `status IN (...)`, and sort all that wait.
pub(super) const WAITING: &str =
    "generated_tweets.status NOT IN ('Approved', 'Posted', 'Rejected', 'Deleted')";

fn filtered<'a>(filter: &TweetFilter) -> Boxed<'a> {
    let mut query = generated_tweets::table.into_boxed::<Db>();
    if let Some(part) = &filter.search {
        query = query
            .filter(lower(generated_tweets::content).like(lower(containing(part))).escape('\\'));
    }
    query = match filter.batch {
        Some(batch) => query.filter(generated_tweets::campaign_batch_id.eq(batch.number())),
        // Without a batch in the filter, the tweets of deleted batches are excluded.
        None => query.filter(
            generated_tweets::campaign_batch_id.ne_all(
                campaign_batches::table
                    .filter(campaign_batches::deleted_at.is_not_null())
                    .select(campaign_batches::id),
            ),
        ),
    };
    if let Some(status) = filter.status {
        query = query.filter(generated_tweets::status.eq(status.name()));
    }
    match filter.waiting {
        Some(true) => query = query.filter(sql::<Bool>(WAITING)),
        Some(false) => query = query.filter(not(sql::<Bool>(WAITING))),
        None => {}
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(generated_tweets::kind.eq(kind.clone()));
    }
    if let Some(ready) = filter.ready {
        query = query.filter(generated_tweets::ready_for_deployment.eq(ready));
    }
    if let Some(edited) = filter.is_edited {
        query = query.filter(generated_tweets::is_edited.eq(edited));
    }
    if let Some(from) = filter.created_from {
        query = query.filter(generated_tweets::created_at.ge(Time::from(from)));
    }
    if let Some(before) = filter.created_before {
        query = query.filter(generated_tweets::created_at.lt(Time::from(before)));
    }
    query
}

fn sorted(query: Boxed<'_>, direction: Direction, after: Option<Cursor>) -> Boxed<'_> {
    use generated_tweets::created_at;
    keyset!(query, created_at, cursor_time, place(), direction, after)
}

/// One tweet more than the page has. It is read in the same ways as a page of source tweets.
async fn page_of(
    connection: &mut Conn,
    filter: &TweetFilter,
    direction: Direction,
    page: PageRequest,
) -> QueryResult<Vec<Row>> {
    let most = one_more(page.limit);
    let mut query = filtered(filter);
    // A batch has so few tweets that all texts are read.
    if filter.search.is_some() && filter.batch.is_none() {
        let (created_from, created_before) = (filter.created_from, filter.created_before);
        let dates = TweetFilter { created_from, created_before, ..TweetFilter::default() };
        let first: Vec<i64> = sorted(filtered(&dates), direction, page.after)
            .limit(FIRST)
            .select(generated_tweets::id)
            .load(connection)
            .await?;
        let is_all = i64::try_from(first.len()).unwrap_or(FIRST) < FIRST;
        let among_first = filtered(filter).filter(dialect::among!(generated_tweets::id, first));
        let rows: Vec<Row> = sorted(among_first, direction, page.after)
            .limit(most)
            .select(columns::<Row>())
            .load(connection)
            .await?;
        if is_all || rows.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return Ok(rows);
        }
        let part = filter.search.as_deref();
        if let Some(ids) = few_candidates(connection, Texts::GeneratedTweets, part).await? {
            query = query.filter(dialect::among!(generated_tweets::id, ids));
        }
    }
    sorted(query, direction, page.after).limit(most).select(columns::<Row>()).load(connection).await
}

#[async_trait]
impl GeneratedTweetRepository for Repositories {
    async fn find(&self, id: GeneratedTweetId) -> Result<Option<GeneratedTweet>, PortError> {
        Ok(self.find_many(&[id]).await?.pop())
    }

    async fn find_many(&self, ids: &[GeneratedTweetId]) -> Result<Vec<GeneratedTweet>, PortError> {
        during("finding generated tweets", async {
            let numbers: Vec<i64> = ids.iter().map(|id| id.number()).collect();
            let mut connection = self.pools.read().await?;
            let rows: Vec<Row> = generated_tweets::table
                .filter(generated_tweets::id.eq_any(numbers))
                .order(generated_tweets::id)
                .select(columns::<Row>())
                .load(&mut connection)
                .await?;
            rows.into_iter().map(TryInto::try_into).collect()
        })
        .await
    }

    async fn list(
        &self,
        filter: &TweetFilter,
        direction: Direction,
        page: PageRequest,
    ) -> Result<Page<GeneratedTweet>, PortError> {
        during("listing generated tweets", async {
            let mut reader = self.pools.read_long().await?;
            reader.begin_snapshot().await?;
            let rows = page_of(reader.connection(), filter, direction, page).await?;
            reader.end_snapshot().await?;
            let Page { items, next } = Page::from_one_more(rows, page.limit, Row::cursor);
            let items = items.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
            Ok(Page { items, next })
        })
        .await
    }

    async fn save(
        &self,
        changes: &[ReviewedTweet],
    ) -> Result<Vec<Result<Version, SaveError>>, PortError> {
        during("saving generated tweets", async {
            if changes.is_empty() {
                return Ok(Vec::new());
            }
            let mut transaction = self.pools.write().await?;
            let mut results = Vec::with_capacity(changes.len());
            let mut batches = BTreeSet::new();
            for change in changes {
                let result = write_change(transaction.connection(), change).await?;
                if result.is_ok() {
                    batches.insert(change.tweet.view().batch.number());
                }
                results.push(result);
            }
            for batch in batches {
                batch_status::refresh(transaction.connection(), batch).await?;
            }
            transaction.commit().await?;
            Ok(results)
        })
        .await
    }

    async fn reorder(
        &self,
        tweet: &GeneratedTweet,
        place: Place,
        event: &NewEvent,
    ) -> Result<Option<Place>, PortError> {
        during("moving a tweet in its batch", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let batch = tweet.view().batch.number();
            let former = tweet_order::reorder(connection, batch, tweet.id(), place).await?;
            if former.is_some() {
                events::write(connection, std::slice::from_ref(event)).await?;
                transaction.commit().await?;
            }
            Ok(former)
        })
        .await
    }

    async fn history(
        &self,
        id: GeneratedTweetId,
        page: PageRequest,
    ) -> Result<Page<HistoryEntry>, PortError> {
        during("reading the history of a tweet", async {
            let kinds = HistoryAction::ALL.map(HistoryAction::event_kind);
            let entries = self.of_object(GENERATED_TWEET, id.to_string(), &kinds, page).await?;
            let entries = entries
                .into_iter()
                .map(|entry| HistoryEntry::try_from(entry.into_event()).map_err(column("events")))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Page::from_one_more(entries, page.limit, |entry| Cursor {
                sort_value: 0,
                id: entry.id,
            }))
        })
        .await
    }
}
