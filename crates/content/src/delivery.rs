//! Deliveries: attempts to bring a post to its platform, and what follows from how they end.
//!
//! ```text
//! in_flight ──▶ published | refused | not_sent        the platform's answer was clear
//!     │
//!     └──▶ unknown ──look──▶ published | absent       it was not, or there was none
//! ```
//! A post has at most one delivery that is in flight, unknown or published; the schema sees to it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use thiserror::Error;
use waggle_kernel::ContentHash;
use waggle_kernel::ids::{DeliveryId, PostId};

use crate::platform::Platform;

/// After so many attempts Waggle gives up and a person decides.
pub const MOST_ATTEMPTS: u32 = 12;
/// After so many looks that gave no answer a person is asked.
const MOST_LOOKS: u32 = 10;

/// How an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// The request may be leaving at this moment.
    InFlight,
    /// The platform has it.
    Published,
    /// The platform refused it.
    Refused,
    /// It certainly did not arrive: no byte left, or the platform said to come back later.
    NotSent,
    /// It was looked for and is not there.
    Absent,
    /// Nobody knows.
    Unknown,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::InFlight,
        Self::Published,
        Self::Refused,
        Self::NotSent,
        Self::Absent,
        Self::Unknown,
    ];

    /// The name in the database and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Published => "published",
            Self::Refused => "refused",
            Self::NotSent => "not_sent",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for DeliveryState {
    type Err = UnknownDeliveryState;

    fn from_str(text: &str) -> Result<Self, UnknownDeliveryState> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| UnknownDeliveryState(text.to_owned()))
    }
}

/// The text names no [`DeliveryState`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown delivery state '{0}'")]
pub struct UnknownDeliveryState(pub String);

/// The whole of what will be sent, fixed before anything is.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// Where it goes.
    pub platform: Platform,
    /// The account that it goes to, in words that betray no credential. What was sent is looked for there and nowhere
    /// else. Empty where it is not known.
    pub channel: String,
    /// What tells this post from all others on the platform, where it takes such a key.
    pub key: String,
    /// The body of the request, without credentials.
    pub request: Value,
    /// The hash of the publication in it.
    pub hash: ContentHash,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is public.
    Published {
        /// The platform's id of it.
        id: String,
        /// Its address.
        url: String,
    },
    /// The platform will not take it, now or later.
    Refused {
        /// Its words.
        reason: String,
    },
    /// The platform says that it has the same already.
    Duplicate {
        /// Its words.
        reason: String,
    },
    /// It certainly did not arrive.
    NotSent {
        /// Why.
        reason: String,
    },
    /// The platform did not take it and says when to come back.
    Wait {
        /// When.
        until: DateTime<Utc>,
        /// Its words.
        reason: String,
    },
    /// The account or the app is the matter, not the post; its owner has to act.
    Channel {
        /// Its words.
        reason: String,
    },
    /// Nobody can tell.
    Unknown {
        /// What was seen.
        reason: String,
    },
}

/// What a look at the platform gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is there.
    Found {
        /// The platform's id of it.
        id: String,
        /// Its address.
        url: String,
    },
    /// It is not there.
    Absent,
    /// The platform did not answer; it may later.
    TryLater {
        /// Why.
        reason: String,
    },
    /// The platform cannot tell, and will not be able to.
    CannotTell {
        /// Why.
        reason: String,
    },
}

/// How to look for a post after a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoubtPolicy {
    /// How long the platform may take to show a post: no look before that.
    pub first_look_after: Duration,
    /// How long to wait for a second look that confirms an absence.
    pub second_look_after: Duration,
    /// How long after the first attempt it may be sent again without asking anybody.
    pub resend_within: Duration,
}

impl DoubtPolicy {
    /// For a platform that shows at once what it has, and is always right.
    pub const IMMEDIATE: Self = Self {
        first_look_after: Duration::zero(),
        second_look_after: Duration::zero(),
        resend_within: Duration::MAX,
    };
}

