//! Mails that wait are brought to the mail server, each until it is taken or of no use any more.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use waggle_kernel::{Clock, PortError, error_chain};

use crate::keys::ServerKeys;
use crate::mails::mail::{MailFailure, QueuedMail};
use crate::ports::{ClaimedMails, MailQueue, Mailer, NotSent};

/// For how long a process has a mail in hand before another may take it: longer than a mail server may take.
const LEASE: Duration = Duration::minutes(5);
/// How often a mail is handed to a server that does not say whether it took it, and how long to wait
/// in between: each time the recipient may get it once more.
const MOST_UNKNOWN: u32 = 3;
const UNKNOWN_PAUSE: Duration = Duration::minutes(1);

/// Brings mails to the mail server.
pub struct DeliverMail {
    /// Where they wait.
    pub queue: Arc<dyn MailQueue>,
    /// Who takes them.
    pub mailer: Arc<dyn Mailer>,
    /// Opens what nobody else may know.
    pub keys: Arc<dyn ServerKeys>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// What became of a mail.
#[derive(Debug)]
pub enum Delivered {
    /// The server took it.
    Sent,
    /// It is tried again.
    Later {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        why: MailFailure,
    },
    /// It is not tried again.
    GivenUp {
        /// Why.
        why: MailFailure,
    },
}

impl DeliverMail {
    /// Leases up to `most` mails that are due.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer.
    pub async fn claim(&self, most: u16) -> Result<ClaimedMails, PortError> {
        let now = self.clock.now();
        self.queue.claim(now, now + LEASE, most).await
    }

    /// Brings one mail to the server, and writes down what became of it.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the store cannot answer; then the mail is tried again, and may come twice.
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

/// How long to wait after so many tries: from seconds to an hour, each time twice as long.
fn pause(tries: u32) -> Duration {
    let seconds = 5_i64 << tries.saturating_sub(1).min(20);
    Duration::seconds(seconds.min(3_600))
}

#[cfg(test)]
mod tests {
    use waggle_kernel::FixedClock;

    use super::*;
    use crate::keys::MockServerKeys;
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
        let fail = move || make(PortError::unavailable("sending a mail", "it is dead"));
        mailer.expect_send().once().returning(move |_| Err(fail()));
        mailer
    }

    #[tokio::test]
    async fn a_mail_that_was_taken_leaves_the_queue() {
        let (mut queue, mut mailer) = (MockMailQueue::new(), MockMailer::new());
        mailer.expect_send().once().returning(|_| Ok(()));
        queue.expect_sent().withf(|id| *id == 7).once().returning(|_| Ok(()));

        assert!(matches!(deliver(queue, mailer, 1).await, Delivered::Sent));
    }

    #[tokio::test]
    async fn a_dead_server_is_asked_again_as_long_as_the_mail_is_of_use() {
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
    async fn what_the_server_will_never_take_is_given_up() {
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
    async fn a_mail_that_may_have_gone_out_is_tried_three_times_with_a_pause() {
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
