//! A platform for trying out Waggle: a local timeline, with faults that imitate real platforms.
//!
//! It behaves like the least helpful of the real platforms. It has no idempotency key that would
//! make a repeated request harmless, so a post that is sent twice appears twice. The timeline is a
//! file of JSON lines, which outlives a killed process, as a real platform would.

#![expect(
    clippy::indexing_slicing,
    reason = "reading JSON by a key gives null where there is none; it does not panic"
)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use waggle_content::ports::Publisher;
use waggle_content::{
    Finding, Mark, Marker, Outcome, Platform, Prepared, PublishablePost, ReconcilePolicy,
};
use waggle_kernel::{Clock, named_enum};

/// The delay of the slow faults.
const SLOW: Duration = Duration::from_secs(10);
/// How many bytes a check reads from the end of the timeline: about ten thousand posts.
const LOOK_BYTES: u64 = 8 * 1024 * 1024;

named_enum! {
    /// A fault that the sandbox simulates.
    pub enum Fault: "sandbox fault" {
        /// Every post is refused.
        Refuse = "refuse",
        /// The sandbox asks to retry in five seconds.
        Wait = "wait",
        /// The sandbox reports a problem with the account.
        Channel = "channel",
        /// The request never arrives, and the sender cannot know that.
        LostRequest = "lost-request",
        /// The request arrives, but the response does not.
        LostAnswer = "lost-answer",
        /// Building the request takes ten seconds.
        SlowPrepare = "slow-prepare",
        /// The request takes ten seconds to arrive.
        SlowRequest = "slow-request",
        /// The response takes ten seconds to arrive.
        SlowAnswer = "slow-answer",
        /// A check takes ten seconds.
        SlowLook = "slow-look",
        /// The timeline cannot be checked.
        Blind = "blind",
    }
}

/// A post on the sandbox's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPost {
    /// The id, which starts with `sandbox`.
    pub id: String,
    /// The key by which the sender identifies the post.
    pub key: String,
    pub text: String,
    /// When the post arrived.
    pub at: DateTime<Utc>,
}

/// The publisher for the sandbox.
pub struct Sandbox {
    path: PathBuf,
    faults: Vec<Fault>,
    timeout: chrono::Duration,
    clock: Arc<dyn Clock>,
}

impl Sandbox {
    /// Creates a sandbox whose timeline is in `folder`. The folder is created when something is
    /// posted. A request that takes longer than `timeout` to arrive is aborted, as by an HTTP
    /// client.
    pub fn new(
        folder: &Path,
        faults: Vec<Fault>,
        timeout: chrono::Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { path: folder.join("timeline.jsonl"), faults, timeout, clock }
    }

    /// The latest posts, newest first, at most `most` of them.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the timeline cannot be read.
    pub async fn timeline(&self, most: usize) -> io::Result<Vec<SandboxPost>> {
        let path = self.path.clone();
        let timeline = blocking(move || read(&path)).await?;
        Ok(timeline.posts.into_iter().rev().take(most).map(|(_, post)| post).collect())
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    async fn slow(&self, fault: Fault) {
        if self.has(fault) {
            tokio::time::sleep(SLOW).await;
        }
    }
}

#[async_trait]
impl Publisher for Sandbox {
    fn platform(&self) -> Platform {
        Platform::Sandbox
    }

    fn channel(&self) -> String {
        "sandbox".to_owned()
    }

    fn reconcile_policy(&self) -> ReconcilePolicy {
        ReconcilePolicy::IMMEDIATE
    }

    fn prepare(&self, post: &PublishablePost) -> Result<Prepared, String> {
        let publication = &post.publication;
        if self.has(Fault::SlowPrepare) {
            // This fault blocks the thread on purpose.
            std::thread::sleep(SLOW);
        }
        if !publication.media.is_empty() {
            return Err("the sandbox accepts only text".to_owned());
        }
        let mut request = json!({ "text": publication.text });
        if let Some(target) = &publication.reply_to {
            request["reply_to"] = json!(target);
        }
        if let Some(target) = &publication.quote_of {
            request["quote_of"] = json!(target);
        }
        Ok(Prepared {
            platform: Platform::Sandbox,
            channel: self.channel(),
            key: format!("post-{}", post.id),
            request,
            hash: publication.hash(),
            marker: None,
        })
    }