/// An attempt whose end is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenDelivery {
    /// The attempt.
    pub id: DeliveryId,
    /// What was sent, or was about to be.
    pub prepared: Prepared,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When the first attempt of the post that ended in doubt began.
    pub first_doubt_at: DateTime<Utc>,
    /// How often it was looked for.
    pub looks: u32,
    /// How often it was not there.
    pub absences: u32,
}

/// What follows for the post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It is public.
    Published {
        /// The platform's id of it.
        id: String,
        /// Its address.
        url: String,
    },
    /// It did not go out and is tried again.
    Retry {
        /// When.
        at: DateTime<Utc>,
        /// Why it did not.
        reason: String,
        /// How the attempt ended: [`DeliveryState::NotSent`] or [`DeliveryState::Absent`].
        state: DeliveryState,
    },
    /// It may have gone out; the platform is asked.
    Look {
        /// When.
        again_at: DateTime<Utc>,
        /// What the doubt is.
        reason: String,
        /// Whether this look found nothing where it should be.
        absent: bool,
    },
    /// It will not go out.
    Failed {
        /// Why.
        reason: String,
    },
    /// A person has to say.
    Ask {
        /// What the doubt is.
        reason: String,
    },
}

/// What follows from the outcome of attempt number `attempt` (from 1).
pub fn decide(
    outcome: Outcome,
    attempt: u32,
    now: DateTime<Utc>,
    first_look_after: Duration,
) -> Settlement {
    let retry = |at: DateTime<Utc>, reason: String| {
        if attempt >= MOST_ATTEMPTS {
            let reason = format!("gave up after {attempt} attempts: {reason}");
            Settlement::Failed { reason }
        } else {
            Settlement::Retry { at, reason, state: DeliveryState::NotSent }
        }
    };
    match outcome {
        Outcome::Published { id, url } => Settlement::Published { id, url },
        Outcome::Refused { reason } => Settlement::Failed { reason },
        Outcome::Duplicate { reason } => Settlement::Failed {
            reason: format!("the platform has the same text already: {reason}"),
        },
        Outcome::NotSent { reason } => retry(now + back_off(attempt), reason),
        Outcome::Wait { until, reason } => retry(until.max(now + Duration::seconds(1)), reason),
        Outcome::Channel { reason } => retry(now + Duration::minutes(15), reason),
        Outcome::Unknown { reason } => {
            Settlement::Look { again_at: now + first_look_after, reason, absent: false }
        }
    }
}

/// What follows from a look for an attempt in doubt, of `attempts` that were begun.
pub fn decide_doubt(
    finding: Finding,
    open: &OpenDelivery,
    attempts: u32,
    policy: &DoubtPolicy,
    now: DateTime<Utc>,
) -> Settlement {
    match finding {
        Finding::Found { id, url } => Settlement::Published { id, url },
        Finding::CannotTell { reason } => Settlement::Ask { reason },
        Finding::TryLater { reason } if open.looks + 1 >= MOST_LOOKS => Settlement::Ask { reason },
        Finding::TryLater { reason } => Settlement::Look {
            again_at: now + back_off(open.looks + 1).max(policy.first_look_after),
            reason,
            absent: false,
        },
        Finding::Absent if open.absences == 0 && policy.second_look_after > Duration::zero() => {
            Settlement::Look {
                again_at: now + policy.second_look_after,
                reason: "not there at the first look".to_owned(),
                absent: true,
            }
        }
        Finding::Absent if now - open.first_doubt_at > policy.resend_within => Settlement::Ask {
            reason: "not there, but the attempt is too long ago to repeat it unasked".to_owned(),
        },
        Finding::Absent if attempts >= MOST_ATTEMPTS => Settlement::Failed {
            reason: format!("gave up after {attempts} attempts, none of which arrived"),
        },
        // A crash is likely the first time; who loses one request after the other is given time.
        Finding::Absent => Settlement::Retry {
            at: if attempts <= 2 { now } else { now + back_off(attempts - 2) },
            reason: "looked for and not there".to_owned(),
            state: DeliveryState::Absent,
        },
    }
}

/// 5 s, doubled with each attempt, at most 10 minutes.
fn back_off(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(7);
    Duration::seconds((5_i64 << doublings).min(600))
}

