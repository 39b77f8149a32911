//! Deliveries: attempts to bring a post to its platform, and what follows from how they end.
//!
//! ```text
//! in_flight ──▶ published | refused | not_sent        the platform's answer was clear
//!     │
//!     └──▶ unknown ──look──▶ published | absent       it was not, or there was none
//!
//! refused | not_sent | absent ──▶ also_published      its request arrived after all
//! ```
//! A post has at most one delivery that is in flight, unknown or published; the schema enforces it.

use std::collections::BTreeSet;
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
    /// It turned out to be public after another delivery of the post took its place.
    AlsoPublished,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::InFlight,
        Self::Published,
        Self::Refused,
        Self::NotSent,
        Self::Absent,
        Self::Unknown,
        Self::AlsoPublished,
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
            Self::AlsoPublished => "also_published",
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

/// A place in a platform's own time or timeline: what is posted afterwards is found behind it.
///
/// It comes from the platform (X's clock, the length of the sandbox's timeline), never from the
/// clock of this machine, which may be wrong or be set between a request and the look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(pub String);

/// Where a platform stands before something is sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Here.
    At(Marker),
    /// It answers, but does not say. What is sent now cannot be looked for.
    NotGiven,
    /// It does not answer.
    Away {
        /// Why.
        reason: String,
    },
}

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
    /// Where the platform stood before it was sent; [`None`] if it did not say.
    pub marker: Option<Marker>,
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

/// A post on the platform that can be the one that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookalike {
    /// The platform's id of it.
    pub id: String,
    /// Its address.
    pub url: String,
    /// Whether it says exactly what was sent. Otherwise the difference is one that the platform may
    /// have made itself.
    pub is_exact: bool,
}

/// What a look at the platform gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is there, known by a key that no other post has.
    Found {
        /// The platform's id of it.
        id: String,
        /// Its address.
        url: String,
    },
    /// Posts with this content are there. Other posts of ours may have the same content: see
    /// [`attribute`].
    Alike {
        /// Those posts.
        posts: Vec<Lookalike>,
        /// How much time the platform has had to show it, by the platform's own clock.
        after: Duration,
    },
    /// It is not there, for certain: the platform's answer was complete and wholly understood.
    Absent {
        /// How much time the platform has had to show it, by the platform's own clock.
        after: Duration,
    },
    /// The platform refuses the account, and may answer once its owner has acted.
    Channel {
        /// Its words.
        reason: String,
    },
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

/// To whom posts on a platform belong, as far as the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ownership {
    /// Those of the platform's ids that another post holds.
    pub taken: BTreeSet<String>,
    /// How many deliveries of other posts with the same content have no known end: what was found
    /// can be theirs.
    pub rivals: u32,
}

/// Which of the posts that look alike is the one that was looked for. An id belongs to one post
/// alone.
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
                "a post of this content is there, and another delivery of the same content has \
                     no known end yet"
                    .to_owned(),
        },
        ([post], _) => Finding::Found { id: post.id.clone(), url: post.url.clone() },
        ([], [first, ..]) => Finding::CannotTell {
            reason: format!(
                "{} is there, which differs only as the platform may show it",
                first.id
            ),
        },
        (many, _) => Finding::CannotTell {
            reason: format!("{} posts of this content are there", many.len()),
        },
    }
}

/// How to look for a post whose outcome is unknown.
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

    /// How much time the platform must have had before an absence counts, after so many absences.
    fn shown_after(&self, absences: u32) -> Duration {
        if absences == 0 {
            self.first_look_after
        } else {
            self.first_look_after + self.second_look_after
        }
    }
}

/// That earlier attempts of the same round may have reached the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Where the platform stood before the first of them; [`None`] if it did not say before each.
    pub since: Option<Marker>,
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
    /// How often it was looked for.
    pub looks: u32,
    /// How often it was not there.
    pub absences: u32,
}

/// What a look was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// The platform was not asked, so it is not counted.
    NotAsked,
    /// The platform did not answer.
    Unanswered,
    /// It was not there.
    Absent,
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
    /// The account keeps it from going out. It waits for the owner of the account; the attempt does
    /// not count.
    Held {
        /// When it is tried again, unless the account changes before.
        at: DateTime<Utc>,
        /// What the matter is.
        reason: String,
    },
    /// It may have gone out; the platform is asked.
    Look {
        /// When.
        again_at: DateTime<Utc>,
        /// What the doubt is.
        reason: String,
        /// What the look was worth that led here.
        looked: Looked,
        /// Whether it waits for the owner of the account.
        is_held: bool,
    },
    /// It will not go out.
    Failed {
        /// Why.
        reason: String,
        /// How the last attempt ended: refused, not sent or absent.
        state: DeliveryState,
    },
    /// Its time is over by too much.
    Missed {
        /// Why.
        reason: String,
    },
    /// A person has to say.
    Ask {
        /// What the doubt is.
        reason: String,
    },
}

/// How long a post waits for the owner of an account that stays as it is.
pub(crate) const OWNER_AFTER: Duration = Duration::minutes(15);

/// What follows from the outcome of attempt number `attempt` (from 1).
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
            reason: format!("the platform has the same text already: {reason}"),
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

