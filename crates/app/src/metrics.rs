//! Counts what this process does, for monitoring with Prometheus.

use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder as _, Gauge, Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use waggle_store::{Connections, Measures};

/// The upper bounds of the durations of requests, in seconds.
const DURATIONS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// What was counted since the process started.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: Histogram,
    source_tweets: IntCounterVec,
    generated_tweets: IntCounterVec,
    deliveries: IntCounterVec,
}

/// What is measured when the metrics are read.
pub(crate) struct Now<'a> {
    pub(crate) at: DateTime<Utc>,
    /// `None` if the database does not answer.
    pub(crate) measures: Option<Measures>,
    pub(crate) connections: Vec<Connections>,
    /// The number of open streams of changes.
    pub(crate) streams: usize,
    pub(crate) database: &'a str,
}

impl Metrics {
    /// Registers all counters.
    ///
    /// # Errors
    ///
    /// [`prometheus::Error`] if a name is used twice.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let requests = counter(
            "waggle_http_requests_total",
            "Requests by method, route and status.",
            &["method", "route", "status"],
        )?;
        let source_tweets = counter(
            "waggle_source_tweets_total",
            "Source tweets that were reported: new ones, and those that were known.",
            &["outcome"],
        )?;
        let generated_tweets = counter(
            "waggle_generated_tweets_total",
            "Generated tweets that were received: new ones, and those that were known.",
            &["outcome"],
        )?;
        let deliveries = counter(
            "waggle_deliveries_total",
            "Attempts to publish a post, and checks for one, by platform and outcome.",
            &["platform", "outcome"],
        )?;
        let durations = HistogramOpts::new(
            "waggle_http_request_duration_seconds",
            "How long it took until the response began.",
        );
        let durations = Histogram::with_opts(durations.buckets(DURATIONS.to_vec()))?;
        registry.register(Box::new(durations.clone()))?;
        Ok(Self { registry, requests, durations, source_tweets, generated_tweets, deliveries })
    }

    /// Counts a request. `route` must be one of few.
    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[method, route, &status.to_string()]).inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// Counts the source tweets of a report.
    pub(crate) fn source_tweets(&self, new: usize, known: usize) {
        let number = |number| u64::try_from(number).unwrap_or(u64::MAX);
        count(&self.source_tweets, "new", number(new));
        count(&self.source_tweets, "known", number(known));
    }

    /// Counts the tweets of a batch.
    pub(crate) fn generated_tweets(&self, new: u32, known: u32) {
        count(&self.generated_tweets, "new", u64::from(new));
        count(&self.generated_tweets, "known", u64::from(known));
    }

    /// Counts an attempt to publish a post.
    pub(crate) fn delivery(&self, platform: &str, outcome: &str) {
        self.deliveries.with_label_values(&[platform, outcome]).inc();
    }

    /// Everything in the text format of Prometheus.
    ///
    /// # Errors
    ///
    /// [`prometheus::Error`] if a metric has an invalid name.
    pub(crate) fn text(&self, now: &Now<'_>) -> Result<Vec<u8>, prometheus::Error> {
        let mut families = self.registry.gather();
        families.extend(now.families()?);
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(text)
    }
}

/// The content type of the text.
pub(crate) const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

fn count(counter: &IntCounterVec, outcome: &str, number: u64) {
    counter.with_label_values(&[outcome]).inc_by(number);
}

impl Now<'_> {
    fn families(&self) -> Result<Vec<MetricFamily>, prometheus::Error> {
        let mut families = Vec::new();
        let mut add = |name: &str, help: &str, value: f64| {
            let gauge = Gauge::new(name, help)?;
            gauge.set(value);
            families.extend(gauge.collect());
            Ok::<_, prometheus::Error>(())
        };
        let is_up = f64::from(u8::from(self.measures.is_some()));
        add("waggle_database_up", "Whether the database answers.", is_up)?;
        let streams = u32::try_from(self.streams).unwrap_or(u32::MAX);
        add("waggle_change_streams", "Open streams of changes.", streams.into())?;
        if let Some(measures) = self.measures {
            // Zero if nothing is overdue.
            let late = |time: Option<DateTime<Utc>>| {
                time.and_then(|time| (self.at - time).to_std().ok()).unwrap_or_default()
            };
            add(
                "waggle_posts_lag_seconds",
                "For how long the oldest post that is due has been waiting.",
                late(measures.next_post).as_secs_f64(),
            )?;
            add(
                "waggle_mails_lag_seconds",
                "For how long the oldest mail that is due has been waiting.",
                late(measures.next_mail).as_secs_f64(),
            )?;
            add(
                "waggle_events_lag_seconds",
                "For how long the oldest event that is not in the chain has been waiting.",
                late(measures.oldest_waiting_event).as_secs_f64(),
            )?;
            let events = u32::try_from(measures.last_event).map_or(f64::MAX, f64::from);
            add("waggle_events", "The position of the last event in the chain.", events)?;
            let unknown = u32::try_from(measures.unknown_posts).map_or(f64::MAX, f64::from);
            add("waggle_posts_unknown", "Posts whose outcome a person must find out.", unknown)?;
        }
        let opts = Opts::new("waggle_database_connections", "Connections to the database.");
        let connections = IntGaugeVec::new(opts, &["pool", "state"])?;
        for Connections { pool, open, idle } in &self.connections {
            connections.with_label_values(&[*pool, "idle"]).set(i64::from(*idle));
            let used = i64::from(open.saturating_sub(*idle));
            connections.with_label_values(&[*pool, "used"]).set(used);
        }
        families.extend(connections.collect());
        let opts = Opts::new("waggle_info", "The version of Waggle, and its database.");
        let info = IntGaugeVec::new(opts, &["version", "database"])?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION"), self.database]).set(1);
        families.extend(info.collect());
        Ok(families)
    }
}
