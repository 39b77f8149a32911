//! Who is told of which matters.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use waggle_kernel::ids::UserId;

use crate::kind::Kind;
use crate::matter::Opened;
use crate::notification::Person;

/// A notification to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification<'a> {
    pub user: UserId,
    pub opened: &'a Opened,
    /// When it is to be mailed; `None` if it is not.
    pub mail_due: Option<DateTime<Utc>>,
}

/// What people were told already, of matters that are open.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The matters, by kind and object.
    pub matters: HashSet<(UserId, Kind, String)>,
    /// The batches of which people have a notification.
    pub batches: HashSet<(UserId, i64)>,
    /// When people were to be mailed about matters that have grown, so that they are told again.
    pub grown: HashMap<(UserId, Kind), DateTime<Utc>>,
}

/// The notifications that `people` get of matters. Nobody is told of a matter twice, or of a tweet
/// after they were told of its batch.
pub fn told<'a>(
    opened: &'a [Opened],
    people: &[Person],
    mut known: Known,
    now: DateTime<Utc>,
) -> Vec<NewNotification<'a>> {
    let mut told = Vec::new();
    for opened in opened {
        let (matter, kind) = (&opened.matter, opened.matter.kind);
        for person in people.iter().filter(|person| person.is_told(opened)) {
            let of_batch = matter.batch.map(|batch| (person.id, batch));
            let is_of_batch = of_batch.is_some_and(|of| known.batches.contains(&of));
            if kind == Kind::DecisionRequested && is_of_batch {
                continue;
            }
            if !known.matters.insert((person.id, kind, matter.object.clone())) {
                continue;
            }
            if kind == Kind::BatchArrived {
                known.batches.extend(of_batch);
            }
            let due = person.choices.mail_due(kind, person.zone, now);
            let earlier = known.grown.get(&(person.id, kind)).copied();
            let mail_due = due.map(|due| earlier.map_or(due, |earlier| earlier.min(due)));
            told.push(NewNotification { user: person.id, opened, mail_due });
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use waggle_kernel::{Clock as _, FixedClock, Scope, Scopes, Zone};

    use super::*;
    use crate::choices::{Choices, Delivery};
    use crate::matter::Matter;

    fn opened(kind: Kind, object: &str, batch: Option<i64>, actor: &str) -> Opened {
        let (object, summary) = (object.to_owned(), String::new());
        let matter = Matter { kind, object, batch, summary };
        Opened { matter, actor: actor.to_owned(), at: FixedClock::noon().now() }
    }

    fn person(id: i64, scope: Scope) -> Person {
        let scopes = Scopes::of(&[Scope::Read, scope]);
        Person { id: UserId::new(id), scopes, zone: Zone::UTC, choices: Choices::default() }
    }

    /// The ids of the users who are told, and what they are told of.
    fn of(opened: &[Opened], people: &[Person], known: Known) -> Vec<(i64, Kind)> {
        let told = told(opened, people, known, FixedClock::noon().now());
        told.into_iter().map(|new| (new.user.number(), new.opened.matter.kind)).collect()
    }

    #[test]
    fn those_are_told_who_can_act_and_did_not_cause_it() {
        let mut deaf = person(4, Scope::Approve);
        deaf.choices.set(Kind::BatchArrived, Delivery::Off);
        let people = [
            person(1, Scope::Approve),
            person(2, Scope::Approve),
            person(3, Scope::Write),
            deaf,
            person(5, Scope::Admin),
        ];

        let arrived = opened(Kind::BatchArrived, "7", Some(7), "user:2");
        let held = opened(Kind::PostsHeld, "x", None, "system");

        let told = of(&[arrived, held], &people, Known::default());
        let (arrived, held) = (Kind::BatchArrived, Kind::PostsHeld);
        assert_eq!(told, [(1, arrived), (5, arrived), (5, held)]);
    }

    #[test]
    fn nobody_is_told_of_a_matter_twice() {
        let people = [person(1, Scope::Publish), person(2, Scope::Publish)];
        let failed = opened(Kind::PostFailed, "5", None, "system");
        let known = Known {
            matters: HashSet::from([(UserId::new(1), Kind::PostFailed, "5".to_owned())]),
            ..Known::default()
        };

        let told = of(&[failed.clone(), failed], &people, known);

        assert_eq!(told, [(2, Kind::PostFailed)]);
    }

    #[test]
    fn a_notification_of_a_batch_covers_its_tweets() {
        let (requested, arrived) = (Kind::DecisionRequested, Kind::BatchArrived);
        let mut deaf = person(3, Scope::Approve);
        deaf.choices.set(arrived, Delivery::Off);
        let people = [person(1, Scope::Approve), person(2, Scope::Approve), deaf];
        let known = Known { batches: HashSet::from([(UserId::new(1), 7)]), ..Known::default() };
        let tweet = |object, batch| opened(requested, object, Some(batch), "token:1");

        let told = of(
            &[tweet("31", 7), opened(arrived, "8", Some(8), "token:1"), tweet("41", 8)],
            &people,
            known,
        );

        let wanted = [(2, requested), (3, requested), (1, arrived), (2, arrived), (3, requested)];
        assert_eq!(told, wanted);
    }
}
