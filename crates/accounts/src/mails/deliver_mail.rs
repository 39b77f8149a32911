//! Delivers queued mails to the mail server, until each is accepted, given up or expired.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use waggle_kernel::{Clock, PortError, ServerKeys, error_chain};

use crate::mails::mail::{MailFailure, QueuedMail};
use crate::ports::{ClaimedMails, MailQueue, Mailer, NotSent};

/// How long a process leases an email before another process can take it. This is longer than the
/// timeouts of sending an email.
const LEASE: Duration = Duration::minutes(5);
/// How often an email is sent if its outcome stays unknown, and the minimum pause in between. The
/// recipient may get a copy each time.
const MOST_UNKNOWN: u32 = 3;
const UNKNOWN_PAUSE: Duration = Duration::minutes(1);

/// Delivers mails to the mail server.
pub struct DeliverMail {
    pub queue: Arc<dyn MailQueue>,
    pub mailer: Arc<dyn Mailer>,
    /// Opens the sealed codes and links.
    pub keys: Arc<dyn ServerKeys>,
    pub clock: Arc<dyn Clock>,
}

/// The outcome of a delivery.
#[derive(Debug)]
pub enum Delivered {
    Sent,
    /// The email will be tried again.
    Later {
        at: DateTime<Utc>,
        why: MailFailure,
    },
    /// The email will not be tried again.
    GivenUp {
        why: MailFailure,
    },
}

impl DeliverMail {
    /// Leases up to `most` mails that are due.
    pub async fn claim(&self, most: u16) -> Result<ClaimedMails, PortError> {
        let now = self.clock.now();
        self.queue.claim(now, now + LEASE, most).await
    }

    /// Sends one email and records the outcome.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the outcome cannot be stored. The email is then tried again, and may arrive
    /// twice.
    pub async fn deliver(&self, mail: &QueuedMail) -> Result<Delivered, PortError> {
        let sent = match mail.open(&*self.keys).await {
            Ok(opened) => self.mailer.send(&opened).await,
            Err(error) => Err(MailFailure::Never(error)),
        };
        let now = self.clock.now();
        let why = match sent {
            Ok(()) => {
                self.queue.sent(mail.id).await?;
                return Ok(Delivered::Sent);
            }
            Err(why) => why,
        };
        let is_unknown = matches!(why, MailFailure::Unknown(_));
        let end = NotSent { reason: error_chain(&why), is_unknown };
        let unknown_ends = mail.unknown_ends + u32::from(is_unknown);
        let pause = pause(mail.tries);
        let at = now + if is_unknown { pause.max(UNKNOWN_PAUSE) } else { pause };
        let is_hopeless = matches!(why, MailFailure::Never(_)) || unknown_ends >= MOST_UNKNOWN;
        if is_hopeless || at >= mail.useless_at {
            self.queue.give_up(mail.id, &end).await?;
            return Ok(Delivered::GivenUp { why });
        }
        self.queue.later(mail.id, at, &end).await?;
        Ok(Delivered::Later { at, why })
    }
}

/// Returns the pause after so many tries. It doubles each time, from 5 seconds up to an hour.
fn pause(tries: u32) -> Duration {
    let seconds = 5_i64 << tries.saturating_sub(1).min(20);
    Duration::seconds(seconds.min(3_600))
}

#[cfg(test)]
mod tests {
    use waggle_kernel::{FixedClock, MockServerKeys};

    use super::*;
    use crate::mails::mail::Letter;
    use crate::ports::{MockMailQueue, MockMailer};

    fn queued(tries: u32) -> QueuedMail {
        let now = FixedClock::noon().now();
        QueuedMail {
            id: 7,
            to: "joe@example.com".parse().unwrap(),
            letter: Letter::PasswordChanged,
            proof: None,
            created_at: now,
            useless_at: now + Duration::minutes(10),
            tries,
            unknown_ends: 0,
        }
    }

    async fn deliver(queue: MockMailQueue, mailer: MockMailer, tries: u32) -> Delivered {
        deliver_this(queue, mailer, &queued(tries)).await
    }

    async fn deliver_this(
        queue: MockMailQueue,
        mailer: MockMailer,
        mail: &QueuedMail,
    ) -> Delivered {
        let deliver = DeliverMail {
            queue: Arc::new(queue),
            mailer: Arc::new(mailer),
            keys: Arc::new(MockServerKeys::new()),
            clock: Arc::new(FixedClock::noon()),
        };
        deliver.deliver(mail).await.unwrap()
    }

    fn failing(make: fn(PortError) -> MailFailure) -> MockMailer {
        let mut mailer = MockMailer::new();
        let fail = move || make(PortError::unavailable("sending an email", "it is dead"));
        mailer.expect_send().once().returning(move |_| Err(fail()));
        mailer
    }

    #[tokio::test]
    async fn a_sent_mail_leaves_the_queue() {
        let (mut queue, mut mailer) = (MockMailQueue::new(), MockMailer::new());
        mailer.expect_send().once().returning(|_| Ok(()));
        queue.expect_sent().withf(|id| *id == 7).once().returning(|_| Ok(()));

        assert!(matches!(deliver(queue, mailer, 1).await, Delivered::Sent));
    }

    #[tokio::test]
    async fn a_mail_is_retried_until_it_expires() {
        let mut queue = MockMailQueue::new();
        queue.expect_later().once().returning(|_, _, _| Ok(()));
        let mailer = failing(MailFailure::Later);

        let result = deliver(queue, mailer, 2).await;

        let again = FixedClock::noon().now() + Duration::seconds(10);
        assert!(matches!(result, Delivered::Later { at, .. } if at == again), "{result:?}");
        let mut queue = MockMailQueue::new();
        queue.expect_give_up().once().returning(|_, _| Ok(()));
        let result = deliver(queue, failing(MailFailure::Later), 20).await;
        assert!(matches!(result, Delivered::GivenUp { .. }), "{result:?}");
    }

    #[tokio::test]
    async fn a_permanently_rejected_mail_is_given_up() {
        let mut queue = MockMailQueue::new();
        queue
            .expect_give_up()
            .withf(|_, end| end.reason.ends_with("it is dead") && !end.is_unknown)
            .once()
            .returning(|_, _| Ok(()));

        let result = deliver(queue, failing(MailFailure::Never), 1).await;

        assert!(matches!(result, Delivered::GivenUp { .. }), "{result:?}");
    }

    #[tokio::test]
    async fn a_mail_with_an_unknown_outcome_is_tried_three_times_with_a_pause() {
        let now = FixedClock::noon().now();
        for (before, is_last) in [(0, false), (1, false), (2, true)] {
            let mut queue = MockMailQueue::new();
            if is_last {
                queue.expect_give_up().once().returning(|_, _| Ok(()));
            } else {
                let is_it = move |_: &i64, at: &DateTime<Utc>, end: &NotSent| {
                    *at == now + UNKNOWN_PAUSE && end.is_unknown
                };
                queue.expect_later().withf(is_it).once().returning(|_, _, _| Ok(()));
            }
            let mail = QueuedMail { unknown_ends: before, ..queued(before + 1) };

            let result = deliver_this(queue, failing(MailFailure::Unknown), &mail).await;

            assert_eq!(matches!(result, Delivered::GivenUp { .. }), is_last, "{result:?}");
        }
    }

    #[test]
    fn pauses_grow_to_an_hour() {
        let seconds = [1, 2, 3, 10, 64, u32::MAX].map(|tries| pause(tries).num_seconds());

        assert_eq!(seconds, [5, 10, 20, 2_560, 3_600, 3_600]);
    }
}
