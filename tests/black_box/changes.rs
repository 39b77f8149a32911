//! Tests of the stream of changes: it tells what happens in any process, resumes, and ends when the
//! server stops.

use reqwest::{Method, Response};

use crate::database::Kind;
use crate::process::Process;
use crate::{Waggle, client, on_both};

/// A stream that is being read.
struct Stream {
    response: Response,
    read: String,
}

impl Stream {
    async fn open(waggle: &Waggle, base: &str, last_seen: Option<&str>) -> Self {
        let mut request = client()
            .request(Method::GET, format!("{base}/api/v1/changes"))
            .bearer_auth(&waggle.token);
        if let Some(id) = last_seen {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self { response, read: String::new() }
    }

    /// Reads until `text` was received.
    async fn until(&mut self, text: &str) {
        while !self.read.contains(text) {
            let chunk = self.response.chunk().await.unwrap();
            let chunk = chunk.unwrap_or_else(|| panic!("it ends after {}", self.read));
            self.read += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The ID of the last message.
    fn last_id(&self) -> &str {
        self.read.rsplit("id: ").next().unwrap().lines().next().unwrap()
    }
}

async fn a_stream_tells_what_happens_and_resumes(kind: Kind) {
    let waggle = Waggle::start(kind).await;
    let tweets = waggle.batch("b", &["One", "Two"]).await;
    // SQLite has one server.
    let other = match kind {
        Kind::Sqlite => None,
        Kind::Postgres => Some(Process::start(&waggle.database, &[])),
    };
    let base = other.as_ref().map_or(&*waggle.process.base, |other| &*other.base);

    let mut stream = Stream::open(&waggle, base, None).await;
    stream.until("\"resumed\":false").await;
    waggle.act(tweets[0], "approve").await.ok();
    stream.until("tweet.approved").await;
    let seen = stream.last_id().to_owned();
    drop(stream);
    waggle.act(tweets[1], "reject").await.ok();
    let mut resumed = Stream::open(&waggle, base, Some(&seen)).await;

    resumed.until("tweet.rejected").await;
    assert!(resumed.read.contains("\"resumed\":true"), "{}", resumed.read);
    assert!(!resumed.read.contains("tweet.approved"), "{}", resumed.read);
}

async fn streams_do_not_delay_the_end_of_the_server(kind: Kind) {
    let mut waggle = Waggle::start(kind).await;
    let base = waggle.process.base.clone();
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut stream = Stream::open(&waggle, &base, None).await;
        stream.until("ready").await;
        streams.push(stream);
    }

    waggle.process.signal("TERM");

    for mut stream in streams {
        // The last chunk is received: the connection was not just cut.
        while stream.response.chunk().await.unwrap().is_some() {}
    }
    assert_eq!(waggle.process.terminate(), Some(0));
    assert!(!waggle.log().contains("not everything finished in time"), "{}", waggle.log());
}

/// People leave many pages open.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_cost_little_memory() {
    const STREAMS: u64 = 50;
    let waggle = Waggle::start(Kind::Sqlite).await;
    let tweets = waggle.batch("b", &["One", "Two"]).await;
    let base = waggle.process.base.clone();
    let open = async |count: u64| {
        let mut streams = Vec::new();
        for _ in 0..count {
            let mut stream = Stream::open(&waggle, &base, None).await;
            stream.until("ready").await;
            streams.push(stream);
        }
        streams
    };
    // What the first streams need is there for all that come later.
    let mut first = open(5).await;
    waggle.act(tweets[0], "approve").await.ok();
    for stream in &mut first {
        stream.until("tweet.approved").await;
    }

    let (before, _) = crate::memory(waggle.process.id());
    let mut streams = open(STREAMS).await;
    waggle.act(tweets[1], "reject").await.ok();
    for stream in &mut streams {
        stream.until("tweet.rejected").await;
    }
    let (after, _) = crate::memory(waggle.process.id());

    let used = after.saturating_sub(before);
    assert!(used < 5_000_000, "{STREAMS} streams use {used} bytes");
}

on_both! {
    a_stream_tells_what_happens_and_resumes,
    streams_do_not_delay_the_end_of_the_server,
}
