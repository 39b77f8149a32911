//! Writes reports of source tweets: new ones, changed counts, and tweets that are offered again.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_twitter_n8n::events::reported;
use waggle_twitter_n8n::{Engagement, NewSourceTweet, OfferPolicy, Run, Sighting};

use super::super::{Conn, Repositories, columns, events, locks};
use crate::error::StoreError;
use crate::insert_many::{CHUNK, OnConflict, insert_many};
use crate::one_of::OneOf;
use crate::run_query::RunQueryDsl;
use crate::schema::source_tweets;
use crate::types::Time;

#[derive(Insertable)]
#[diesel(table_name = source_tweets, treat_none_as_default_value = false)]
struct NewRow<'a> {
    tweet_id: &'a str,
    url: &'a str,
    content: &'a str,
    likes: i64,
    retweets: i64,
    replies: i64,
    quotes: i64,
    views: i64,
    total_engagement: i64,
    date: Time,
    date_raw: &'a str,
    status: &'a str,
    tweet_url: &'a str,
    execution_id: &'a str,
    source_url: &'a str,
    run_key: &'a str,
    received_from: &'a str,
    unauthenticated: bool,
    processed_at: Time,
    refreshed_at: Option<Time>,
    lease: &'a str,
    leased_until: Time,
    address: &'a str,
}

impl<'a> NewRow<'a> {
    fn new(
        run: &'a Run,
        run_key: &'a str,
        tweet: &'a NewSourceTweet,
        now: Time,
        leased_until: Time,
    ) -> Self {
        let engagement = tweet.engagement;
        Self {
            tweet_id: &tweet.tweet_id,
            url: &tweet.url,
            content: &tweet.content,
            likes: engagement.likes,
            retweets: engagement.retweets,
            replies: engagement.replies,
            quotes: engagement.quotes,
            views: engagement.views,
            total_engagement: engagement.total(),
            date: tweet.date.into(),
            date_raw: &tweet.date_raw,
            status: &tweet.status,
            tweet_url: &tweet.tweet_url,
            execution_id: &run.execution_id,
            source_url: &run.source_url,
            run_key,
            received_from: &run.sender.by.shown,
            unauthenticated: run.sender.is_unauthenticated,
            processed_at: now,
            refreshed_at: Some(now),
            lease: run_key,
            leased_until,
            address: &run.sender.address,
        }
    }
}

/// The part of a stored tweet that decides what a new report of it changes.
#[derive(Queryable, Selectable)]
#[diesel(table_name = source_tweets)]
struct Known {
    tweet_id: String,
    run_key: String,
    processed_at: Time,
    offered_at: Option<Time>,
    is_processed: bool,
    leased_until: Option<Time>,
    offers: i64,
    likes: i64,
    retweets: i64,
    replies: i64,
    quotes: i64,
    views: i64,
}

impl Known {
    /// Whether no run or claim holds it any more, and no batch was made of it.
    fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        !self.is_processed && self.leased_until.is_some_and(|until| until.0 <= now)
    }

    /// Whether the run with this key was told that the tweet is new.
    fn is_of(&self, run_key: &str, since: Option<DateTime<Utc>>) -> bool {
        let told_at = self.offered_at.unwrap_or(self.processed_at).0;
        self.run_key == run_key && since.is_none_or(|since| told_at >= since)
    }

    const fn engagement(&self) -> Engagement {
        Engagement {
            likes: self.likes,
            retweets: self.retweets,
            replies: self.replies,
            quotes: self.quotes,
            views: self.views,
        }
    }
}

async fn known(connection: &mut Conn, ids: &[&str]) -> QueryResult<HashMap<String, Known>> {
    let mut found = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let values = chunk.iter().map(|&id| id.to_owned()).collect();
        let rows: Vec<Known> = source_tweets::table
            .filter(OneOf { column: source_tweets::tweet_id, values })
            .select(columns::<Known>())
            .load(connection)
            .await?;
        found.extend(rows.into_iter().map(|row| (row.tweet_id.clone(), row)));
    }
    Ok(found)
}

