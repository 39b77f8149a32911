//! Deliveries: attempts to publish a post on its platform, and what follows from their outcomes.
//!
//! ```text
//! in_flight ──▶ published | refused | not_sent             the platform's response was clear
//!     │
//!     └──▶ unknown ──(reconcile)──▶ published | absent     it was unclear or missing
//!
//! refused | not_sent | absent ──▶ also_published           the request arrived after all
//! ```
//!
//! A post has at most one delivery that is in flight, unknown or published. The schema enforces it.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use waggle_kernel::ContentHash;
use waggle_kernel::ids::{DeliveryId, PostId};
use waggle_kernel::named_enum;

use crate::platform::Platform;

/// After this many attempts, Waggle gives up and a person must decide.
pub const MOST_ATTEMPTS: u32 = 12;
/// After this many checks without an answer, a person must decide.
const MOST_LOOKS: u32 = 10;

named_enum! {
    /// The state of a delivery.
    pub enum DeliveryState: "delivery state" {
        /// The request may be in progress at this moment.
        InFlight = "in_flight",
        /// The post is on the platform.
        Published = "published",
        /// The platform refused the post.
        Refused = "refused",
        /// The request certainly did not arrive: no byte was sent, or the platform said to retry
        /// later.
        NotSent = "not_sent",
        /// The platform was checked, and the post is not there.
        Absent = "absent",
        /// It is unknown whether the post is on the platform.
        Unknown = "unknown",
        /// The post of this delivery turned out to be public after another delivery took its place.
        AlsoPublished = "also_published",
    }
}

/// A position in a platform's own time or timeline. Posts that are published later come after it.
///
/// It comes from the platform (X's clock, or the length of the sandbox's timeline), never from the
/// local clock. The local clock may be wrong, or may be changed between a request and the check for
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(pub String);

/// The position of a platform before something is sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// The platform is at this position.
    At(Marker),
    /// The platform responds, but does not give a position. A post sent now cannot be looked for.
    NotGiven,
    /// The platform does not respond.
    Away { reason: String },
}

/// The complete request for a post, fixed before anything is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    pub platform: Platform,
    /// The account that the post is published with, in a form that reveals no credentials. The post
    /// is looked for in this account only. Empty if the account is unknown.
    pub channel: String,
    /// A key that identifies the post on platforms that accept one.
    pub key: String,
    /// The body of the request, without credentials.
    pub request: Value,
    /// The hash of the publication in the request.
    pub hash: ContentHash,
    /// The position of the platform before the request; [`None`] if the platform did not give one.
    pub marker: Option<Marker>,
}

/// The outcome of a request to publish a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The post is public.
    Published {
        /// The platform's id of the post.
        id: String,
        url: String,
    },
    /// The platform refuses the post, now and later.
    Refused {
        /// The platform's message.
        reason: String,
    },
    /// The platform says that it already has the same post.
    Duplicate {
        /// The platform's message.
        reason: String,
    },
    /// The request certainly did not arrive.
    NotSent { reason: String },
    /// The platform did not accept the post and said when to retry.
    Wait {
        /// When to retry.
        until: DateTime<Utc>,
        /// The platform's message.
        reason: String,
    },
    /// The problem is the account or the app, not the post. The owner of the account must act.
    Channel {
        /// The platform's message.
        reason: String,
    },
    /// It is unknown whether the post was published.
    Unknown {
        /// What was observed.
        reason: String,
    },
}

/// A post on the platform that may be the one being looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookalike {
    /// The platform's id of the post.
    pub id: String,
    pub url: String,
    /// Whether the content is exactly what was sent. Otherwise, the platform itself may have made
    /// the difference.
    pub is_exact: bool,
}

/// The result of checking the platform for a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The post is there, identified by a key that no other post has.
    Found {
        /// The platform's id of the post.
        id: String,
        url: String,
    },
    /// Posts with this content are there. They may be other posts of ours with the same content:
    /// see [`attribute`].
    Alike {
        posts: Vec<Lookalike>,
        /// How long the platform has had to show the post, by its own clock.
        after: Duration,
    },
    /// The post is certainly not there: the response was complete and fully understood.
    Absent {
        /// How long the platform has had to show the post, by its own clock.
        after: Duration,
    },
    /// The platform refuses the account. It may respond once the owner of the account has acted.
    Channel {
        /// The platform's message.
        reason: String,
    },
    /// The platform did not respond, but may do so later.
    TryLater { reason: String },
    /// The platform cannot tell, now or later.
    CannotTell { reason: String },
}

