//! The worker's use case: publishes due posts, each only once.
//!
//! ```text
//! claim ──▶ begin (the intent is on disk) ──▶ send ──▶ settle
//!   ▲                                                    │
//!   └── after a crash at any point, the lease expires ◀──┘
//!       and the next worker finds the open delivery
//! ```

use std::sync::Arc;

use chrono::Duration;
use thiserror::Error;
use waggle_kernel::ids::{DeliveryId, PostId};
use waggle_kernel::{Clock, PortError};

use crate::claim::{ClaimRequest, ClaimedPosts};
use crate::claim::{Claimed, Recorded, Timing};
use crate::delivery::{
    DeliveryState, Finding, Looked, Mark, OWNER_AFTER, OpenDelivery, Outcome, Prepared, Settlement,
    attribute, decide, decide_unknown,
};
use crate::platform::Platform;
use crate::ports::{Connections, Ledger, LedgerError, Publisher};

/// Publishes due posts on their platforms.
pub struct PublishDue {
    pub ledger: Arc<dyn Ledger>,
    /// The connected platforms and the time limits.
    pub connections: Arc<dyn Connections>,
    pub clock: Arc<dyn Clock>,
}

/// How a claimed post was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What was decided.
    pub settlement: Settlement,
    /// What the ledger recorded.
    pub recorded: Recorded,
}

impl PublishDue {
    /// Leases up to `most` due posts.
    pub async fn claim(&self, most: u16) -> Result<ClaimedPosts, PortError> {
        let now = self.clock.now();
        let lease_until = now + self.connections.now().timing.lease;
        self.ledger.claim(&ClaimRequest { now, lease_until, most }).await
    }

    /// Makes the posts due that wait for the owner of the account on `platform`, and returns their
    /// number. Call it when the credentials of the account have changed.
    pub async fn release_held(&self, platform: Platform) -> Result<usize, PortError> {
        self.ledger.release_held(platform, self.clock.now()).await
    }

    /// Takes a claimed post one step further: sends it, or checks the platform for what an earlier
    /// attempt sent.
    ///
    /// # Errors
    ///
    /// [`PublishDueError`]; then the lease expires and another worker continues.
    pub async fn deliver(&self, claimed: &Claimed) -> Result<Settled, PublishDueError> {
        let connected = self.connections.now();
        let timing = connected.timing;
        let publisher = connected.publisher(claimed.post.platform);
        let Some(open) = &claimed.open else {
            if claimed.post.is_late(self.clock.now(), timing.missed_after) {
                let reason =
                    "the post could not be published in time; publish it again to queue it"
                        .to_owned();
                return self.settle(claimed, None, Settlement::Missed { reason }).await;
            }
            return match publisher {
                Some(publisher) => self.send(claimed, publisher, timing).await,
                None => self.settle(claimed, None, self.not_connected(claimed)).await,
            };
        };
        let settlement = match publisher {
            Some(publisher) => self.look(claimed, open, publisher, timing).await?,
            None => match self.not_connected(claimed) {
                Settlement::Held { at, reason } => Settlement::Look {
                    again_at: at,
                    reason,
                    looked: Looked::NotAsked,
                    is_held: true,
                },
                other => other,
            },
        };
        self.settle(claimed, Some(open.id), settlement).await
    }

    /// Credentials may be added at any time. Until then, nothing is lost and no attempt is counted.
    fn not_connected(&self, claimed: &Claimed) -> Settlement {
        Settlement::Held {
            at: self.clock.now() + OWNER_AFTER,
            reason: format!("the platform {} is not connected", claimed.post.platform),
        }
    }