/// The stored tweets among `ids`, before anything is written. If neither the first nor the last of
/// many ids is stored, most of them are likely new. In that case no other id is looked up, because
/// the insert reports which ones exist.
async fn seen(connection: &mut Conn, ids: &[&str]) -> QueryResult<HashMap<String, Known>> {
    const MANY: usize = 10;
    if let [first, .., last] = ids
        && ids.len() >= MANY
        && known(connection, &[first, last]).await?.is_empty()
    {
        return Ok(HashMap::new());
    }
    known(connection, ids).await
}

/// The columns that a later report overwrites.
const NUMBERS: &[&str] =
    &["likes", "retweets", "replies", "quotes", "views", "total_engagement", "refreshed_at"];

/// Inserts rows and returns the X ids of those that were written.
async fn write(
    connection: &mut Conn,
    mut rows: Vec<NewRow<'_>>,
    conflict: OnConflict,
) -> QueryResult<HashSet<String>> {
    let mut written = HashSet::with_capacity(rows.len());
    // Two calls with the same tweets in different orders would deadlock.
    rows.sort_unstable_by_key(|row| row.tweet_id);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<NewRow<'_>> = rows.by_ref().take(CHUNK).collect();
        let ids: Vec<String> = insert_many(
            source_tweets::table,
            chunk,
            source_tweets::tweet_id,
            conflict,
            source_tweets::tweet_id,
        )
        .get_results(connection)
        .await?;
        written.extend(ids);
    }
    Ok(written)
}

/// Offers tweets that an earlier run let lapse to this run, and returns the X ids of those that it
/// got.
async fn offer_again(
    connection: &mut Conn,
    run: &Run,
    run_key: &str,
    ids: &[String],
    offers: OfferPolicy,
    now: DateTime<Utc>,
) -> QueryResult<HashSet<String>> {
    let mut offered = HashSet::new();
    for chunk in ids.chunks(CHUNK) {
        let ids: Vec<String> = diesel::update(source_tweets::table)
            .filter(source_tweets::tweet_id.eq_any(chunk))
            .filter(source_tweets::is_processed.eq(false))
            .filter(source_tweets::leased_until.le(Time::from(now)))
            .filter(source_tweets::offers.lt(i64::from(offers.most)))
            .set((
                source_tweets::run_key.eq(run_key),
                source_tweets::execution_id.eq(&run.execution_id),
                source_tweets::source_url.eq(&run.source_url),
                source_tweets::received_from.eq(&run.sender.by.shown),
                source_tweets::unauthenticated.eq(run.sender.is_unauthenticated),
                source_tweets::address.eq(&run.sender.address),
                source_tweets::lease.eq(run_key),
                source_tweets::leased_until.eq(Time::from(now + offers.lease)),
                source_tweets::offers.eq(source_tweets::offers + 1),
                source_tweets::offered_at.eq(Time::from(now)),
                source_tweets::lapsed_at.eq(None::<Time>),
            ))
            .returning(source_tweets::tweet_id)
            .get_results(connection)
            .await?;
        offered.extend(ids);
    }
    Ok(offered)
}

/// Renews the lapsed lease of a run that reports the tweets again.
async fn renew(
    connection: &mut Conn,
    run_key: &str,
    ids: &[String],
    offers: OfferPolicy,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    for chunk in ids.chunks(CHUNK) {
        diesel::update(source_tweets::table)
            .filter(source_tweets::tweet_id.eq_any(chunk))
            .filter(source_tweets::run_key.eq(run_key))
            .filter(source_tweets::is_processed.eq(false))
            .filter(source_tweets::leased_until.le(Time::from(now)))
            .set((
                source_tweets::lease.eq(run_key),
                source_tweets::leased_until.eq(Time::from(now + offers.lease)),
                source_tweets::lapsed_at.eq(None::<Time>),
            ))
            .execute(connection)
            .await?;
    }
    Ok(())
}