/// What the ledger knows about the ownership of posts on a platform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ownership {
    /// The platform's ids that belong to another post.
    pub taken: BTreeSet<String>,
    /// How many deliveries of other posts with the same content have an unknown outcome. A post
    /// that was found may belong to one of them.
    pub rivals: u32,
}

/// Decides which of the similar posts is the one being looked for. An id belongs to one post only.
pub fn attribute(finding: Finding, ownership: &Ownership) -> Finding {
    let (posts, after) = match finding {
        Finding::Alike { posts, after } => (posts, after),
        Finding::Found { id, .. } if ownership.taken.contains(&id) => {
            let reason = format!("the platform shows {id}, which belongs to another post");
            return Finding::CannotTell { reason };
        }
        other => return other,
    };
    let (exact, similar): (Vec<_>, Vec<_>) = posts
        .into_iter()
        .filter(|post| !ownership.taken.contains(&post.id))
        .partition(|post| post.is_exact);
    match (exact.as_slice(), similar.as_slice()) {
        ([], []) => Finding::Absent { after },
        ([_], _) if ownership.rivals > 0 => Finding::TryLater {
            reason:
                "the platform shows a post with this content, but the outcome of another delivery \
                 with the same content is not known yet"
                    .to_owned(),
        },
        ([post], _) => Finding::Found { id: post.id.clone(), url: post.url.clone() },
        ([], [first, ..]) => Finding::CannotTell {
            reason: format!(
                "the platform shows {}, which differs only in ways that the platform itself may \
                 have caused",
                first.id
            ),
        },
        (many, _) => Finding::CannotTell {
            reason: format!("the platform shows {} posts with this content", many.len()),
        },
    }
}

/// When to check for a post whose outcome is unknown, and when to resend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconcilePolicy {
    /// How long the platform may take to show a post. It is not checked before that.
    pub first_look_after: Duration,
    /// How long to wait before a second check confirms an absence.
    pub second_look_after: Duration,
    /// How long after the first attempt the post may be resent without asking a person.
    pub resend_within: Duration,
}

impl ReconcilePolicy {
    /// For a platform that shows posts immediately and always gives a correct answer.
    pub const IMMEDIATE: Self = Self {
        first_look_after: Duration::zero(),
        second_look_after: Duration::zero(),
        resend_within: Duration::MAX,
    };

    /// How long the platform must have had before an absence counts, after this many absences.
    fn shown_after(&self, absences: u32) -> Duration {
        if absences == 0 {
            self.first_look_after
        } else {
            self.first_look_after + self.second_look_after
        }
    }
}

/// Earlier attempts of the same round may have reached the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierAttempts {
    /// The platform's position before the first of them; [`None`] if it was not known before each.
    pub since: Option<Marker>,
}

/// A delivery whose outcome is unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenDelivery {
    pub id: DeliveryId,
    /// The request that was sent, or was about to be.
    pub prepared: Prepared,
    pub started_at: DateTime<Utc>,
    /// How often the platform was checked for it.
    pub looks: u32,
    /// How often a check showed that it was not there.
    pub absences: u32,
}

/// How a check of the platform counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// The platform was not asked, so the check does not count.
    NotAsked,
    /// The platform did not answer.
    Unanswered,
    /// The post was not there.
    Absent,
}

/// What happens to a post after a request or a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The post is public.
    Published {
        /// The platform's id of the post.
        id: String,
        url: String,
    },
    /// The post was not published and is tried again.
    Retry {
        /// When it is tried again.
        at: DateTime<Utc>,
        /// Why it was not published.
        reason: String,
        /// How the attempt ended: [`DeliveryState::NotSent`] or [`DeliveryState::Absent`].
        state: DeliveryState,
    },
    /// The account prevents publishing. The post waits for the owner of the account, and the
    /// attempt does not count.
    Held {
        /// When the post is tried again, unless the account changes before.
        at: DateTime<Utc>,
        /// What is wrong with the account.
        reason: String,
    },
    /// The post may be public, so the platform is checked.
    Look {
        /// When to check.
        again_at: DateTime<Utc>,
        /// Why the outcome is unknown.
        reason: String,
        /// How the check that led here counts.
        looked: Looked,
        /// Whether the post waits for the owner of the account.
        is_held: bool,
    },
    /// The post will not be published.
    Failed {
        reason: String,
        /// How the last attempt ended: refused, not sent or absent.
        state: DeliveryState,
    },
    /// The post is too late to be published.
    Missed { reason: String },
    /// A person must find out whether the post is public.
    Ask {
        /// Why the outcome is unknown.
        reason: String,
    },
}

