//! The worker that sends queued emails.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tracing::{error, info, warn};
use waggle_accounts::{Delivered, MailFailure, QueuedMail};
use waggle_kernel::{PortError, error_chain};
use waggle_store::{Queue, Queues};

use super::queue_worker::QueueWork;
use crate::use_cases::UseCases;

/// How often the queue is read if nothing is announced.
const POLL: Duration = Duration::from_secs(2);
/// How long the worker waits after an announcement: longer than a request usually takes.
const SETTLE: Duration = Duration::from_millis(100);
/// The maximum number of emails sent at the same time.
const AT_ONCE: usize = 8;

/// Sends queued emails.
pub(crate) struct Mails {
    pub(crate) app: Arc<UseCases>,
    pub(crate) queues: Queues,
}

#[async_trait]
impl QueueWork for Mails {
    type Item = QueuedMail;

    const NAME: &'static str = "mails";

    fn at_once(&self) -> usize {
        AT_ONCE
    }

    fn poll_interval(&self) -> Duration {
        POLL
    }

    async fn announced(&self) {
        self.queues.filled(Queue::Mails).await;
        // The request that queued the email ends first: otherwise it would compete with this worker
        // for the database, and its response time would show that there was an email to queue.
        tokio::time::sleep(SETTLE).await;
    }

    async fn claim(&self, most: u16) -> Result<Vec<QueuedMail>, PortError> {
        let claimed = self.app.people.deliver_mail.claim(most).await?;
        for (id, reason) in claimed.unreadable {
            error!(mail.id = id, reason, "an email cannot be read and is given up");
        }
        Ok(claimed.mails)
    }

    async fn process(&self, mail: QueuedMail) {
        let (id, letter) = (mail.id, mail.letter.name());
        match self.app.people.deliver_mail.deliver(&mail).await {
            Ok(Delivered::Sent) => info!(mail.id = id, letter, "an email was sent"),
            Ok(Delivered::Later { at, why }) => {
                let error = error_chain(&why);
                let is_unknown = matches!(why, MailFailure::Unknown(_));
                warn!(
                    mail.id = id,
                    letter,
                    again_at = %at,
                    is_unknown,
                    error,
                    "an email could not be sent and will be retried"
                );
            }
            Ok(Delivered::GivenUp { why }) => {
                let error = error_chain(&why);
                error!(mail.id = id, letter, error, "an email could not be sent and is given up");
            }
            Err(problem) => {
                let error = error_chain(&problem);
                error!(
                    mail.id = id,
                    letter, error, "the outcome of an email could not be recorded"
                );
            }
        }
    }
}