    /// The length of the timeline. Later posts begin at or after this position.
    async fn mark(&self) -> Mark {
        let path = self.path.clone();
        match blocking(move || length(&path)).await {
            Ok(length) => Mark::At(Marker(length.to_string())),
            Err(error) => Mark::Away { reason: format!("the sandbox timeline failed: {error}") },
        }
    }

    async fn send(&self, prepared: &Prepared) -> Outcome {
        if self.has(Fault::Refuse) {
            return Outcome::Refused {
                reason: "the sandbox is configured to refuse posts".to_owned(),
            };
        }
        if self.has(Fault::Wait) {
            return Outcome::Wait {
                until: self.clock.now() + chrono::Duration::seconds(5),
                reason: "the sandbox is configured to delay posts".to_owned(),
            };
        }
        if self.has(Fault::Channel) {
            let reason =
                "the sandbox is configured to report a problem with the account".to_owned();
            return Outcome::Channel { reason };
        }
        if self.has(Fault::LostRequest) {
            return Outcome::Unknown { reason: "the sandbox lost the request".to_owned() };
        }
        let begun = self.clock.now();
        self.slow(Fault::SlowRequest).await;
        let (path, now) = (self.path.clone(), self.clock.now());
        // This compares clock times instead of using a timer: a process that was stopped in the
        // meantime must not continue as if it had not been.
        if now - begun >= self.timeout {
            return Outcome::Unknown { reason: "the request timed out".to_owned() };
        }
        let key = prepared.key.clone();
        let text = prepared.request.get("text").and_then(|text| text.as_str()).unwrap_or_default();
        let text = text.to_owned();
        let posted = blocking(move || append(&path, key, text, now)).await;
        self.slow(Fault::SlowAnswer).await;
        match posted {
            Ok(_) if self.has(Fault::LostAnswer) => {
                Outcome::Unknown { reason: "the sandbox lost the response".to_owned() }
            }
            Ok(post) => Outcome::Published { url: url(&post.id), id: post.id },
            Err(error) => {
                Outcome::Unknown { reason: format!("the sandbox timeline failed: {error}") }
            }
        }
    }

    async fn find(&self, prepared: &Prepared, since: Option<Marker>) -> Finding {
        if self.has(Fault::Blind) {
            let reason = "the sandbox is configured not to allow checks".to_owned();
            return Finding::CannotTell { reason };
        }
        let Some(since) = since.and_then(|marker| marker.0.parse::<u64>().ok()) else {
            let reason =
                "the length of the timeline before the post was sent is unknown".to_owned();
            return Finding::CannotTell { reason };
        };
        self.slow(Fault::SlowLook).await;
        let path = self.path.clone();
        match blocking(move || read(&path)).await {
            Ok(timeline) => find(&timeline, &prepared.key, since),
            Err(error) => {
                Finding::TryLater { reason: format!("the sandbox timeline failed: {error}") }
            }
        }
    }
}

/// Looks for a post with this key that begins at or after `since`.
fn find(timeline: &Timeline, key: &str, since: u64) -> Finding {
    let cannot_tell = |reason: &str| Finding::CannotTell { reason: reason.to_owned() };
    let found = timeline.posts.iter().find(|(at, post)| *at >= since && post.key == key);
    match found {
        Some((_, post)) => Finding::Found { url: url(&post.id), id: post.id.clone() },
        None if timeline.length < since => {
            cannot_tell("the timeline is shorter than it was before the post was sent")
        }
        None if timeline.read_from > since => {
            cannot_tell("too many posts were published since then to check them all")
        }
        None => Finding::Absent { after: chrono::Duration::zero() },
    }
}

fn url(id: &str) -> String {
    format!("/sandbox#{id}")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn append(path: &Path, key: String, text: String, at: DateTime<Utc>) -> io::Result<SandboxPost> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    // Other processes may post to the same timeline.
    file.lock()?;
    let length = file.metadata()?.len();
    // The time makes ids unique even if the timeline was deleted and starts again.
    let id = format!("sandbox-{}-{}", at.timestamp(), length + 1);
    let post = SandboxPost { id, key, text, at };
    let mut line = Vec::new();
    if length > 0 && last_byte(&mut file)? != b'\n' {
        line.push(b'\n');
    }
    serde_json::to_writer(&mut line, &post)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()?;
    Ok(post)
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// The end of the timeline's file.
struct Timeline {
    /// The latest posts, oldest first, each with its position in the file.
    posts: Vec<(u64, SandboxPost)>,
    /// The position from which the file was read.
    read_from: u64,
    /// The length of the file.
    length: u64,
}

fn length(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Reads the end of the timeline, and ignores lines that a crash left incomplete.
fn read(path: &Path) -> io::Result<Timeline> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Timeline { posts: Vec::new(), read_from: 0, length: 0 });
        }
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let read_from = length.saturating_sub(LOOK_BYTES);
    file.seek(SeekFrom::Start(read_from))?;
    let mut bytes = Vec::new();
    file.take(LOOK_BYTES).read_to_end(&mut bytes)?;
    let mut posts = Vec::new();
    let mut at = read_from;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if let Ok(post) = serde_json::from_slice(line) {
            posts.push((at, post));
        }
        at += u64::try_from(line.len()).unwrap_or_default();
    }
    Ok(Timeline { posts, read_from, length })
}

