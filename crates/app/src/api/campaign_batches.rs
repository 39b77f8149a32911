//! Campaign batches over HTTP.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::Value;
use waggle_kernel::ids::CampaignBatchId;
use waggle_twitter_n8n::{
    BatchFilter, BatchStatus, CampaignBatch, Deleted, ManageBatchesError, NewCampaignBatch, Sender,
    Status, StatusCounts,
};

use super::name::Name;
use super::query::{Order, if_match, page, text, time};
use super::tag::Tag;
use crate::http::{Caller, Failure, Problem, client_address};
use crate::use_cases::UseCases;

/// The number of tweets of a batch, by status.
#[derive(Object)]
struct StatusCountsView {
    total: i64,
    brand_aligned: i64,
    draft: i64,
    approved: i64,
    posted: i64,
    rejected: i64,
    deleted: i64,
}

impl From<StatusCounts> for StatusCountsView {
    fn from(counts: StatusCounts) -> Self {
        Self {
            total: counts.total(),
            brand_aligned: counts.of(Status::BrandAligned),
            draft: counts.of(Status::Draft),
            approved: counts.of(Status::Approved),
            posted: counts.of(Status::Posted),
            rejected: counts.of(Status::Rejected),
            deleted: counts.of(Status::Deleted),
        }
    }
}

/// One run of the AI workflow, with the tweets that it generated.
#[derive(Object)]
#[oai(rename = "CampaignBatch")]
struct CampaignBatchView {
    /// Waggle's id of the batch.
    id: i64,
    /// The name of the batch: the workflow's own, with a suffix if that was taken.
    batch_id: String,
    /// The name that the workflow gave the batch.
    claimed_batch_id: String,
    title: String,
    description: String,
    /// `Draft` while a tweet waits for a decision, then `Reviewed`, then `Published`.
    status: String,
    /// The number of its tweets, by status.
    status_counts: StatusCountsView,
    /// How well the batch fits the brand, as scored by the workflow.
    brand_alignment_score: Option<f64>,
    /// What the workflow found in its analysis.
    analysis_summary: Value,
    /// The number of tweets, as reported by the workflow.
    total_tweets: i64,
    /// The number of tweets that the workflow considers ready.
    ready_for_deployment: i64,
    source_type: String,
    /// When the workflow generated the batch, as the workflow wrote it.
    generated_at: Option<String>,
    /// The run whose source tweets the batch was made from.
    execution_id: Option<String>,
    /// Who submitted the batch.
    received_from: String,
    /// Whether the batch was submitted without credentials, from a trusted network.
    unauthenticated: bool,
    created_at: DateTime<Utc>,
    /// When the batch was deleted.
    deleted_at: Option<DateTime<Utc>>,
    /// The version of the batch, for `If-Match`. It increases with each change.
    version: i64,
    /// X's ids of the source tweets that the batch was made from. Lists do not contain this field.
    #[oai(skip_serializing_if_is_none)]
    source_tweet_ids: Option<Vec<String>>,
}

impl From<CampaignBatch> for CampaignBatchView {
    fn from(batch: CampaignBatch) -> Self {
        Self {
            id: batch.id.number(),
            batch_id: batch.batch_id,
            claimed_batch_id: batch.claimed_batch_id,
            title: batch.title,
            description: batch.description,
            status: batch.status.name().to_owned(),
            status_counts: batch.counts.into(),
            brand_alignment_score: batch.brand_alignment_score,
            analysis_summary: batch.analysis_summary,
            total_tweets: batch.total_tweets,
            ready_for_deployment: batch.ready_for_deployment,
            source_type: batch.source_type,
            generated_at: batch.generated_at,
            execution_id: batch.execution_id,
            received_from: batch.received_from,
            unauthenticated: batch.unauthenticated,
            created_at: batch.created_at,
            deleted_at: batch.deleted_at,
            version: batch.version.number(),
            source_tweet_ids: None,
        }
    }
}

/// A batch as the API shows it.
pub(crate) fn campaign_batch_json(batch: &CampaignBatch) -> Value {
    CampaignBatchView::from(batch.clone()).to_json().unwrap_or_default()
}

/// A page of batches.
#[derive(Object)]
struct CampaignBatchPage {
    items: Vec<CampaignBatchView>,
    /// The cursor of the next page. Null on the last page.
    next_cursor: Option<String>,
}

/// Whether to include deleted batches.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum DeletedBatches {
    Without,
    Only,
    With,
}

/// A new title.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RenameBody {
    title: String,
}

pub(crate) struct CampaignBatchesApi;

