//! Rate limit of edits: those of one connection, and those that one caller sends over HTTP.

use std::time::Duration;

use tokio::time::Instant;

/// Number of tokens of a message that is no edit.
const MESSAGE_TOKENS: f64 = 0.1;

/// A token bucket: one token per edit.
#[derive(Debug)]
pub struct Pace {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Pace {
    /// Creates a full bucket. A rate of 0 means no limit.
    pub fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self { per_second: f64::from(per_second), burst, tokens: burst, filled: now }
    }

    /// Consumes a token for an edit.
    pub fn consume(&mut self, now: Instant) {
        self.consume_part(now, 1.0);
    }

    /// Consumes a part of a token for a message that is no edit: it writes nothing to the disk.
    pub fn consume_message(&mut self, now: Instant) {
        self.consume_part(now, MESSAGE_TOKENS);
    }

    fn consume_part(&mut self, now: Instant, tokens: f64) {
        self.fill(now);
        if self.per_second > 0.0 {
            self.tokens -= tokens;
        }
    }

    /// Returns when the next edit may be read, or `None` if it may be read now.
    pub fn wait_until(&self) -> Option<Instant> {
        let missing = 1.0 - self.tokens;
        (missing > 0.0).then(|| self.filled + Duration::from_secs_f64(missing / self.per_second))
    }

    /// Consumes a token for an edit that may have to wait for it. Returns when it may proceed, or `None`
    /// without consuming one if that would be after `latest`.
    pub fn reserve(&mut self, now: Instant, latest: Instant) -> Option<Instant> {
        self.fill(now);
        let at = self.wait_until().unwrap_or(now);
        if at > latest {
            return None;
        }
        self.consume(now);
        Some(at)
    }

    /// Adds the tokens that have accrued since the last call.
    pub fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_applies() {
        let start = Instant::now();
        let mut pace = Pace::new(200, 400, start);
        (0..400).for_each(|_| pace.consume(start));
        let wait = pace.wait_until().unwrap() - start;
        assert!((wait.as_secs_f64() - 0.005).abs() < 1e-6, "{wait:?}");
        pace.fill(start + Duration::from_secs(1));
        assert_eq!(pace.wait_until(), None);
        let mut messages = Pace::new(200, 400, start);
        (0..4_001).for_each(|_| messages.consume_message(start));
        assert!(messages.wait_until().is_some());
        let mut unlimited = Pace::new(0, 1, start);
        (0..10_000).for_each(|_| unlimited.consume(start));
        assert_eq!(unlimited.wait_until(), None);
    }

    #[test]
    fn edits_wait_in_turn_and_not_longer_than_they_may() {
        let start = Instant::now();
        let latest = start + Duration::from_secs(1);
        let mut pace = Pace::new(10, 5, start);
        let waits: Vec<_> = std::iter::from_fn(|| pace.reserve(start, latest)).take(100).collect();
        assert_eq!(waits.len(), 15, "five at once, and ten in the second after");
        assert!(waits[..5].iter().all(|at| *at == start));
        assert!(waits[5..].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(pace.reserve(latest, latest + Duration::from_millis(150)).is_some());
        assert!(Pace::new(0, 1, start).reserve(start, start).is_some(), "a rate of 0 is no limit");
    }
}