#[cfg(test)]
mod tests {
    use waggle_kernel::ids::PostId;
    use waggle_kernel::{FixedClock, Publication};

    use super::*;

    fn sandbox(name: &str, faults: Vec<Fault>) -> Sandbox {
        let folder = std::env::temp_dir().join(format!("waggle-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Sandbox::new(&folder, faults, chrono::Duration::seconds(20), Arc::new(FixedClock::noon()))
    }

    fn prepared(sandbox: &Sandbox, id: i64) -> Prepared {
        let publication = Publication::of_text("words");
        let post = PublishablePost {
            id: PostId::new(id),
            platform: Platform::Sandbox,
            approved_hash: publication.hash(),
            scheduled_time: None,
            publication,
        };
        sandbox.prepare(&post).unwrap()
    }

    #[tokio::test]
    async fn a_post_is_found_and_a_post_sent_twice_is_there_twice() {
        let sandbox = sandbox("twice", Vec::new());
        let prepared = prepared(&sandbox, 1);
        let Mark::At(before) = sandbox.mark().await else { panic!("the timeline has a length") };
        let absent = Finding::Absent { after: chrono::Duration::zero() };
        assert_eq!(sandbox.find(&prepared, Some(before.clone())).await, absent);

        let sent = sandbox.send(&prepared).await;
        sandbox.send(&prepared).await;

        let Outcome::Published { id, .. } = sent else { panic!("{sent:?}") };
        assert!(id.starts_with("sandbox-"), "{id}");
        let Mark::At(after) = sandbox.mark().await else { panic!("the timeline has a length") };
        let found = sandbox.find(&prepared, Some(before)).await;
        assert!(matches!(found, Finding::Found { .. }), "{found:?}");
        // A post from before the marker is not the one that was sent after it.
        assert_eq!(sandbox.find(&prepared, Some(after)).await, absent);
        let unknown = sandbox.find(&prepared, None).await;
        assert!(matches!(unknown, Finding::CannotTell { .. }), "{unknown:?}");
        assert_eq!(sandbox.timeline(10).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_the_post_there_and_a_lost_request_does_not() {
        for (fault, there) in [(Fault::LostAnswer, 1), (Fault::LostRequest, 0)] {
            let sandbox = sandbox(if there == 1 { "answer" } else { "request" }, vec![fault]);

            let outcome = sandbox.send(&prepared(&sandbox, 1)).await;

            assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
            assert_eq!(sandbox.timeline(10).await.unwrap().len(), there, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_deleted_timeline_proves_no_absence() {
        let sandbox = sandbox("deleted", Vec::new());
        let prepared = prepared(&sandbox, 1);
        sandbox.send(&prepared).await;
        let Mark::At(marker) = sandbox.mark().await else { panic!("the timeline has a length") };
        std::fs::remove_file(&sandbox.path).unwrap();

        let finding = sandbox.find(&prepared, Some(marker)).await;

        assert!(matches!(finding, Finding::CannotTell { .. }), "{finding:?}");
    }

    #[tokio::test]
    async fn a_line_that_a_crash_left_incomplete_hides_nothing() {
        let sandbox = sandbox("torn", Vec::new());
        sandbox.send(&prepared(&sandbox, 1)).await;
        OpenOptions::new()
            .append(true)
            .open(&sandbox.path)
            .and_then(|mut file| file.write_all(b"{\"id\":\"sandb"))
            .unwrap();

        sandbox.send(&prepared(&sandbox, 2)).await;

        let keys: Vec<String> =
            sandbox.timeline(10).await.unwrap().into_iter().map(|post| post.key).collect();
        assert_eq!(keys, ["post-2", "post-1"]);
    }
}