impl Repositories {
    pub(super) async fn record_once(
        &self,
        run: &Run,
        tweets: &[NewSourceTweet],
        offers: OfferPolicy,
        now: DateTime<Utc>,
    ) -> Result<Vec<Sighting>, StoreError> {
        if tweets.is_empty() {
            return Ok(Vec::new());
        }
        let run_key = run.key.stored();
        let ids: Vec<&str> = tweets.iter().map(|tweet| tweet.tweet_id.as_str()).collect();
        let mut there = seen(&mut *self.pools.read().await?, &ids).await?;
        let leased_until = Time::from(now + offers.lease);
        let row = |tweet| NewRow::new(run, &run_key, tweet, now.into(), leased_until);
        let new: Vec<NewRow<'_>> = tweets
            .iter()
            .filter(|tweet| !there.contains_key(&tweet.tweet_id))
            .map(|tweet| NewRow { refreshed_at: None, ..row(tweet) })
            .collect();
        let has_changed = |tweet: &&NewSourceTweet, there: &HashMap<String, Known>| {
            let known = there.get(&tweet.tweet_id);
            known.is_some_and(|known| known.engagement() != tweet.engagement)
        };
        let since = run.key.same_since(now);
        let (mut stored, mut offered) = (HashSet::new(), HashSet::new());
        let is_own = |known: &&Known| known.is_of(&run_key, since);
        let is_offered = |known: &&Known| {
            known.has_lapsed(now) && (is_own(known) || known.offers < i64::from(offers.most))
        };
        let is_any_offered = there.values().any(|known| is_offered(&known));
        let is_any_changed = tweets.iter().any(|tweet| has_changed(&tweet, &there));
        // A report without news is answered without the single writer.
        if !new.is_empty() || is_any_offered || is_any_changed {
            let missing: Vec<&str> = new.iter().map(|row| row.tweet_id).collect();
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let mut touched: Vec<&str> = tweets
                .iter()
                .filter(|tweet| {
                    let known = there.get(&tweet.tweet_id);
                    has_changed(tweet, &there) || known.is_some_and(|known| is_offered(&known))
                })
                .map(|tweet| tweet.tweet_id.as_str())
                .collect();
            touched.sort_unstable();
            for chunk in touched.chunks(CHUNK * 10) {
                locks::lock_source_tweets(connection, chunk).await?;
            }
            stored = write(connection, new, OnConflict::DoNothing).await?;
            if stored.len() < missing.len() {
                // Some tweets already existed, or another call stored them first. Their rows show
                // which run has them.
                let lost: Vec<&str> =
                    missing.into_iter().filter(|id| !stored.contains(*id)).collect();
                there.extend(known(connection, &lost).await?);
            }
            let changed = tweets.iter().filter(|tweet| has_changed(tweet, &there)).map(row);
            let updated = write(connection, changed.collect(), OnConflict::Update(NUMBERS)).await?;
            let (own, of_others): (Vec<&Known>, Vec<&Known>) =
                there.values().filter(is_offered).partition(is_own);
            let ids =
                |of: Vec<&Known>| of.into_iter().map(|known| known.tweet_id.clone()).collect();
            let (own, of_others): (Vec<String>, Vec<String>) = (ids(own), ids(of_others));
            offered = offer_again(connection, run, &run_key, &of_others, offers, now).await?;
            renew(connection, &run_key, &own, offers, now).await?;
            let sightings = sightings(tweets, &there, &stored, &offered, is_own);
            let event = reported(run, &sightings, updated.len(), now);
            events::write(connection, &[event]).await?;
            transaction.commit().await?;
            return Ok(sightings);
        }
        Ok(sightings(tweets, &there, &stored, &offered, is_own))
    }
}

/// What was known of each tweet.
fn sightings(
    tweets: &[NewSourceTweet],
    there: &HashMap<String, Known>,
    stored: &HashSet<String>,
    offered: &HashSet<String>,
    is_own: impl Fn(&&Known) -> bool,
) -> Vec<Sighting> {
    let sighting = |tweet: &NewSourceTweet| match there.get(&tweet.tweet_id) {
        _ if stored.contains(&tweet.tweet_id) => Sighting::Stored,
        _ if offered.contains(&tweet.tweet_id) => Sighting::OfferedAgain,
        Some(known) if is_own(&known) => Sighting::BroughtBefore,
        _ => Sighting::Known,
    };
    tweets.iter().map(sighting).collect()
}
