//! The worker's use case: what is due goes out, once.
//!
//! ```text
//! claim ──▶ begin (the intent is on disk) ──▶ send ──▶ settle
//!   ▲                                                    │
//!   └── a crash anywhere: the lease runs out, and the next worker finds what is open
//! ```

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use thiserror::Error;
use waggle_kernel::ids::DeliveryId;
use waggle_kernel::{Clock, PortError};

use crate::delivery::{Finding, OpenDelivery, Outcome, Prepared, Settlement, decide, decide_doubt};
use crate::ports::{ClaimRequest, Connections, Ledger, LedgerError, Publisher};
use crate::post::PublishablePost;

/// A post in the hand of a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The post.
    pub post: PublishablePost,
    /// Counts the hands that had the post; a later hand has a larger number.
    pub fence: i64,
    /// Until when this hand has it.
    pub lease_until: DateTime<Utc>,
    /// How many deliveries were begun before.
    pub attempts: u32,
    /// The delivery that an earlier hand left open.
    pub open: Option<OpenDelivery>,
    /// When the first attempt began that ended in doubt, if one did.
    pub first_doubt_at: Option<DateTime<Utc>>,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a worker has a post in hand; longer than a request may take.
    pub lease: Duration,
    /// How long a request to a platform may take.
    pub request: Duration,
    /// How late a post may go out; after that it is missed.
    pub missed_after: Duration,
}

/// Brings what is due to its platforms.
pub struct PublishDue {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The platforms, and how long things may take.
    pub connections: Arc<dyn Connections>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What became of one claimed post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What was written down.
    pub settlement: Settlement,
}

impl PublishDue {
    /// Takes up to `most` posts in hand.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    pub async fn claim(&self, most: u16) -> Result<Vec<Claimed>, PortError> {
        let now = self.clock.now();
        let timing = self.connections.now().timing;
        self.ledger
            .claim(&ClaimRequest {
                now,
                lease_until: now + timing.lease,
                most,
                missed_before: now - timing.missed_after,
            })
            .await
    }

    /// Brings a claimed post one step further: sends it, or looks for what an earlier hand sent.
    ///
    /// # Errors
    ///
    /// [`PublishDueError`]; then the lease runs out and another hand goes on.
    pub async fn deliver(&self, claimed: &Claimed) -> Result<Settled, PublishDueError> {
        let connected = self.connections.now();
        let Some(publisher) = connected.publisher(claimed.post.platform) else {
            // It may come back with its credentials at any time; until then nothing is lost.
            let again_at = self.clock.now() + Duration::minutes(1);
            let settlement = Settlement::Retry {
                at: again_at,
                reason: format!("the platform {} is not connected", claimed.post.platform),
                state: crate::delivery::DeliveryState::NotSent,
            };
            return match &claimed.open {
                None => self.settle(claimed, None, settlement).await,
                Some(open) => {
                    let reason = format!("the platform {} is not connected", claimed.post.platform);
                    let look = Settlement::Look { again_at, reason, absent: false };
                    self.settle(claimed, Some(open.id), look).await
                }
            };
        };
        match &claimed.open {
            Some(open) => self.look(claimed, open, publisher).await,
            None => self.send(claimed, publisher, connected.timing).await,
        }
    }

    async fn send(
        &self,
        claimed: &Claimed,
        publisher: &dyn Publisher,
        timing: Timing,
    ) -> Result<Settled, PublishDueError> {
        let prepared = match prepare(claimed, publisher) {
            Ok(prepared) => prepared,
            Err(reason) => {
                return self.settle(claimed, None, Settlement::Failed { reason }).await;
            }
        };
        let now = self.clock.now();
        let delivery = match self.ledger.begin(claimed, &prepared, now, now + timing.request).await
        {
            Ok(delivery) => delivery,
            Err(LedgerError::NotApproved) => {
                let reason = LedgerError::NotApproved.to_string();
                return self.settle(claimed, None, Settlement::Failed { reason }).await;
            }
            Err(error) => return Err(error.into()),
        };
        // A process that slept through its lease must not wake up and send.
        let outcome = if self.clock.now() + timing.request > claimed.lease_until {
            Outcome::NotSent { reason: "the lease would not last for the request".to_owned() }
        } else {
            publisher.send(&prepared).await
        };
        let settlement = match (outcome, claimed.first_doubt_at) {
            (Outcome::Duplicate { reason }, Some(since)) => {
                match publisher.find(&prepared, since).await {
                    Finding::Found { id, url } => Settlement::Published { id, url },
                    _ => Settlement::Ask { reason },
                }
            }
            (outcome, _) => {
                let first_look_after = publisher.doubt_policy().first_look_after;
                decide(outcome, claimed.attempts + 1, self.clock.now(), first_look_after)
            }
        };
        self.settle(claimed, Some(delivery), settlement).await
    }

    async fn look(
        &self,
        claimed: &Claimed,
        open: &OpenDelivery,
        publisher: &dyn Publisher,
    ) -> Result<Settled, PublishDueError> {
        let policy = publisher.doubt_policy();
        let first_look = open.started_at + policy.first_look_after;
        let now = self.clock.now();
        let settlement = if now < first_look {
            let reason = "the process ended before the answer came".to_owned();
            Settlement::Look { again_at: first_look, reason, absent: false }
        } else {
            let finding = if is_elsewhere(&open.prepared, publisher) {
                let reason = "it was sent with another account than the one that is connected now";
                Finding::CannotTell { reason: reason.to_owned() }
            } else {
                publisher.find(&open.prepared, open.first_doubt_at).await
            };
            decide_doubt(finding, open, claimed.attempts, &policy, self.clock.now())
        };
        self.settle(claimed, Some(open.id), settlement).await
    }

    async fn settle(
        &self,
        claimed: &Claimed,
        delivery: Option<DeliveryId>,
        settlement: Settlement,
    ) -> Result<Settled, PublishDueError> {
        self.ledger.settle(claimed, delivery, &settlement, self.clock.now()).await?;
        Ok(Settled { settlement })
    }
}