#[OpenApi(tag = "Tag::CampaignBatches")]
#[expect(clippy::too_many_arguments, reason = "these are the filters of the list")]
impl CampaignBatchesApi {
    /// List batches, by the time they were received.
    ///
    /// Scope: `read`.
    #[oai(path = "/campaign-batches", method = "get", operation_id = "list_campaign_batches")]
    async fn list_campaign_batches(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        /// Only batches whose name or title contains this, ignoring case.
        search: Query<Option<String>>,
        status: Query<Option<Name<BatchStatus>>>,
        source_type: Query<Option<String>>,
        min_score: Query<Option<f64>>,
        /// Only batches that were received at this time or later.
        created_from: Query<Option<DateTime<Utc>>>,
        /// Only batches that were received before this time.
        created_before: Query<Option<DateTime<Utc>>>,
        /// Whether to include deleted batches. By default `without`.
        deleted: Query<Option<DeletedBatches>>,
        order: Query<Option<Order>>,
        limit: Query<Option<u16>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<CampaignBatchPage>, Failure> {
        let filter = BatchFilter {
            search: text("search", search.0)?,
            status: status.0.map(|status| status.0),
            source_type: text("source_type", source_type.0)?,
            min_score: min_score.0,
            created_from: time("created_from", created_from.0)?,
            created_before: time("created_before", created_before.0)?,
            deleted: match deleted.0 {
                None | Some(DeletedBatches::Without) => Deleted::Without,
                Some(DeletedBatches::Only) => Deleted::Only,
                Some(DeletedBatches::With) => Deleted::With,
            },
        };
        let page = page(limit.0, cursor.0.as_deref())?;
        let way = Order::direction(order.0);
        let found = app.batches.list(&caller.actor, &filter, way, page).await?;
        Ok(Json(CampaignBatchPage {
            next_cursor: found.next.map(|cursor| cursor.to_string()),
            items: found.items.into_iter().map(Into::into).collect(),
        }))
    }

    /// Submit a sample batch of five drafts, for trying out the review.
    ///
    /// Scope: `ingest`. One of the drafts is too long to be approved. If the sample batch was
    /// submitted already, nothing changes.
    #[oai(path = "/campaign-batches/sample", method = "post", operation_id = "create_sample_batch")]
    async fn create_sample_batch(
        &self,
        caller: Caller,
        request: &Request,
        app: Data<&Arc<UseCases>>,
    ) -> Result<Json<CampaignBatchView>, Failure> {
        let address = client_address(&app.settings.values(), request);
        let batch = NewCampaignBatch::sample(Sender::of(&caller.actor, address));
        let received = app.receive_batch.run(&caller.actor, batch).await?;
        // The right to submit includes seeing what was submitted.
        let (batch, _) = app.batches.find(&waggle_kernel::Actor::system(), received.id).await?;
        Ok(Json(batch.into()))
    }

    /// Retrieve a batch.
    ///
    /// Scope: `read`.
    #[oai(path = "/campaign-batches/:id", method = "get", operation_id = "show_campaign_batch")]
    async fn show_campaign_batch(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
    ) -> Result<Json<CampaignBatchView>, Failure<404>> {
        let (batch, sources) = app.batches.find(&caller.actor, CampaignBatchId::new(id.0)).await?;
        Ok(Json(CampaignBatchView { source_tweet_ids: Some(sources), ..batch.into() }))
    }

    /// Change the title of a batch.
    ///
    /// Scope: `write`.
    #[oai(path = "/campaign-batches/:id", method = "patch", operation_id = "rename_campaign_batch")]
    async fn rename_campaign_batch(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
        body: Json<RenameBody>,
    ) -> Result<Json<CampaignBatchView>, Failure<404, 409>> {
        let (id, expected) = (CampaignBatchId::new(id.0), if_match(version.0.as_deref())?);
        let batch = app.batches.rename(&caller.actor, id, expected, body.0.title).await?;
        Ok(Json(batch.into()))
    }

    /// Delete a batch.
    ///
    /// Scope: `write`. The batch can be restored.
    #[oai(
        path = "/campaign-batches/:id",
        method = "delete",
        operation_id = "delete_campaign_batch"
    )]
    async fn delete_campaign_batch(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<CampaignBatchView>, Failure<404, 409>> {
        let (id, expected) = (CampaignBatchId::new(id.0), if_match(version.0.as_deref())?);
        Ok(Json(app.batches.delete(&caller.actor, id, expected).await?.into()))
    }

    /// Restore a deleted batch.
    ///
    /// Scope: `write`.
    #[oai(
        path = "/campaign-batches/:id/restore",
        method = "post",
        operation_id = "restore_campaign_batch"
    )]
    async fn restore_campaign_batch(
        &self,
        caller: Caller,
        app: Data<&Arc<UseCases>>,
        id: Path<i64>,
        #[oai(name = "If-Match")] version: Header<Option<String>>,
    ) -> Result<Json<CampaignBatchView>, Failure<404, 409>> {
        let (id, expected) = (CampaignBatchId::new(id.0), if_match(version.0.as_deref())?);
        Ok(Json(app.batches.restore(&caller.actor, id, expected).await?.into()))
    }
}

impl From<ManageBatchesError> for Problem {
    fn from(error: ManageBatchesError) -> Self {
        let detail = error.to_string();
        match error {
            ManageBatchesError::Forbidden(error) => error.into(),
            ManageBatchesError::NotFound => Self::not_found(detail),
            ManageBatchesError::NoTitle
            | ManageBatchesError::Hidden
            | ManageBatchesError::Title(_) => Self::invalid(detail),
            ManageBatchesError::Stale { current } => {
                Self::conflict(detail).with("current", campaign_batch_json(&current))
            }
            ManageBatchesError::Port(error) => error.into(),
        }
    }
}
