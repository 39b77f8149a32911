//! The background tasks of a server: the queue workers, and the task that follows the settings.

pub(crate) mod mails;
pub(crate) mod posts;
mod queue_worker;
pub(crate) mod settings;
mod supervisor;
pub(crate) mod texts;

pub(crate) use self::queue_worker::run;
pub(crate) use self::supervisor::supervise;
