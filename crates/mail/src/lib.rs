//! Mails by SMTP, or as files in a folder where no mail server is set up.

mod letters;
mod outbox;
mod smtp;

pub use letters::Sender;
pub use outbox::Outbox;
pub use smtp::{Account, Reply, Security, Smtp, SmtpError};