/// What follows from a look for an attempt whose end is not known, of `attempts` that were begun. A
/// person is asked when the account has kept the platform from answering for `patience`.
///
/// How much time the platform has had is told by its own clock ([`Finding::Absent`]): a clock here
/// that is wrong, or is set meanwhile, must not make an absence out of a post that is not shown
/// yet.
pub fn decide_doubt(
    finding: Finding,
    open: &OpenDelivery,
    attempts: u32,
    policy: &DoubtPolicy,
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
            reason: "posts of this content are there, and nobody knows whose they are".to_owned(),
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
            let reason = "the platform has not had the time to show it".to_owned();
            look(now + missing.max(Duration::seconds(1)), reason, Looked::Unanswered)
        }
        Finding::Absent { .. }
            if open.absences == 0 && policy.second_look_after > Duration::zero() =>
        {
            let reason = "not there at the first look".to_owned();
            look(now + policy.second_look_after, reason, Looked::Absent)
        }
        Finding::Absent { after } if after > policy.resend_within => Settlement::Ask {
            reason: "not there, but the attempt is too long ago to repeat it unasked".to_owned(),
        },
        Finding::Absent { .. } if attempts >= MOST_ATTEMPTS => Settlement::Failed {
            reason: format!("gave up after {attempts} attempts, none of which arrived"),
            state: DeliveryState::Absent,
        },
        // A crash is likely the first time; a post that loses one request after the other is given
        // time.
        Finding::Absent { .. } => Settlement::Retry {
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
                marker: None,
            },
            started_at: now,
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

    /// What follows when it is not there, after so many seconds by the platform's clock.
    fn absent(open: &OpenDelivery, after: i64) -> Settlement {
        let finding = Finding::Absent { after: Duration::seconds(after) };
        decide_doubt(finding, open, 1, &CAREFUL, PATIENCE, FixedClock::noon().now())
    }

    const PATIENCE: Duration = Duration::hours(6);

    #[test]
    fn a_careful_platform_is_looked_at_twice_before_a_post_is_sent_again() {
        let first = absent(&open(0, 0), 20);
        let second = absent(&open(1, 1), 140);

        assert!(matches!(first, Settlement::Look { looked: Looked::Absent, .. }), "{first:?}");
        assert!(
            matches!(second, Settlement::Retry { state: DeliveryState::Absent, .. }),
            "{second:?}"
        );
    }

    #[test]
    fn an_absence_counts_only_once_the_platforms_own_clock_has_gone_on() {
        let first = absent(&open(0, 0), 19);
        let second = absent(&open(1, 1), 139);

        for settlement in [first, second] {
            let again = matches!(settlement, Settlement::Look { looked: Looked::Unanswered, .. });
            assert!(again, "{settlement:?}");
        }
    }

    #[test]
    fn an_old_doubt_is_for_a_person() {
        let settlement = absent(&open(1, 1), 601);

        assert!(matches!(settlement, Settlement::Ask { .. }), "{settlement:?}");
    }

    #[test]
    fn a_platform_that_stays_silent_is_not_asked_for_ever() {
        let now = FixedClock::noon().now();
        let look = |open: &OpenDelivery| {
            let silent = Finding::TryLater { reason: "away".into() };
            decide_doubt(silent, open, 1, &CAREFUL, PATIENCE, now)
        };

        let first = look(&open(0, 0));
        let last = look(&open(0, MOST_LOOKS - 1));

        assert!(matches!(first, Settlement::Look { looked: Looked::Unanswered, .. }), "{first:?}");
        assert!(matches!(last, Settlement::Ask { .. }), "{last:?}");
    }

    #[test]
    fn trouble_of_the_account_uses_up_no_looks_and_is_for_a_person_in_the_end() {
        let noon = FixedClock::noon().now();
        let look = |now| {
            let refused = Finding::Channel { reason: "401".into() };
            decide_doubt(refused, &open(0, MOST_LOOKS - 1), 1, &CAREFUL, PATIENCE, now)
        };

        let soon = look(noon);
        let late = look(noon + PATIENCE + Duration::seconds(1));

        let waits =
            matches!(soon, Settlement::Look { looked: Looked::NotAsked, is_held: true, .. });
        assert!(waits, "{soon:?}");
        assert!(matches!(late, Settlement::Ask { .. }), "{late:?}");
    }

    #[test]
    fn requests_that_never_arrive_are_given_up_in_the_end() {
        let now = FixedClock::noon().now();
        let finding = Finding::Absent { after: Duration::zero() };
        let policy = &DoubtPolicy::IMMEDIATE;

        let settlement = decide_doubt(finding, &open(0, 0), MOST_ATTEMPTS, policy, PATIENCE, now);

        let absent = matches!(settlement, Settlement::Failed { state: DeliveryState::Absent, .. });
        assert!(absent, "{settlement:?}");
    }

    #[test]
    fn a_failed_attempt_is_remembered_as_it_ended() {
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
    fn an_id_that_another_post_holds_is_not_adopted() {
        let absent = Finding::Absent { after: Duration::seconds(1) };
        let found = |finding| matches!(finding, Finding::Found { ref id, .. } if id == "2");

        assert_eq!(attribute(alike(&[("1", true)]), &owned(&["1"], 0)), absent);
        assert!(found(attribute(alike(&[("1", true), ("2", true)]), &owned(&["1"], 0))));
        let by_key = Finding::Found { id: "1".into(), url: String::new() };
        let taken = attribute(by_key, &owned(&["1"], 0));
        assert!(matches!(taken, Finding::CannotTell { .. }), "{taken:?}");
    }

    #[test]
    fn nothing_is_adopted_while_it_can_be_the_post_of_another_delivery() {
        let finding = attribute(alike(&[("1", true)]), &owned(&[], 1));

        assert!(matches!(finding, Finding::TryLater { .. }), "{finding:?}");
    }

    #[test]
    fn what_differs_only_as_the_platform_may_show_it_is_for_a_person() {
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
        fn attempts_come_to_an_end(attempt in MOST_ATTEMPTS..100) {
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
        fn trouble_of_the_account_uses_up_no_attempts(attempt in 1_u32..100) {
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

            let later = matches!(settlement, Settlement::Retry { at, .. } if at > now && at >= until);
            prop_assert!(later);
        }
    }
}
