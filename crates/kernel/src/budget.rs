//! Rate limit budgets: how many actions are allowed in a time window.

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};

use crate::port_error::PortError;

/// A number of actions that are allowed in a time window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What is counted, for example `login:account:joe@example.com`.
    pub key: String,
    /// How many actions are allowed in one window.
    pub most: u32,
    /// The length of the window, which begins with the first action.
    pub window: Duration,
}

/// A budget that is used up, so that the action was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    pub budget: Budget,
    /// When the window ends and the full budget is available again.
    pub until: DateTime<Utc>,
    /// How many actions were refused since the budget was used up, including this one.
    pub refusals: u32,
}

/// Counts actions against budgets, for all processes, and across restarts.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Limits: Send + Sync {
    /// Takes one action from each budget, atomically. Budgets after one that is used up are not
    /// charged.
    async fn take(
        &self,
        budgets: &[Budget],
        now: DateTime<Utc>,
    ) -> Result<Option<Exhausted>, PortError>;

    /// Returns one action to each budget, because what was taken does not count.
    async fn give_back(&self, budgets: &[Budget]) -> Result<(), PortError>;

    /// Deletes the counters with these keys, so that their budgets are full again.
    async fn forget(&self, keys: &[String]) -> Result<(), PortError>;
}

impl dyn Limits {
    /// Returns the actions to `budgets` if `done` failed: an attempt that could not be evaluated is
    /// not a failed attempt.
    pub async fn unless_failed<T, E>(
        &self,
        budgets: &[Budget],
        done: Result<T, E>,
    ) -> Result<T, E> {
        if done.is_err() {
            // The error that is returned says what is wrong.
            let _ = self.give_back(budgets).await;
        }
        done
    }
}