    async fn send(
        &self,
        claimed: &Claimed,
        publisher: &dyn Publisher,
        timing: Timing,
    ) -> Result<Settled, PublishDueError> {
        let mut prepared = match prepare(claimed, publisher) {
            Ok(prepared) => prepared,
            Err(reason) => return self.fail(claimed, reason).await,
        };
        prepared.marker = match publisher.mark().await {
            Mark::At(marker) => Some(marker),
            Mark::NotGiven => None,
            Mark::Away { reason } => {
                let at = self.clock.now() + AWAY_AGAIN;
                let retry = Settlement::Retry { at, reason, state: DeliveryState::NotSent };
                return self.settle(claimed, None, retry).await;
            }
        };
        let now = self.clock.now();
        let delivery = match self.ledger.begin(claimed, &prepared, now, now + timing.request).await
        {
            Ok(delivery) => delivery,
            Err(error @ LedgerError::NotApproved) => {
                return self.fail(claimed, error.to_string()).await;
            }
            Err(error) => return Err(error.into()),
        };
        // A process that was suspended past its lease must not send when it resumes.
        let outcome = if self.clock.now() + timing.request > claimed.lease_until {
            Outcome::NotSent { reason: "the lease would expire before the request ends".to_owned() }
        } else {
            publisher.send(&prepared).await
        };
        let settlement = match (outcome, &claimed.earlier) {
            (Outcome::Duplicate { reason }, Some(earlier)) => {
                let finding = publisher.find(&prepared, earlier.since.clone()).await;
                match self.attributed(claimed.post.id, &prepared, finding).await? {
                    Finding::Found { id, url } => Settlement::Published { id, url },
                    _ => Settlement::Ask { reason },
                }
            }
            (outcome, _) => {
                let first_look_after = publisher.reconcile_policy().first_look_after;
                decide(outcome, claimed.attempts + 1, self.clock.now(), first_look_after)
            }
        };
        self.settle(claimed, Some(delivery), settlement).await
    }

    async fn fail(&self, claimed: &Claimed, reason: String) -> Result<Settled, PublishDueError> {
        let failed = Settlement::Failed { reason, state: DeliveryState::NotSent };
        self.settle(claimed, None, failed).await
    }

    async fn look(
        &self,
        claimed: &Claimed,
        open: &OpenDelivery,
        publisher: &dyn Publisher,
        timing: Timing,
    ) -> Result<Settlement, PublishDueError> {
        let policy = publisher.reconcile_policy();
        let first_look = open.started_at + policy.first_look_after;
        if self.clock.now() < first_look {
            return Ok(Settlement::Look {
                again_at: first_look,
                reason: "the process ended before the response arrived".to_owned(),
                looked: Looked::NotAsked,
                is_held: false,
            });
        }
        let finding = if is_elsewhere(&open.prepared, publisher) {
            let reason = "the post was sent with an account other than the one connected now";
            Finding::CannotTell { reason: reason.to_owned() }
        } else {
            let since = claimed.earlier.as_ref().and_then(|earlier| earlier.since.clone());
            let finding = publisher.find(&open.prepared, since).await;
            self.attributed(claimed.post.id, &open.prepared, finding).await?
        };
        let (attempts, now) = (claimed.attempts, self.clock.now());
        Ok(decide_unknown(finding, open, attempts, &policy, timing.missed_after, now))
    }

    /// Narrows a finding to this post: the ledger knows which ids belong to other posts.
    async fn attributed(
        &self,
        post: PostId,
        prepared: &Prepared,
        finding: Finding,
    ) -> Result<Finding, PortError> {
        let ids: Vec<String> = match &finding {
            Finding::Found { id, .. } => vec![id.clone()],
            Finding::Alike { posts, .. } => posts.iter().map(|post| post.id.clone()).collect(),
            _ => return Ok(finding),
        };
        let ownership = self.ledger.ownership(post, prepared, &ids).await?;
        Ok(attribute(finding, &ownership))
    }

    async fn settle(
        &self,
        claimed: &Claimed,
        delivery: Option<DeliveryId>,
        settlement: Settlement,
    ) -> Result<Settled, PublishDueError> {
        let now = self.clock.now();
        let recorded = self.ledger.settle(claimed, delivery, &settlement, now).await?;
        Ok(Settled { settlement, recorded })
    }
}

/// How long a post waits if the platform does not respond before anything is sent.
const AWAY_AGAIN: Duration = Duration::seconds(30);

/// Whether the request was sent with an account other than the connected one. Then its absence from
/// the timeline of the connected account proves nothing.
fn is_elsewhere(prepared: &Prepared, publisher: &dyn Publisher) -> bool {
    !prepared.channel.is_empty() && prepared.channel != publisher.channel()
}

