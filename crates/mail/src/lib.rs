//! Sends mails by SMTP, or writes them as files into a folder if no mail server is configured.

mod letters;
mod outbox;
mod smtp;

pub use letters::Sender;
pub use outbox::Outbox;
pub use smtp::{Account, Reply, Security, Smtp, SmtpError};
