//! Mails and the queue that they wait in.

pub(crate) mod deliver_mail;
pub(crate) mod mail;
