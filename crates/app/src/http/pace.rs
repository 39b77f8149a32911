//! Rate limits per client and per API token. Calls are counted in the memory of this process, which
//! costs almost nothing. What must be exact is counted in the database.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use governor::clock::{Clock as _, MonotonicClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use waggle_accounts::network;
use waggle_kernel::ids::TokenId;
use waggle_settings::Values;

/// Whose calls are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    /// A network address; for IPv6, a /64.
    Client(String),
    /// An API token, from any address.
    Token(TokenId),
}

type Limiter = RateLimiter<Whose, DashMapStateStore<Whose>, MonotonicClock>;

/// After this many calls, the counts of those that have been idle for a minute are removed.
const SWEEP: u32 = 10_000;

/// Counts calls.
#[derive(Default)]
pub(crate) struct Pace {
    /// The limit in calls per minute, and the counts for it.
    limiter: RwLock<Option<(NonZeroU32, Arc<Limiter>)>>,
    calls: AtomicU32,
}

/// The limit in calls per minute that the settings define; 0 means no limit.
pub(super) fn most_calls(values: &Values) -> u32 {
    u32::try_from(values.requests_per_minute.number()).unwrap_or(u32::MAX)
}

/// A rate limit was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "too many requests: one network address or API token can send {most} per minute \
     (REQUESTS_PER_MINUTE)"
)]
pub(crate) struct TooFast {
    /// The limit in calls per minute.
    pub(crate) most: u32,
    /// The time until the next call is accepted.
    pub(crate) seconds: u32,
}

impl Pace {
    /// Counts a call from an address. The limit is `most` calls per minute; 0 means no limit.
    ///
    /// # Errors
    ///
    /// [`TooFast`] if the limit is exceeded.
    pub(crate) fn call_from(&self, address: IpAddr, most: u32) -> Result<(), TooFast> {
        self.count(&Whose::Client(network(address)), most)
    }

    /// Counts a call with an API token, with a limit as in [`call_from`](Self::call_from).
    ///
    /// # Errors
    ///
    /// [`TooFast`] if the limit is exceeded.
    pub(crate) fn call_with(&self, token: TokenId, most: u32) -> Result<(), TooFast> {
        self.count(&Whose::Token(token), most)
    }

    fn count(&self, whose: &Whose, most: u32) -> Result<(), TooFast> {
        let Some(most) = NonZeroU32::new(most) else { return Ok(()) };
        let limiter = self.limiter(most);
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP) {
            limiter.retain_recent();
        }
        limiter.check_key(whose).map_err(|early| {
            let wait = early.wait_time_from(limiter.clock().now()).as_secs() + 1;
            TooFast { most: most.get(), seconds: u32::try_from(wait).unwrap_or(u32::MAX) }
        })
    }

    /// The counts for this limit. A new limit starts with new counts.
    fn limiter(&self, most: NonZeroU32) -> Arc<Limiter> {
        let of = |present: &Option<(NonZeroU32, Arc<Limiter>)>| {
            let present = present.as_ref().filter(|(of, _)| *of == most);
            present.map(|(_, limiter)| Arc::clone(limiter))
        };
        let present = of(&self.limiter.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(limiter) = present {
            return limiter;
        }
        let mut present = self.limiter.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(limiter) = of(&present) {
            return limiter;
        }
        let renewed =
            RateLimiter::new(Quota::per_minute(most), DashMapStateStore::default(), MonotonicClock);
        let renewed = Arc::new(renewed);
        *present = Some((most, Arc::clone(&renewed)));
        renewed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_and_token_has_its_own_count() {
        let pace = Pace::default();

        for _ in 0..3 {
            pace.call_from(address("192.0.2.1"), 3).unwrap();
            pace.call_with(TokenId::new(1), 3).unwrap();
        }

        let late = pace.call_from(address("192.0.2.1"), 3).unwrap_err();
        assert!(late.most == 3 && (1..=21).contains(&late.seconds), "{late:?}");
        assert!(pace.call_with(TokenId::new(1), 3).is_err());
        pace.call_from(address("192.0.2.2"), 3).unwrap();
        pace.call_with(TokenId::new(2), 3).unwrap();
        for host in ["2001:db8::1", "2001:db8::2", "2001:db8::3"] {
            pace.call_from(address(host), 3).unwrap();
        }
        assert!(pace.call_from(address("2001:db8::4"), 3).is_err(), "they are one client");
        pace.call_from(address("192.0.2.1"), 4).unwrap();
        for _ in 0..100 {
            pace.call_from(address("192.0.2.1"), 0).unwrap();
        }
    }
}
