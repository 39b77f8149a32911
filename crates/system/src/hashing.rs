//! Password hashing on separate threads, a few hashes at a time: each takes tens of milliseconds
//! and 19 MiB.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::clock::SystemClock;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use tokio::sync::Semaphore;
use waggle_accounts::ports::PasswordHasher;
use waggle_accounts::{StoredPassword, Verdict};
use waggle_kernel::{Clock as _, Entropy, PortError};

/// How many requests can wait for their turn. Further ones get an error that tells them to try
/// again.
const MOST_WAITING: usize = 64;

/// The minimum time until a sign-in is rejected while there are passwords from Django: the time to
/// verify one of a million rounds on a slow machine.
const SLOWEST: TimeDelta = TimeDelta::seconds(1);

/// Hashes passwords on separate threads, at most one per core at a time.
pub struct Hashing {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    entropy: Arc<dyn Entropy>,
}

impl Hashing {
    /// Creates a hasher that takes salts from `entropy`.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { places: Arc::new(Semaphore::new(cores)), waiting: AtomicUsize::new(0), entropy }
    }

    async fn aside<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let queue = Queue::join(&self.waiting)
            .ok_or_else(|| PortError::unavailable(doing, "too many requests at the same time"))?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        drop(queue);
        let place = place.map_err(|error| PortError::broken(doing, error))?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        done.await.map_err(|error| PortError::broken(doing, error))
    }
}

/// A place in the queue. It is also released if the request is cancelled.
struct Queue<'a>(&'a AtomicUsize);

impl<'a> Queue<'a> {
    fn join(waiting: &'a AtomicUsize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::SeqCst);
        let place = Self(waiting);
        (before < MOST_WAITING).then_some(place)
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl PasswordHasher for Hashing {
    async fn hash(&self, password: &SecretString) -> Result<StoredPassword, PortError> {
        let chance = self.entropy.bytes()?;
        let mut salt = [0; 16];
        for (to, from) in salt.iter_mut().zip(chance) {
            *to = from;
        }
        let password = password.clone();
        self.aside("hashing a password", move || StoredPassword::hash(&password, &salt)).await
    }

    async fn verify(
        &self,
        password: &SecretString,
        stored: &StoredPassword,
    ) -> Result<Verdict, PortError> {
        let (password, stored) = (password.clone(), stored.clone());
        self.aside("comparing a password", move || stored.verify(&password)).await
    }

    async fn even_out(&self, since: DateTime<Utc>) {
        // If the clock was set back in the meantime, the wait must not get longer.
        let left = (since + SLOWEST - SystemClock.now()).min(SLOWEST);
        tokio::time::sleep(left.to_std().unwrap_or_default()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_and_leaving_it_frees_a_place() {
        let waiting = AtomicUsize::new(0);
        let mut queue: Vec<_> = (0..MOST_WAITING).map(|_| Queue::join(&waiting)).collect();
        assert!(queue.iter().all(Option::is_some));
        assert!(Queue::join(&waiting).is_none());

        queue.pop();

        assert!(Queue::join(&waiting).is_some());
    }
}
