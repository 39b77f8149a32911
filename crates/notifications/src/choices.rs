//! How a person wants to be told of each kind of matter.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use waggle_kernel::{Hour, Zone, named_enum};

use crate::kind::Kind;

named_enum! {
    /// How a person is told of a matter.
    pub enum Delivery: "delivery" {
        /// In the console, and by an email within a minute.
        AtOnce = "at_once",
        /// In the console, and by an email once a day, with all that is open then and was in no
        /// other email.
        Digest = "digest",
        /// In the console only.
        Console = "console",
        /// Not at all.
        Off = "off",
    }
}

/// What a person chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// The hour at which the digest is sent, in the time zone of the person.
    pub digest_hour: Hour,
    /// Only what differs from the defaults.
    chosen: BTreeMap<Kind, Delivery>,
}

/// A change of what a person chose. What is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChoicesChange {
    pub digest_hour: Option<Hour>,
    pub deliveries: Vec<(Kind, Delivery)>,
}

impl Default for Choices {
    fn default() -> Self {
        Self { digest_hour: Self::DIGEST_HOUR, chosen: BTreeMap::new() }
    }
}

impl Choices {
    /// The hour of the digest unless another is chosen.
    pub const DIGEST_HOUR: Hour = Hour::EIGHT;

    /// How the person is told of a kind. By default, what concerns publishing is told at once, and
    /// what waits for a decision is in the digest.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Delivery {
        self.chosen.get(&kind).copied().unwrap_or(match kind {
            Kind::PostFailed | Kind::PostUnknown | Kind::PostMissed | Kind::PostsHeld => {
                Delivery::AtOnce
            }
            Kind::BatchArrived | Kind::DecisionRequested | Kind::SourceTweetsLapsed => {
                Delivery::Digest
            }
        })
    }

    /// Chooses how the person is told of a kind.
    pub fn set(&mut self, kind: Kind, delivery: Delivery) {
        self.chosen.insert(kind, delivery);
    }

    /// Makes a change.
    pub fn apply(&mut self, change: &ChoicesChange) {
        self.digest_hour = change.digest_hour.unwrap_or(self.digest_hour);
        for (kind, delivery) in &change.deliveries {
            // What was not chosen follows the default.
            if self.of(*kind) != *delivery {
                self.set(*kind, *delivery);
            }
        }
    }

    /// What was chosen.
    pub fn chosen(&self) -> impl Iterator<Item = (Kind, Delivery)> {
        self.chosen.iter().map(|(kind, delivery)| (*kind, *delivery))
    }

    /// When a matter of this kind that is told now is mailed; `None` if never.
    #[must_use]
    pub fn mail_due(&self, kind: Kind, zone: Zone, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.of(kind) {
            Delivery::AtOnce => Some(now),
            Delivery::Digest => Some(zone.next(self.digest_hour, now)),
            Delivery::Console | Delivery::Off => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_due_at_its_hour_in_the_zone_of_the_person() {
        let mut choices = Choices::default();
        for (kind, delivery) in Kind::ALL.into_iter().zip(Delivery::ALL.into_iter().cycle()) {
            choices.set(kind, delivery);
        }
        let (berlin, now) = ("Europe/Berlin".parse().unwrap(), "2026-11-26T12:00:00Z");
        let now = now.parse().unwrap();

        let due = Kind::ALL.map(|kind| choices.mail_due(kind, berlin, now));

        let digest = "2026-11-27T07:00:00Z".parse().unwrap();
        let (now, digest) = (Some(now), Some(digest));
        assert_eq!(due, [now, digest, None, None, now, digest, None]);
    }
}