/// How long a post waits for the owner of its account before it is tried again.
pub(crate) const OWNER_AFTER: Duration = Duration::minutes(15);

/// Decides what follows from the outcome of attempt number `attempt`, counted from 1.
pub fn decide(
    outcome: Outcome,
    attempt: u32,
    now: DateTime<Utc>,
    first_look_after: Duration,
) -> Settlement {
    let retry = |at: DateTime<Utc>, reason: String| {
        let state = DeliveryState::NotSent;
        if attempt >= MOST_ATTEMPTS {
            let reason = format!("gave up after {attempt} attempts: {reason}");
            Settlement::Failed { reason, state }
        } else {
            Settlement::Retry { at, reason, state }
        }
    };
    let state = DeliveryState::Refused;
    match outcome {
        Outcome::Published { id, url } => Settlement::Published { id, url },
        Outcome::Refused { reason } => Settlement::Failed { reason, state },
        Outcome::Duplicate { reason } => Settlement::Failed {
            reason: format!("the platform already has a post with the same text: {reason}"),
            state,
        },
        Outcome::NotSent { reason } => retry(now + back_off(attempt), reason),
        Outcome::Wait { until, reason } => retry(until.max(now + Duration::seconds(1)), reason),
        Outcome::Channel { reason } => Settlement::Held { at: now + OWNER_AFTER, reason },
        Outcome::Unknown { reason } => Settlement::Look {
            again_at: now + first_look_after,
            reason,
            looked: Looked::NotAsked,
            is_held: false,
        },
    }
}

/// Decides what follows from a check for a delivery whose outcome is unknown, after `attempts`
/// attempts. If the account has prevented the check for longer than `patience`, a person must
/// decide.
///
/// How long the platform has had to show the post is measured by its own clock
/// ([`Finding::Absent`]). The local clock may be wrong, or may be changed in the meantime. That
/// must not make a post that is not shown yet count as absent.
pub fn decide_unknown(
    finding: Finding,
    open: &OpenDelivery,
    attempts: u32,
    policy: &ReconcilePolicy,
    patience: Duration,
    now: DateTime<Utc>,
) -> Settlement {
    let look = |again_at: DateTime<Utc>, reason: String, looked: Looked| {
        if looked == Looked::Unanswered && open.looks + 1 >= MOST_LOOKS {
            return Settlement::Ask { reason };
        }
        Settlement::Look { again_at, reason, looked, is_held: false }
    };
    match finding {
        Finding::Found { id, url } => Settlement::Published { id, url },
        Finding::CannotTell { reason } => Settlement::Ask { reason },
        Finding::Alike { .. } => Settlement::Ask {
            reason: "the platform shows posts with this content, but it is unknown which of your \
                     posts they are"
                .to_owned(),
        },
        Finding::Channel { reason } if now - open.started_at > patience => {
            Settlement::Ask { reason }
        }
        Finding::Channel { reason } => Settlement::Look {
            again_at: now + OWNER_AFTER,
            reason,
            looked: Looked::NotAsked,
            is_held: true,
        },
        Finding::TryLater { reason } => {
            let at = now + back_off(open.looks + 1).max(policy.first_look_after);
            look(at, reason, Looked::Unanswered)
        }
        Finding::Absent { after } if after < policy.shown_after(open.absences) => {
            let missing = policy.shown_after(open.absences) - after;
            let reason = "the platform has not had enough time to show the post".to_owned();
            look(now + missing.max(Duration::seconds(1)), reason, Looked::Unanswered)
        }
        Finding::Absent { .. }
            if open.absences == 0 && policy.second_look_after > Duration::zero() =>
        {
            let reason = "not found at the first check".to_owned();
            look(now + policy.second_look_after, reason, Looked::Absent)
        }
        Finding::Absent { after } if after > policy.resend_within => Settlement::Ask {
            reason: "not found, but the attempt was too long ago to resend the post automatically"
                .to_owned(),
        },
        Finding::Absent { .. } if attempts >= MOST_ATTEMPTS => Settlement::Failed {
            reason: format!("gave up after {attempts} attempts; none reached the platform"),
            state: DeliveryState::Absent,
        },
        // The first time, a crash is the likely cause, so the post is resent at once. A post that
        // keeps losing requests is sent less often.
        Finding::Absent { .. } => Settlement::Retry {
            at: if attempts <= 2 { now } else { now + back_off(attempts - 2) },
            reason: "the post was not found on the platform".to_owned(),
            state: DeliveryState::Absent,
        },
    }
}

/// 5 seconds, doubled with each attempt, at most 10 minutes.
fn back_off(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(7);
    Duration::seconds((5_i64 << doublings).min(600))
}

