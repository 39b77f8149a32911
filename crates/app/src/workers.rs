//! What runs beside requests: the workers that empty the queues, and the follower of settings.

pub(crate) mod mails;
pub(crate) mod posts;
mod queue_worker;
pub(crate) mod settings;
mod supervisor;

pub(crate) use self::queue_worker::run;
pub(crate) use self::supervisor::supervise;