/// Whether it was sent with another account: that it is not on this one's timeline says nothing then.
fn is_elsewhere(prepared: &Prepared, publisher: &dyn Publisher) -> bool {
    !prepared.channel.is_empty() && prepared.channel != publisher.channel()
}

/// The request, if it says exactly what was approved.
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

/// Why a claimed post was not brought further.
#[derive(Debug, Error)]
pub enum PublishDueError {
    /// The ledger took it down no more.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use waggle_kernel::ids::PostId;
    use waggle_kernel::{FixedClock, Publication};

    use super::*;
    use crate::Platform;
    use crate::delivery::{DeliveryState, DoubtPolicy};
    use crate::ports::{Connected, MockConnections, MockLedger, MockPublisher};

    fn prepared(text: &str) -> Prepared {
        Prepared {
            platform: Platform::Sandbox,
            channel: "sandbox".into(),
            key: "1".into(),
            request: json!({ "text": text }),
            hash: Publication::of_text(text).hash(),
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
            },
            fence: 1,
            lease_until: now + Duration::seconds(60),
            attempts: 0,
            open: None,
            first_doubt_at: None,
        }
    }

    fn open(claimed: Claimed) -> Claimed {
        let now = FixedClock::noon().now();
        let open = OpenDelivery {
            id: DeliveryId::new(5),
            prepared: prepared("words"),
            started_at: now,
            first_doubt_at: now,
            looks: 0,
            absences: 0,
        };
        Claimed { open: Some(open), ..claimed }
    }

    fn sandbox() -> MockPublisher {
        let mut publisher = MockPublisher::new();
        publisher.expect_platform().return_const(Platform::Sandbox);
        publisher.expect_channel().return_const("sandbox");
        publisher.expect_doubt_policy().return_const(DoubtPolicy::IMMEDIATE);
        publisher.expect_prepare().returning(|post| Ok(prepared(&post.publication.text)));
        publisher
    }

    fn ledger_that_takes_all() -> MockLedger {
        let mut ledger = MockLedger::new();
        ledger.expect_begin().returning(|_, _, _, _| Ok(DeliveryId::new(9)));
        ledger.expect_settle().returning(|_, _, _, _| Ok(()));
        ledger
    }

    fn publish(ledger: MockLedger, publisher: MockPublisher) -> PublishDue {
        let timing = Timing {
            lease: Duration::seconds(60),
            request: Duration::seconds(20),
            missed_after: Duration::hours(6),
        };
        let connected = Arc::new(Connected { publishers: vec![Arc::new(publisher)], timing });
        let mut connections = MockConnections::new();
        connections.expect_now().returning(move || Arc::clone(&connected));
        PublishDue {
            ledger: Arc::new(ledger),
            connections: Arc::new(connections),
            clock: Arc::new(FixedClock::noon()),
        }
    }

    #[tokio::test]
    async fn the_intent_is_written_down_before_anything_is_sent() {
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
            Ok(())
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
    async fn nothing_is_sent_if_the_intent_could_not_be_written_down() {
        let mut ledger = MockLedger::new();
        ledger.expect_begin().returning(|_, _, _, _| Err(LedgerError::NotHeld));
        let mut publisher = sandbox();
        publisher.expect_send().never();

        let result = publish(ledger, publisher).deliver(&claimed("words", "words")).await;

        assert!(result.is_err(), "{result:?}");
    }

    #[tokio::test]
    async fn words_that_nobody_approved_are_not_sent() {
        let mut publisher = sandbox();
        publisher.expect_send().never();

        let settled = publish(ledger_that_takes_all(), publisher)
            .deliver(&claimed("other words", "words"))
            .await
            .unwrap();

        assert!(matches!(settled.settlement, Settlement::Failed { .. }), "{settled:?}");
    }

    #[tokio::test]
    async fn what_an_earlier_hand_left_open_is_looked_for_and_not_sent() {
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
    async fn what_was_sent_with_another_account_is_for_a_person_to_find() {
        let mut publisher = sandbox();
        publisher.expect_send().never();
        publisher.expect_find().never();
        let mut sent = open(claimed("words", "words"));
        sent.open.as_mut().unwrap().prepared.channel = "another account".into();

        let settled = publish(ledger_that_takes_all(), publisher).deliver(&sent).await.unwrap();

        assert!(matches!(settled.settlement, Settlement::Ask { .. }), "{settled:?}");
    }

    #[tokio::test]
    async fn what_is_not_there_goes_back_into_the_queue() {
        let mut publisher = sandbox();
        publisher.expect_send().never();
        publisher.expect_find().returning(|_, _| Finding::Absent);

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
    async fn a_duplicate_after_a_doubt_is_adopted_if_it_is_found() {
        let mut publisher = sandbox();
        publisher.expect_send().returning(|_| Outcome::Duplicate { reason: "same".into() });
        publisher
            .expect_find()
            .returning(|_, _| Finding::Found { id: "s-1".into(), url: String::new() });
        let claimed =
            Claimed { first_doubt_at: Some(FixedClock::noon().now()), ..claimed("words", "words") };

        let settled = publish(ledger_that_takes_all(), publisher).deliver(&claimed).await.unwrap();

        assert!(matches!(settled.settlement, Settlement::Published { .. }), "{settled:?}");
    }

    #[tokio::test]
    async fn a_hand_that_slept_through_its_lease_sends_nothing() {
        let mut publisher = sandbox();
        publisher.expect_send().never();
        let late = Claimed { lease_until: FixedClock::noon().now(), ..claimed("words", "words") };

        let settled = publish(ledger_that_takes_all(), publisher).deliver(&late).await.unwrap();

        assert!(
            matches!(settled.settlement, Settlement::Retry { state: DeliveryState::NotSent, .. }),
            "{settled:?}"
        );
    }
}