/// A delivery as recorded in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub post: PostId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    pub state: DeliveryState,
    /// The request that was sent, or was about to be.
    pub prepared: Prepared,
    /// When the delivery was recorded, before anything was sent.
    pub started_at: DateTime<Utc>,
    /// When its outcome was recorded.
    pub settled_at: Option<DateTime<Utc>>,
    /// The platform's id of the post.
    pub platform_post_id: Option<String>,
    pub error: Option<String>,
    /// How often the platform was checked for the post.
    pub looks: u32,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waggle_kernel::{Clock as _, FixedClock, Publication};

    use super::*;

    fn open(absences: u32, looks: u32) -> OpenDelivery {
        let now = FixedClock::noon().now();
        OpenDelivery {
            id: DeliveryId::new(1),
            prepared: Prepared {
                platform: Platform::X,
                channel: "sandbox".into(),
                key: "1".into(),
                request: Value::Null,
                hash: Publication::of_text("x").hash(),
                marker: None,
            },
            started_at: now,
            looks,
            absences,
        }
    }

    const CAREFUL: ReconcilePolicy = ReconcilePolicy {
        first_look_after: Duration::seconds(20),
        second_look_after: Duration::seconds(120),
        resend_within: Duration::seconds(600),
    };

    #[test]
    fn an_unknown_outcome_is_never_resent_blindly() {
        let now = FixedClock::noon().now();
        let outcome = Outcome::Unknown { reason: "timed out".into() };

        let settlement = decide(outcome, 1, now, Duration::seconds(20));

        assert!(matches!(settlement, Settlement::Look { .. }), "{settlement:?}");
    }

    /// The settlement of a post that is absent after this many seconds by the platform's clock.
    fn absent(open: &OpenDelivery, after: i64) -> Settlement {
        let finding = Finding::Absent { after: Duration::seconds(after) };
        decide_unknown(finding, open, 1, &CAREFUL, PATIENCE, FixedClock::noon().now())
    }

    const PATIENCE: Duration = Duration::hours(6);

    #[test]
    fn a_careful_platform_is_checked_twice_before_a_post_is_resent() {
        let first = absent(&open(0, 0), 20);
        let second = absent(&open(1, 1), 140);

        assert!(matches!(first, Settlement::Look { looked: Looked::Absent, .. }), "{first:?}");
        assert!(
            matches!(second, Settlement::Retry { state: DeliveryState::Absent, .. }),
            "{second:?}"
        );
    }

    #[test]
    fn an_absence_counts_only_after_enough_time_by_the_platforms_clock() {
        let first = absent(&open(0, 0), 19);
        let second = absent(&open(1, 1), 139);

        for settlement in [first, second] {
            let again = matches!(settlement, Settlement::Look { looked: Looked::Unanswered, .. });
            assert!(again, "{settlement:?}");
        }
    }

    #[test]
    fn an_old_unknown_outcome_is_left_to_a_person() {
        let settlement = absent(&open(1, 1), 601);

        assert!(matches!(settlement, Settlement::Ask { .. }), "{settlement:?}");
    }

    #[test]
    fn a_silent_platform_is_not_checked_forever() {
        let now = FixedClock::noon().now();
        let look = |open: &OpenDelivery| {
            let silent = Finding::TryLater { reason: "away".into() };
            decide_unknown(silent, open, 1, &CAREFUL, PATIENCE, now)
        };

        let first = look(&open(0, 0));
        let last = look(&open(0, MOST_LOOKS - 1));

        assert!(matches!(first, Settlement::Look { looked: Looked::Unanswered, .. }), "{first:?}");
        assert!(matches!(last, Settlement::Ask { .. }), "{last:?}");
    }

    #[test]
    fn account_problems_use_up_no_checks_and_are_eventually_left_to_a_person() {
        let noon = FixedClock::noon().now();
        let look = |now| {
            let refused = Finding::Channel { reason: "401".into() };
            decide_unknown(refused, &open(0, MOST_LOOKS - 1), 1, &CAREFUL, PATIENCE, now)
        };

        let soon = look(noon);
        let late = look(noon + PATIENCE + Duration::seconds(1));

        let waits =
            matches!(soon, Settlement::Look { looked: Looked::NotAsked, is_held: true, .. });
        assert!(waits, "{soon:?}");
        assert!(matches!(late, Settlement::Ask { .. }), "{late:?}");
    }

    #[test]
    fn requests_that_never_arrive_eventually_fail() {
        let now = FixedClock::noon().now();
        let finding = Finding::Absent { after: Duration::zero() };
        let policy = &ReconcilePolicy::IMMEDIATE;

        let settlement = decide_unknown(finding, &open(0, 0), MOST_ATTEMPTS, policy, PATIENCE, now);

        let absent = matches!(settlement, Settlement::Failed { state: DeliveryState::Absent, .. });
        assert!(absent, "{settlement:?}");
    }

    #[test]
    fn a_failed_post_records_how_its_last_attempt_ended() {
        let now = FixedClock::noon().now();
        let refused = decide(Outcome::Refused { reason: "no".into() }, 1, now, Duration::zero());
        let away = Outcome::NotSent { reason: "connection refused".into() };
        let away = decide(away, MOST_ATTEMPTS, now, Duration::zero());

        assert!(matches!(refused, Settlement::Failed { state: DeliveryState::Refused, .. }));
        assert!(matches!(away, Settlement::Failed { state: DeliveryState::NotSent, .. }));
    }

    fn alike(posts: &[(&str, bool)]) -> Finding {
        let posts = posts
            .iter()
            .map(|&(id, is_exact)| Lookalike { id: id.into(), url: String::new(), is_exact })
            .collect();
        Finding::Alike { posts, after: Duration::seconds(1) }
    }

    fn owned(taken: &[&str], rivals: u32) -> Ownership {
        Ownership { taken: taken.iter().map(|&id| id.to_owned()).collect(), rivals }
    }

    #[test]
    fn an_id_that_belongs_to_another_post_is_not_adopted() {
        let absent = Finding::Absent { after: Duration::seconds(1) };
        let found = |finding| matches!(finding, Finding::Found { ref id, .. } if id == "2");

        assert_eq!(attribute(alike(&[("1", true)]), &owned(&["1"], 0)), absent);
        assert!(found(attribute(alike(&[("1", true), ("2", true)]), &owned(&["1"], 0))));
        let by_key = Finding::Found { id: "1".into(), url: String::new() };
        let taken = attribute(by_key, &owned(&["1"], 0));
        assert!(matches!(taken, Finding::CannotTell { .. }), "{taken:?}");
    }

    #[test]
    fn nothing_is_adopted_while_it_may_belong_to_another_delivery() {
        let finding = attribute(alike(&[("1", true)]), &owned(&[], 1));

        assert!(matches!(finding, Finding::TryLater { .. }), "{finding:?}");
    }

    #[test]
    fn a_post_that_the_platform_may_have_rewritten_is_left_to_a_person() {
        let one = attribute(alike(&[("1", false)]), &owned(&[], 0));
        let of_another = attribute(alike(&[("1", false)]), &owned(&["1"], 0));
        let two = attribute(alike(&[("1", true), ("2", true)]), &owned(&[], 0));
        let beside = attribute(alike(&[("1", false), ("2", true)]), &owned(&[], 0));

        assert!(matches!(one, Finding::CannotTell { .. }), "{one:?}");
        assert!(matches!(of_another, Finding::Absent { .. }), "{of_another:?}");
        assert!(matches!(two, Finding::CannotTell { .. }), "{two:?}");
        assert!(matches!(beside, Finding::Found { ref id, .. } if id == "2"), "{beside:?}");
    }

    proptest! {
        #[test]
        fn the_number_of_attempts_is_limited(attempt in MOST_ATTEMPTS..100) {
            let now = FixedClock::noon().now();
            for outcome in [
                Outcome::NotSent { reason: String::new() },
                Outcome::Wait { until: now, reason: String::new() },
            ] {
                let settlement = decide(outcome, attempt, now, Duration::zero());

                let failed = matches!(settlement, Settlement::Failed { .. });
                prop_assert!(failed);
            }
        }

        #[test]
        fn account_problems_use_up_no_attempts(attempt in 1_u32..100) {
            let outcome = Outcome::Channel { reason: String::new() };

            let settlement = decide(outcome, attempt, FixedClock::noon().now(), Duration::zero());

            let held = matches!(settlement, Settlement::Held { .. });
            prop_assert!(held);
        }

        #[test]
        fn a_retry_is_never_in_the_past(attempt in 1..MOST_ATTEMPTS, until in -1000_i64..1000) {
            let now = FixedClock::noon().now();
            let until = now + Duration::seconds(until);
            let outcome = Outcome::Wait { until, reason: String::new() };

            let settlement = decide(outcome, attempt, now, Duration::zero());

            let later =
                matches!(settlement, Settlement::Retry { at, .. } if at > now && at >= until);
            prop_assert!(later);
        }
    }
}