/// An attempt as the ledger has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The post.
    pub post: PostId,
    /// Its number, from 1.
    pub attempt: u32,
    /// How it stands.
    pub state: DeliveryState,
    /// What was sent.
    pub prepared: Prepared,
    /// When it was written down, before anything was sent.
    pub started_at: DateTime<Utc>,
    /// When its end was written down.
    pub settled_at: Option<DateTime<Utc>>,
    /// The platform's id of the post.
    pub platform_post_id: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// How often it was looked for.
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
            },
            started_at: now,
            first_doubt_at: now,
            looks,
            absences,
        }
    }

    const CAREFUL: DoubtPolicy = DoubtPolicy {
        first_look_after: Duration::seconds(20),
        second_look_after: Duration::seconds(120),
        resend_within: Duration::seconds(600),
    };

    #[test]
    fn a_doubt_never_leads_to_a_blind_repetition() {
        let now = FixedClock::noon().now();
        let outcome = Outcome::Unknown { reason: "timed out".into() };

        let settlement = decide(outcome, 1, now, Duration::seconds(20));

        assert!(matches!(settlement, Settlement::Look { .. }), "{settlement:?}");
    }

    #[test]
    fn a_careful_platform_is_looked_at_twice_before_a_post_is_sent_again() {
        let now = FixedClock::noon().now();

        let first = decide_doubt(Finding::Absent, &open(0, 0), 1, &CAREFUL, now);
        let second = decide_doubt(Finding::Absent, &open(1, 1), 1, &CAREFUL, now);

        assert!(matches!(first, Settlement::Look { absent: true, .. }), "{first:?}");
        assert!(
            matches!(second, Settlement::Retry { state: DeliveryState::Absent, .. }),
            "{second:?}"
        );
    }

    #[test]
    fn an_old_doubt_is_for_a_person() {
        let later = FixedClock::noon().now() + Duration::hours(1);

        let settlement = decide_doubt(Finding::Absent, &open(1, 1), 1, &CAREFUL, later);

        assert!(matches!(settlement, Settlement::Ask { .. }), "{settlement:?}");
    }

    #[test]
    fn a_platform_that_stays_silent_is_not_asked_for_ever() {
        let now = FixedClock::noon().now();
        let silent = || Finding::TryLater { reason: "away".into() };

        assert!(matches!(
            decide_doubt(silent(), &open(0, 0), 1, &CAREFUL, now),
            Settlement::Look { absent: false, .. }
        ));
        assert!(matches!(
            decide_doubt(silent(), &open(0, MOST_LOOKS - 1), 1, &CAREFUL, now),
            Settlement::Ask { .. }
        ));
    }

    #[test]
    fn requests_that_never_arrive_are_given_up_in_the_end() {
        let now = FixedClock::noon().now();

        let settlement =
            decide_doubt(Finding::Absent, &open(0, 0), MOST_ATTEMPTS, &DoubtPolicy::IMMEDIATE, now);

        assert!(matches!(settlement, Settlement::Failed { .. }), "{settlement:?}");
    }

    proptest! {
        #[test]
        fn attempts_come_to_an_end(attempt in MOST_ATTEMPTS..100) {
            let now = FixedClock::noon().now();
            for outcome in [
                Outcome::NotSent { reason: String::new() },
                Outcome::Wait { until: now, reason: String::new() },
                Outcome::Channel { reason: String::new() },
            ] {
                let settlement = decide(outcome, attempt, now, Duration::zero());

                let failed = matches!(settlement, Settlement::Failed { .. });
                prop_assert!(failed);
            }
        }

        #[test]
        fn a_retry_is_never_in_the_past(attempt in 1..MOST_ATTEMPTS, until in -1000_i64..1000) {
            let now = FixedClock::noon().now();
            let until = now + Duration::seconds(until);
            let outcome = Outcome::Wait { until, reason: String::new() };

            let settlement = decide(outcome, attempt, now, Duration::zero());

            let later = matches!(settlement, Settlement::Retry { at, .. } if at > now && at >= until);
            prop_assert!(later);
        }
    }
}
