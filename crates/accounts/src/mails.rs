//! Mails and their queue.

pub(crate) mod deliver_mail;
pub(crate) mod mail;
