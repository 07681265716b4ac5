//! Slows down those who guess passwords. What counts is who guesses: an account is refused only to addresses
//! that failed with it, and an address only after many failures, because a whole office may share one.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use tokio::time::Instant;

/// Number of failures of an address with one account that cost nothing.
const FREE_OF_PAIR: u32 = 3;
/// Number of failures of an address with any account that cost nothing.
const FREE_OF_ADDRESS: u32 = 30;
/// The first delay. It doubles with each failure.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest delay.
const MAX_DELAY: Duration = Duration::from_secs(15 * 60);
/// Time without a failure after which the failures are forgotten.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// Maximum number of pairs and of addresses that are remembered. Beyond that the oldest are forgotten.
const MAX_REMEMBERED: usize = 10_000;

/// The failures of an hour.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    pairs: Failures<(Arc<str>, IpAddr)>,
    addresses: Failures<IpAddr>,
}

#[derive(Debug)]
struct Failures<K> {
    by_key: BTreeMap<K, Failed>,
}

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new() }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    count: u32,
    last: Instant,
}

impl Throttle {
    /// Returns how long an address has to wait before it may try to sign in to an account, if it has to.
    pub(super) fn wait(&self, account: &Arc<str>, address: IpAddr, now: Instant) -> Option<Duration> {
        let address = network(address);
        let pair = self.pairs.wait(&(account.clone(), address), FREE_OF_PAIR, now);
        pair.max(self.addresses.wait(&address, FREE_OF_ADDRESS, now))
    }

    /// Whether an address has failed in the last hour.
    pub(super) fn has_failed(&self, address: IpAddr, now: Instant) -> bool {
        let failed = self.addresses.by_key.get(&network(address));
        failed.is_some_and(|failed| failed.count > 0 && now < failed.last + MEMORY)
    }

    /// Counts a try that failed. Call it before the password is compared, so that tries at the same time are
    /// counted, too.
    pub(super) fn failed(&mut self, account: &Arc<str>, address: IpAddr, now: Instant) {
        let address = network(address);
        self.pairs.add((account.clone(), address), now);
        self.addresses.add(address, now);
    }

    /// Uncounts a try whose password was not compared.
    pub(super) fn uncount(&mut self, account: &Arc<str>, address: IpAddr) {
        let address = network(address);
        let counts =
            [self.pairs.by_key.get_mut(&(account.clone(), address)), self.addresses.by_key.get_mut(&address)];
        counts.into_iter().flatten().for_each(|failed| failed.count = failed.count.saturating_sub(1));
    }

    /// Forgets the failures of an address with an account: the person has signed in.
    pub(super) fn succeeded(&mut self, account: &Arc<str>, address: IpAddr) {
        let address = network(address);
        self.pairs.by_key.remove(&(account.clone(), address));
        if let Some(failed) = self.addresses.by_key.get_mut(&address) {
            // This try was counted, too.
            failed.count = failed.count.saturating_sub(1);
        }
    }
}

impl<K: Ord + Clone> Failures<K> {
    fn wait(&self, key: &K, free: u32, now: Instant) -> Option<Duration> {
        let failed = self.by_key.get(key).filter(|failed| now < failed.last + MEMORY)?;
        let doublings = failed.count.checked_sub(free)?.min(20);
        let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(MAX_DELAY);
        (failed.last + delay).checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    fn add(&mut self, key: K, now: Instant) {
        if self.by_key.len() >= MAX_REMEMBERED && !self.by_key.contains_key(&key) {
            self.by_key.retain(|_, failed| now < failed.last + MEMORY);
            if self.by_key.len() >= MAX_REMEMBERED
                && let Some(oldest) = self.by_key.iter().min_by_key(|(_, failed)| failed.last)
            {
                let oldest = oldest.0.clone();
                self.by_key.remove(&oldest);
            }
        }
        let failed = self.by_key.entry(key).or_insert(Failed { count: 0, last: now });
        if now >= failed.last + MEMORY {
            failed.count = 0;
        }
        *failed = Failed { count: failed.count.saturating_add(1), last: now };
    }
}

/// Returns what is counted as one address: with IPv6, the network of one site.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn fail(throttle: &mut Throttle, times: u32, account: &str, address: IpAddr, now: Instant) {
        (0..times).for_each(|_| throttle.failed(&account.into(), address, now));
    }

    #[test]
    fn the_delay_grows_for_the_address_that_fails_and_for_no_other() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let seconds = |throttle: &Throttle, account: &str, address| {
            throttle.wait(&account.into(), address, now).map(|wait| wait.as_secs())
        };
        fail(&mut throttle, 2, "ann", HERE, now);
        assert_eq!(seconds(&throttle, "ann", HERE), None);
        for expected in [1, 2, 4, 8] {
            fail(&mut throttle, 1, "ann", HERE, now);
            assert_eq!(seconds(&throttle, "ann", HERE), Some(expected));
        }
        assert_eq!(seconds(&throttle, "ann", THERE), None, "her account is not locked for others' tries");
        assert_eq!(seconds(&throttle, "bob", HERE), None, "colleagues behind the same address");
        fail(&mut throttle, 1_000, "ann", HERE, now);
        assert_eq!(seconds(&throttle, "ann", HERE), Some(900), "at most a quarter of an hour");
        assert!(seconds(&throttle, "bob", HERE).is_some(), "an address that fails that often");
        assert_eq!(throttle.wait(&"ann".into(), HERE, now + MEMORY), None);
    }

    #[test]
    fn a_sign_in_forgets_the_failures_before_it() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        fail(&mut throttle, 5, "ann", HERE, now);
        throttle.succeeded(&"ann".into(), HERE);
        assert_eq!(throttle.wait(&"ann".into(), HERE, now), None);
    }

    #[test]
    fn a_try_that_was_not_compared_counts_for_nothing() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..10 {
            fail(&mut throttle, 1, "ann", HERE, now);
            throttle.uncount(&"ann".into(), HERE);
        }
        assert!(throttle.wait(&"ann".into(), HERE, now).is_none() && !throttle.has_failed(HERE, now));
        throttle.uncount(&"bob".into(), THERE);
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for host in 0..8_u16 {
            throttle.failed(&"ann".into(), IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]), now);
        }
        let wait = |address: [u16; 8]| throttle.wait(&"ann".into(), address.into(), now);
        assert!(wait([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9]).is_some());
        assert!(wait([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]).is_none());
    }

    #[test]
    fn a_bounded_number_of_failures_is_remembered() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        fail(&mut throttle, 5, "ann", HERE, now + Duration::from_secs(1));
        for name in 0..2 * MAX_REMEMBERED {
            throttle.failed(&name.to_string().into(), THERE, now + Duration::from_millis(name as u64 / 20));
        }
        assert_eq!(throttle.pairs.by_key.len(), MAX_REMEMBERED);
    }
}
