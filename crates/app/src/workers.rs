//! The background tasks of a server: the queue workers, those of the record of events, the task
//! that follows the settings, and maintenance.

pub(crate) mod changes;
pub(crate) mod events;
pub(crate) mod mails;
pub(crate) mod maintenance;
pub(crate) mod posts;
mod queue_worker;
pub(crate) mod retention;
pub(crate) mod settings;
mod supervisor;

pub(crate) use self::queue_worker::run;
pub(crate) use self::supervisor::supervise;
