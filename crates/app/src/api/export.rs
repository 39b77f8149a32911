//! Exports lists as files, page by page, so that an export of any size fits in memory.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::stream;
use poem::{Body, IntoResponse, Response};
use poem_openapi::payload::Binary;
use poem_openapi::registry::{MetaResponse, MetaResponses, Registry};
use poem_openapi::{ApiResponse, Enum};
use serde_json::{Value, json};
use waggle_kernel::{Actor, Clock as _, Cursor, Direction, Limit, Page, PageRequest};
use waggle_system::SystemClock;
use waggle_twitter_n8n::{SourceTweet, SourceTweetFilter, SourceTweetSort, SourceTweetsError};

use crate::http::Problem;
use crate::use_cases::UseCases;

/// The file format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object per line.
    Jsonl,
}

/// An export: one response with two possible formats.
pub(crate) struct Export(File);

impl ApiResponse for Export {
    /// Merges the two formats into one response. The derived implementation would list the status
    /// 200 twice, which no OpenAPI tool accepts.
    fn meta() -> MetaResponses {
        let mut responses: Vec<MetaResponse> = Vec::new();
        for mut form in File::meta().responses {
            match responses.iter_mut().find(|response| response.status == form.status) {
                Some(response) => response.content.append(&mut form.content),
                None => responses.push(MetaResponse { description: "The file.", ..form }),
            }
        }
        MetaResponses { responses }
    }

    fn register(registry: &mut Registry) {
        File::register(registry);
    }
}

impl IntoResponse for Export {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

#[derive(ApiResponse)]
enum File {
    /// Comma-separated values with a header line.
    #[oai(status = 200, content_type = "text/csv; charset=utf-8")]
    Csv(Binary<Body>, #[oai(header = "Content-Disposition")] String),
    /// One JSON object per line.
    #[oai(status = 200, content_type = "application/x-ndjson")]
    JsonLines(Binary<Body>, #[oai(header = "Content-Disposition")] String),
}

/// A list that can be exported page by page.
pub(crate) trait Pages: Send + 'static {
    /// An item of a page.
    type Item;
    /// The error of reading a page.
    type Error: std::error::Error + Send + Sync + Into<Problem> + 'static;
    /// The name of the file, without its date and extension.
    const NAME: &'static str;
    /// The header line of CSV.
    const HEADER: &'static [&'static str];

    /// Reads a page.
    fn page(
        &self,
        page: PageRequest,
    ) -> impl Future<Output = Result<Page<Self::Item>, Self::Error>> + Send;

    /// The CSV row of an item, with the columns of [`HEADER`](Self::HEADER).
    fn row(item: &Self::Item) -> Vec<String>;

    /// The JSON object of an item.
    fn json(item: &Self::Item) -> Value;
}

/// The rest of an export that is being sent.
struct Rest<P> {
    pages: P,
    format: Format,
    chunks: VecDeque<Vec<u8>>,
    next: Option<Cursor>,
    has_more: bool,
}

/// Exports all items, in the order of the pages.
///
/// # Errors
///
/// [`Problem`] if the first page cannot be read. A later failure closes the connection before the
/// export is complete.
pub(crate) async fn export<P: Pages>(pages: P, format: Format) -> Result<Export, Problem> {
    let name = format!("{}_{}", P::NAME, SystemClock.now().format("%Y%m%d_%H%M%S"));
    let mut rest = Rest { pages, format, chunks: VecDeque::new(), next: None, has_more: true };
    if format == Format::Csv {
        let header = P::HEADER.iter().map(|&cell| cell.to_owned()).collect();
        rest.chunks.push_back(csv_lines(std::iter::once(header)));
    }
    rest.read_page().await.map_err(Into::into)?;
    let body = Body::from_bytes_stream(stream::try_unfold(rest, |mut rest| async move {
        if rest.chunks.is_empty() && rest.has_more {
            rest.read_page().await.map_err(io::Error::other)?;
        }
        Ok::<_, io::Error>(rest.chunks.pop_front().map(|chunk| (chunk, rest)))
    }));
    let disposition = |end| format!("attachment; filename=\"{name}.{end}\"");
    Ok(Export(match format {
        Format::Csv => File::Csv(Binary(body), disposition("csv")),
        Format::Jsonl => File::JsonLines(Binary(body), disposition("jsonl")),
    }))
}

impl<P: Pages> Rest<P> {
    async fn read_page(&mut self) -> Result<(), P::Error> {
        let limit = Limit::new(Limit::MOST).unwrap_or(Limit::DEFAULT);
        let found = self.pages.page(PageRequest { limit, after: self.next }).await?;
        self.next = found.next;
        self.has_more = found.next.is_some();
        let chunk = match self.format {
            Format::Csv => csv_lines(found.items.iter().map(P::row)),
            Format::Jsonl => found
                .items
                .iter()
                .flat_map(|item| format!("{}\n", P::json(item)).into_bytes())
                .collect(),
        };
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
        Ok(())
    }
}

/// The source tweets that match a filter.
pub(crate) struct SourceTweetPages {
    pub(crate) app: Arc<UseCases>,
    pub(crate) actor: Actor,
    pub(crate) filter: SourceTweetFilter,
    pub(crate) sort: SourceTweetSort,
    pub(crate) direction: Direction,
}

impl Pages for SourceTweetPages {
    type Item = SourceTweet;
    type Error = SourceTweetsError;