/// Builds the request, and checks that its content is exactly what was approved.
fn prepare(claimed: &Claimed, publisher: &dyn Publisher) -> Result<Prepared, String> {
    let prepared = publisher.prepare(&claimed.post)?;
    let found = claimed.post.publication.hash();
    if found != claimed.post.approved_hash || prepared.hash != found {
        return Err(format!(
            "the content differs from what was approved: {found} instead of {}",
            claimed.post.approved_hash
        ));
    }
    Ok(prepared)
}

/// Errors of [`PublishDue::deliver`].
#[derive(Debug, Error)]
pub enum PublishDueError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use waggle_kernel::{FixedClock, Publication};

    use super::*;
    use crate::delivery::EarlierAttempts;
    use crate::delivery::{Lookalike, Marker, Ownership, ReconcilePolicy};
    use crate::ports::{Connected, MockConnections, MockLedger, MockPublisher};
    use crate::post::PublishablePost;

    fn prepared(text: &str) -> Prepared {
        Prepared {
            platform: Platform::Sandbox,
            channel: "sandbox".into(),
            key: "1".into(),
            request: json!({ "text": text }),
            hash: Publication::of_text(text).hash(),
            marker: None,
        }
    }

    fn claimed(text: &str, approved: &str) -> Claimed {
        let now = FixedClock::noon().now();
        Claimed {
            post: PublishablePost {
                id: PostId::new(1),
                platform: Platform::Sandbox,
                publication: Publication::of_text(text),
                approved_hash: Publication::of_text(approved).hash(),
                scheduled_time: Some(now),
            },
            fence: 1,
            lease_until: now + Duration::seconds(60),
            attempts: 0,
            open: None,
            earlier: None,
        }
    }

    fn open(claimed: Claimed) -> Claimed {
        let now = FixedClock::noon().now();
        let open = OpenDelivery {
            id: DeliveryId::new(5),
            prepared: prepared("words"),
            started_at: now,
            looks: 0,
            absences: 0,
        };
        Claimed { open: Some(open), earlier: Some(earlier()), ..claimed }
    }

    fn earlier() -> EarlierAttempts {
        EarlierAttempts { since: Some(Marker("7".into())) }
    }

    fn sandbox() -> MockPublisher {
        let mut publisher = MockPublisher::new();
        publisher.expect_platform().return_const(Platform::Sandbox);
        publisher.expect_channel().return_const("sandbox");
        publisher.expect_reconcile_policy().return_const(ReconcilePolicy::IMMEDIATE);
        publisher.expect_prepare().returning(|post| Ok(prepared(&post.publication.text)));
        publisher.expect_mark().returning(|| Mark::At(Marker("7".into())));
        publisher
    }

    fn ledger_that_takes_all() -> MockLedger {
        let mut ledger = MockLedger::new();
        ledger.expect_begin().returning(|_, _, _, _| Ok(DeliveryId::new(9)));
        ledger.expect_settle().returning(|_, _, _, _| Ok(Recorded::AsDecided));
        ledger.expect_ownership().returning(|_, _, _| Ok(Ownership::default()));
        ledger
    }

    fn publish(ledger: MockLedger, publisher: MockPublisher) -> PublishDue {
        publish_with(ledger, vec![Arc::new(publisher)])
    }

    fn publish_with(ledger: MockLedger, publishers: Vec<Arc<dyn Publisher>>) -> PublishDue {
        let timing = Timing {
            lease: Duration::seconds(60),
            request: Duration::seconds(20),
            missed_after: Duration::hours(6),
        };
        let connected = Arc::new(Connected { publishers, timing });
        let mut connections = MockConnections::new();
        connections.expect_now().returning(move || Arc::clone(&connected));
        PublishDue {
            ledger: Arc::new(ledger),
            connections: Arc::new(connections),
            clock: Arc::new(FixedClock::noon()),
        }
    }

    #[tokio::test]
    async fn the_intent_is_recorded_before_anything_is_sent() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut ledger = MockLedger::new();
        let seen = Arc::clone(&order);
        ledger.expect_begin().returning(move |_, _, _, _| {
            seen.lock().unwrap().push("begin");
            Ok(DeliveryId::new(9))
        });
        let seen = Arc::clone(&order);
        ledger.expect_settle().returning(move |_, _, _, _| {
            seen.lock().unwrap().push("settle");
            Ok(Recorded::AsDecided)
        });
        let mut publisher = sandbox();
        let seen = Arc::clone(&order);
        publisher.expect_send().returning(move |_| {
            seen.lock().unwrap().push("send");
            Outcome::Published { id: "s-1".into(), url: String::new() }
        });

        publish(ledger, publisher).deliver(&claimed("words", "words")).await.unwrap();

        assert_eq!(*order.lock().unwrap(), ["begin", "send", "settle"]);
    }

    #[tokio::test]
    async fn nothing_is_sent_if_the_intent_cannot_be_recorded() {
        let mut ledger = MockLedger::new();
        ledger.expect_begin().returning(|_, _, _, _| Err(LedgerError::NotHeld));
        let mut publisher = sandbox();
        publisher.expect_send().never();

        let result = publish(ledger, publisher).deliver(&claimed("words", "words")).await;

        assert!(result.is_err(), "{result:?}");
    }

    #[tokio::test]
    async fn unapproved_content_is_not_sent() {
        let mut publisher = sandbox();
        publisher.expect_send().never();

        let settled = publish(ledger_that_takes_all(), publisher)
            .deliver(&claimed("other words", "words"))
            .await
            .unwrap();

        assert!(matches!(settled.settlement, Settlement::Failed { .. }), "{settled:?}");
    }

    #[tokio::test]
    async fn an_open_delivery_of_an_earlier_worker_is_checked_and_not_resent() {
        let mut publisher = sandbox();
        publisher.expect_send().never();
        publisher
            .expect_find()
            .returning(|_, _| Finding::Found { id: "s-1".into(), url: String::new() });

        let settled = publish(ledger_that_takes_all(), publisher)
            .deliver(&open(claimed("words", "words")))
            .await
            .unwrap();

        assert!(matches!(settled.settlement, Settlement::Published { .. }), "{settled:?}");
    }

    #[tokio::test]
    async fn a_post_that_was_sent_with_another_account_is_left_to_a_person() {
        let mut publisher = sandbox();
        publisher.expect_send().never();
        publisher.expect_find().never();
        let mut sent = open(claimed("words", "words"));
        sent.open.as_mut().unwrap().prepared.channel = "another account".into();

        let settled = publish(ledger_that_takes_all(), publisher).deliver(&sent).await.unwrap();

        assert!(matches!(settled.settlement, Settlement::Ask { .. }), "{settled:?}");
    }

    #[tokio::test]
    async fn an_absent_post_goes_back_into_the_queue() {
        let mut publisher = sandbox();
        publisher.expect_send().never();
        let absent = Finding::Absent { after: Duration::zero() };
        publisher.expect_find().return_const(absent);

        let settled = publish(ledger_that_takes_all(), publisher)
            .deliver(&open(claimed("words", "words")))
            .await
            .unwrap();

        assert!(
            matches!(settled.settlement, Settlement::Retry { state: DeliveryState::Absent, .. }),
            "{settled:?}"
        );
    }

    #[tokio::test]
    async fn a_duplicate_after_an_unknown_outcome_is_adopted_if_it_is_found() {
        let mut publisher = sandbox();
        publisher.expect_send().returning(|_| Outcome::Duplicate { reason: "same".into() });
        publisher
            .expect_find()
            .returning(|_, _| Finding::Found { id: "s-1".into(), url: String::new() });
        let claimed = Claimed { earlier: Some(earlier()), ..claimed("words", "words") };

        let settled = publish(ledger_that_takes_all(), publisher).deliver(&claimed).await.unwrap();

        assert!(matches!(settled.settlement, Settlement::Published { .. }), "{settled:?}");
    }

    #[tokio::test]
    async fn a_worker_that_was_suspended_past_its_lease_sends_nothing() {
        let mut publisher = sandbox();
        publisher.expect_send().never();
        let late = Claimed { lease_until: FixedClock::noon().now(), ..claimed("words", "words") };

        let settled = publish(ledger_that_takes_all(), publisher).deliver(&late).await.unwrap();

        assert!(
            matches!(settled.settlement, Settlement::Retry { state: DeliveryState::NotSent, .. }),
            "{settled:?}"
        );
    }

    #[tokio::test]
    async fn the_position_of_the_platform_is_recorded_with_the_intent() {
        let mut ledger = MockLedger::new();
        ledger
            .expect_begin()
            .withf(|_, prepared, _, _| prepared.marker == Some(Marker("7".into())))
            .returning(|_, _, _, _| Ok(DeliveryId::new(9)));
        ledger.expect_settle().returning(|_, _, _, _| Ok(Recorded::AsDecided));
        let mut publisher = sandbox();
        publisher
            .expect_send()
            .return_const(Outcome::Published { id: "s-1".into(), url: String::new() });

        let settled = publish(ledger, publisher).deliver(&claimed("words", "words")).await;

        assert!(settled.is_ok(), "{settled:?}");
    }

    #[tokio::test]
    async fn nothing_is_begun_while_the_platform_does_not_respond() {
        let mut ledger = MockLedger::new();
        ledger.expect_begin().never();
        ledger.expect_settle().returning(|_, _, _, _| Ok(Recorded::AsDecided));
        let mut publisher = MockPublisher::new();
        publisher.expect_platform().return_const(Platform::Sandbox);
        publisher.expect_prepare().returning(|post| Ok(prepared(&post.publication.text)));
        publisher.expect_mark().return_const(Mark::Away { reason: "connection refused".into() });
        publisher.expect_send().never();

        let settled = publish(ledger, publisher).deliver(&claimed("words", "words")).await.unwrap();

        assert!(matches!(settled.settlement, Settlement::Retry { .. }), "{settled:?}");
    }

    #[tokio::test]
    async fn a_late_post_is_missed_whether_or_not_its_platform_is_connected() {
        let noon = FixedClock::noon().now();
        for connected in [true, false] {
            let mut publisher = sandbox();
            publisher.expect_send().never();
            let publishers: Vec<Arc<dyn Publisher>> =
                if connected { vec![Arc::new(publisher)] } else { Vec::new() };
            let mut late = claimed("words", "words");
            late.post.scheduled_time = Some(noon - Duration::hours(6) - Duration::seconds(1));

            let publish = publish_with(ledger_that_takes_all(), publishers);
            let settled = publish.deliver(&late).await.unwrap();

            assert!(matches!(settled.settlement, Settlement::Missed { .. }), "{settled:?}");
        }
    }

    #[tokio::test]
    async fn a_post_without_a_connected_account_waits_and_uses_up_nothing() {
        let to_send = claimed("words", "words");
        let to_look_for = open(claimed("words", "words"));

        let publish = publish_with(ledger_that_takes_all(), Vec::new());
        let held = publish.deliver(&to_send).await.unwrap();
        let looked = publish.deliver(&to_look_for).await.unwrap();

        assert!(matches!(held.settlement, Settlement::Held { .. }), "{held:?}");
        let not_asked = matches!(
            looked.settlement,
            Settlement::Look { looked: Looked::NotAsked, is_held: true, .. }
        );
        assert!(not_asked, "{looked:?}");
    }

    #[tokio::test]
    async fn an_id_with_the_same_text_that_belongs_to_another_post_is_not_adopted() {
        let mut ledger = MockLedger::new();
        ledger
            .expect_ownership()
            .withf(|_, _, ids| ids == ["1"])
            .returning(|_, _, _| Ok(Ownership { taken: ["1".to_owned()].into(), rivals: 0 }));
        ledger.expect_settle().returning(|_, _, _, _| Ok(Recorded::AsDecided));
        let mut publisher = sandbox();
        publisher.expect_find().returning(|_, _| Finding::Alike {
            posts: vec![Lookalike { id: "1".into(), url: String::new(), is_exact: true }],
            after: Duration::zero(),
        });

        let publish = publish(ledger, publisher);
        let settled = publish.deliver(&open(claimed("words", "words"))).await.unwrap();

        let absent =
            matches!(settled.settlement, Settlement::Retry { state: DeliveryState::Absent, .. });
        assert!(absent, "{settled:?}");
    }
}
