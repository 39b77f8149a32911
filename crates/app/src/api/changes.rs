//! The stream of changes: server-sent events that say that something changed, but not what.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use poem::web::Data;
use poem::{Body, Request};
use poem_openapi::param::Header;
use poem_openapi::payload::Binary;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;
use waggle_audit::{Beginning, Change, FollowChanges, Place};
use waggle_kernel::ids::Version;
use waggle_kernel::{Actor, PortError, error_chain};

use super::tag::Tag;
use crate::http::{Caller, Failure, StillAllowed};
use crate::live::changes::Batch;
use crate::use_cases::UseCases;

/// How often the access of the client is checked, and a sign of life is sent.
const CHECK: Duration = Duration::from_secs(15);

#[derive(ApiResponse)]
enum ChangeStream {
    /// Server-sent events.
    #[oai(status = 200, content_type = "text/event-stream")]
    Events(Binary<Body>, #[oai(header = "X-Accel-Buffering")] String),
}

pub(crate) struct ChangesApi;

#[OpenApi(tag = "Tag::Events")]
impl ChangesApi {
    /// Follow changes as they happen.
    ///
    /// Scope: `read`. A stream of server-sent events: one for each event that was recorded, in
    /// order, with `position`, `kind`, `object_kind`, `object_id` and `version`, but without what
    /// changed. Changes of settings are for admins, those of accounts for admins who are signed in.
    ///
    /// The first message has the type `ready` and says with `resumed` whether everything since
    /// `Last-Event-ID` follows. If not, because it is missing, too old, or from before a backup was
    /// restored, read again what you have read before. A lost connection is resumed with the last
    /// ID; browsers do that by themselves.
    ///
    /// The stream ends with the session or API token, and when the server stops. It does not keep a
    /// session from ending. At least every 15 seconds, something is sent.
    #[oai(path = "/changes", method = "get", operation_id = "follow_changes")]
    async fn follow_changes(
        &self,
        caller: Caller,
        request: &Request,
        app: Data<&Arc<UseCases>>,
        /// The ID of the last message that you received.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<String>>,
    ) -> Result<ChangeStream, Failure> {
        let (app, last_seen) = (Arc::clone(app.0), last_event_id.0.as_deref());
        let (first, follower) = Follower::begin(app, request, caller.actor, last_seen).await?;
        let rest = stream::unfold(follower, |mut follower| async move {
            let messages = follower.next().await?;
            Some((messages, follower))
        });
        let messages = stream::iter([first]).chain(rest);
        let body = Body::from_bytes_stream(messages.map(Ok::<_, io::Error>));
        Ok(ChangeStream::Events(Binary(body), "no".to_owned()))
    }
}

/// Follows the changes for one client.
pub(super) struct Follower {
    app: Arc<UseCases>,
    access: StillAllowed,
    actor: Actor,
    new: Receiver<Arc<Batch>>,
    draining: watch::Receiver<bool>,
    /// How far this follower has read.
    place: Place,
    /// The last position that the client was told.
    told: i64,
    /// Whether changes must be read from the database.
    is_behind: bool,
    pub(super) next_check: Instant,
}

impl Follower {
    /// Begins after the last message that the client received. Returns the first message, too.
    pub(super) async fn begin(
        app: Arc<UseCases>,
        request: &Request,
        actor: Actor,
        last_seen: Option<&str>,
    ) -> Result<(String, Self), PortError> {
        // What is sent from now on is not missed.
        let new = app.new_changes.subscribe();
        let beginning = app.changes.begin(last_seen).await?;
        let first = ready(&beginning);
        let follower = Self {
            access: StillAllowed::of(request),
            actor,
            new,
            draining: app.draining.subscribe(),
            told: beginning.place.position,
            place: beginning.place,
            is_behind: true,
            next_check: Instant::now() + CHECK,
            app,
        };
        Ok((first, follower))
    }

    /// The next messages; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            if *self.draining.borrow() {
                return None;
            }
            if Instant::now() >= self.next_check {
                self.actor = self.access.check(&self.app).await.ok()?;
                self.next_check = Instant::now() + CHECK;
                return Some(self.sign_of_life());
            }
            if self.is_behind {
                let changes = match self.app.changes.after(self.place.position).await {
                    Ok(changes) => changes,
                    Err(problem) => {
                        warn!(error = %error_chain(&problem), "a stream of changes ended");
                        return None;
                    }
                };
                self.recheck_after(&changes).await?;
                self.is_behind = changes.len() >= usize::from(FollowChanges::MOST);
                let text = self.messages(&changes);
                if !text.is_empty() {
                    return Some(text);
                }
                continue;
            }
            let next_check = self.next_check;
            let batch = tokio::select! {
                batch = self.new.recv() => batch,
                () = tokio::time::sleep_until(next_check) => continue,
                _ = self.draining.wait_for(|draining| *draining) => return None,
            };
            match batch {
                Ok(batch) if batch.to <= self.place.position => {}
                Ok(batch) if batch.after <= self.place.position => {
                    self.recheck_after(&batch.changes).await?;
                    let text = self.messages(&batch.changes);
                    if !text.is_empty() {
                        return Some(text);
                    }
                }
                Ok(_) | Err(RecvError::Lagged(_)) => self.is_behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Checks the access again if accounts changed: the session may have ended, or a right may be
    /// lost. Returns `None` if the client has no access any more.
    async fn recheck_after(&mut self, changes: &[Change]) -> Option<()> {
        if changes.iter().any(|change| change.object_kind == "account") {
            self.actor = self.access.check(&self.app).await.ok()?;
        }
        Some(())
    }

    /// The messages for those of the changes that the client did not receive and may learn of.
    fn messages(&mut self, changes: &[Change]) -> String {
        let mut text = String::new();
        for change in changes {
            if change.position <= self.place.position {
                continue;
            }
            self.place.position = change.position;
            if !change.is_visible_to(&self.actor) {
                continue;
            }
            self.told = change.position;
            let data = json!({
                "position": change.position,
                "kind": change.kind,
                "object_kind": change.object_kind,
                "object_id": change.object_id,
                "version": change.version.map(Version::number),
            });
            let _ = write!(text, "id: {}\ndata: {data}\n\n", self.place);
        }
        text
    }

    /// A comment, or the ID of the last event if the client could not see it. An ID without data is
    /// no message.
    fn sign_of_life(&mut self) -> String {
        if self.told == self.place.position {
            return ":\n\n".to_owned();
        }
        self.told = self.place.position;
        format!("id: {}\n\n", self.place)
    }
}

/// The first message of a stream.
fn ready(beginning: &Beginning) -> String {
    let data = json!({ "resumed": beginning.is_resumed });
    format!("id: {}\nevent: ready\ndata: {data}\n\n", beginning.place)
}