    const NAME: &'static str = "source_tweets";
    const HEADER: &'static [&'static str] = &[
        "Tweet ID",
        "Content",
        "URL",
        "Likes",
        "Retweets",
        "Replies",
        "Quotes",
        "Views",
        "Total Engagement",
        "Date",
        "Execution ID",
        "Status",
        "Tweet URL",
        "Source URL",
        "Processed",
        "Processed At",
        "Unauthenticated",
        "ID",
    ];

    async fn page(&self, page: PageRequest) -> Result<Page<SourceTweet>, SourceTweetsError> {
        let Self { app, actor, filter, sort, direction } = self;
        app.source_tweets.list(actor, filter, *sort, *direction, page).await
    }

    fn row(tweet: &SourceTweet) -> Vec<String> {
        csv_row(tweet)
    }

    fn json(tweet: &SourceTweet) -> Value {
        json_object(tweet)
    }
}

fn csv_lines(rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Writing to memory cannot fail, and every row has the columns of the header.
        let _ = writer.write_record(row.iter().map(|cell| neutral(cell)));
    }
    writer.into_inner().unwrap_or_default()
}

/// The cell, with an apostrophe in front if a spreadsheet would interpret it as a formula. Some
/// spreadsheets also interpret the full-width signs of East Asian keyboards.
fn neutral(cell: &str) -> String {
    const SIGNS: [char; 11] =
        ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    if cell.starts_with(SIGNS) { format!("'{cell}") } else { cell.to_owned() }
}

fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn csv_row(tweet: &SourceTweet) -> Vec<String> {
    let (report, numbers) = (&tweet.report, tweet.report.engagement);
    vec![
        report.tweet_id.clone(),
        report.content.clone(),
        report.url.clone(),
        numbers.likes.to_string(),
        numbers.retweets.to_string(),
        numbers.replies.to_string(),
        numbers.quotes.to_string(),
        numbers.views.to_string(),
        numbers.total().to_string(),
        time(report.date),
        tweet.execution_id.clone(),
        report.status.clone(),
        report.tweet_url.clone(),
        tweet.source_url.clone(),
        tweet.is_processed.to_string(),
        time(tweet.processed_at),
        tweet.unauthenticated.to_string(),
        tweet.id.to_string(),
    ]
}

fn json_object(tweet: &SourceTweet) -> Value {
    let (report, numbers) = (&tweet.report, tweet.report.engagement);
    let instant = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    json!({
        "id": tweet.id.number(),
        "tweet_id": report.tweet_id,
        "url": report.url,
        "tweet_url": report.tweet_url,
        "content": report.content,
        "likes": numbers.likes,
        "retweets": numbers.retweets,
        "replies": numbers.replies,
        "quotes": numbers.quotes,
        "views": numbers.views,
        "total_engagement": numbers.total(),
        "date": instant(report.date),
        "date_raw": report.date_raw,
        "status": report.status,
        "execution_id": tweet.execution_id,
        "source_url": tweet.source_url,
        "unauthenticated": tweet.unauthenticated,
        "is_processed": tweet.is_processed,
        "processed_at": instant(tweet.processed_at),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe() {
        for cell in
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A"]
        {
            assert_eq!(neutral(cell), format!("'{cell}"));
        }
        assert_eq!(neutral("a=1"), "a=1");
    }

    #[test]
    fn an_export_is_documented_as_one_response_with_two_formats() {
        let described = Export::meta().responses;

        let statuses: Vec<_> = described.iter().map(|response| response.status).collect();
        assert_eq!(statuses, [Some(200)]);
        let forms = described[0].content.iter().map(|form| form.content_type);
        assert_eq!(forms.collect::<Vec<_>>(), ["text/csv; charset=utf-8", "application/x-ndjson",]);
    }

    proptest! {
        #[test]
        fn a_csv_line_is_read_back_as_it_was_written(
            cells in proptest::collection::vec(".{0,20}", 2..5)
        ) {
            let header = vec!["header".to_owned(); cells.len()];
            let lines = csv_lines([header, cells.clone()].into_iter());

            let mut reader = csv::Reader::from_reader(&lines[..]);
            let read: Vec<String> =
                reader.records().next().unwrap().unwrap().iter().map(str::to_owned).collect();
            let written: Vec<String> = cells.iter().map(|cell| neutral(cell)).collect();
            prop_assert_eq!(read, written);
        }
    }
}
