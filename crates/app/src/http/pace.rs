//! How many calls one client, or one API token, may make. They are counted in this process alone, so that it costs next to nothing; what has
//! to be exact is counted in the database.

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
    /// Those from a network address; of IPv6 from a /64.
    Client(String),
    /// Those with an API token, from wherever.
    Token(TokenId),
}

type Limiter = RateLimiter<Whose, DashMapStateStore<Whose>, MonotonicClock>;

/// After how many calls those are forgotten who have been quiet for a minute.
const SWEEP: u32 = 10_000;

/// Counts calls.
#[derive(Default)]
pub(crate) struct Pace {
    /// For which number of calls a minute, and the count.
    limiter: RwLock<Option<(NonZeroU32, Arc<Limiter>)>>,
    calls: AtomicU32,
}

/// How many calls a minute the settings take; 0 is as many as there are.
pub(super) fn most_calls(values: &Values) -> u32 {
    u32::try_from(values.requests_per_minute.number()).unwrap_or(u32::MAX)
}

/// There were too many calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there were too many calls: {most} a minute are taken from one address and with one API token (REQUESTS_PER_MINUTE)"
)]
pub(crate) struct TooFast {
    /// How many are taken in a minute.
    pub(crate) most: u32,
    /// After how many seconds the next is taken.
    pub(crate) seconds: u32,
}

impl Pace {
    /// Counts a call from an address, where `most` are taken in a minute; none is as many as there are.
    ///
    /// # Errors
    ///
    /// [`TooFast`]
    pub(crate) fn call_from(&self, address: IpAddr, most: u32) -> Result<(), TooFast> {
        self.count(&Whose::Client(network(address)), most)
    }

    /// The same for a call with an API token.
    ///
    /// # Errors
    ///
    /// [`TooFast`]
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

    /// The count for this number, which begins anew with another one.
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
        let anew =
            RateLimiter::new(Quota::per_minute(most), DashMapStateStore::default(), MonotonicClock);
        let anew = Arc::new(anew);
        *present = Some((most, Arc::clone(&anew)));
        anew
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
