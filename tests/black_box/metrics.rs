//! Tests of the metrics: who may read them, and that they count what happened.

use std::time::Instant;

use reqwest::Method;

use crate::database::Kind;
use crate::n8n::{CHECK, item, report};
use crate::process::{PATIENCE, token};
use crate::{Waggle, answer, on_both};

/// The value of a series, such as `waggle_events` or `waggle_x{a="b"}`.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

async fn metrics_count_what_happened(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let reader = token(&waggle.database, &["read"]);
    waggle.post(CHECK, report("run-1", vec![item(1), item(2)])).await.ok();
    waggle.post(CHECK, report("run-2", vec![item(1), item(3)])).await.ok();
    let tweets = waggle.batch("b", &["One", "Two"]).await;
    let post = waggle.publish(tweets[0]).await;
    waggle.until_published(post).await;

    // A delivery is counted after it is recorded, and events get their positions later.
    let published = "waggle_deliveries_total{outcome=\"published\",platform=\"sandbox\"}";
    let begun = Instant::now();
    let said = loop {
        let said = answer(waggle.request(Method::GET, "/metrics").bearer_auth(&reader)).await;
        let is_counted = value(&said.text, published).is_some();
        if is_counted && value(&said.text, "waggle_events") > Some(0.0) {
            break said;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", said.text);
    };

    assert_eq!(said.status, 200);
    assert_eq!(said.content_type, "text/plain; version=0.0.4");
    let pool = if kind == Kind::Sqlite { "readers" } else { "all" };
    let idle = format!("waggle_database_connections{{pool=\"{pool}\",state=\"idle\"}}");
    let route = "route=\"/receive-tweets\",status=\"200\"";
    let received = format!("waggle_http_requests_total{{method=\"POST\",{route}}}");
    let expected = [
        (&*received, 1.0),
        ("waggle_source_tweets_total{outcome=\"new\"}", 3.0),
        ("waggle_source_tweets_total{outcome=\"known\"}", 1.0),
        ("waggle_generated_tweets_total{outcome=\"new\"}", 2.0),
        (published, 1.0),
        ("waggle_database_up", 1.0),
        ("waggle_posts_lag_seconds", 0.0),
        ("waggle_posts_unknown", 0.0),
        ("waggle_change_streams", 0.0),
    ];
    for (series, number) in expected {
        assert_eq!(value(&said.text, series), Some(number), "{series} {}", said.text);
    }
    for series in ["waggle_events", "waggle_http_request_duration_seconds_count", &idle] {
        assert!(value(&said.text, series) > Some(0.0), "{series} {}", said.text);
    }
    // Each line is a comment, or a series with a value.
    for line in said.text.lines().filter(|line| !line.starts_with('#')) {
        let number = line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
        assert!(number.is_some(), "{line}");
    }
}

on_both! {
    metrics_count_what_happened,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_need_the_scope_read_or_a_trusted_network() {
    let waggle = Waggle::start(Kind::Sqlite).await;
    let metrics = || waggle.request(Method::GET, "/metrics");
    let ingest = token(&waggle.database, &["ingest"]);
    let trusted = Waggle::with(Kind::Sqlite, &[("TRUSTED_INGEST_NETWORKS", "127.0.0.0/8")]).await;
    let from_there = || trusted.request(Method::GET, "/metrics");

    assert_eq!(answer(metrics()).await.status, 401);
    assert_eq!(answer(metrics().bearer_auth(&ingest)).await.status, 403);
    assert_eq!(answer(from_there()).await.status, 200);
    assert_eq!(answer(from_there().bearer_auth("wrong")).await.status, 401);
    assert_eq!(answer(from_there().header("sec-fetch-site", "same-site")).await.status, 403);
}
