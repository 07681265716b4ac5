//! Rate limit of one connection's edits. A connection over its rate is not read until it is within the rate again.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket: one token per edit.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Pace {
    /// Creates a full bucket. A rate of 0 means no limit.
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self { per_second: f64::from(per_second), burst, tokens: burst, filled: now }
    }

    /// Consumes a token for an edit.
    pub(super) fn consume(&mut self, now: Instant) {
        self.fill(now);
        if self.per_second > 0.0 {
            self.tokens -= 1.0;
        }
    }

    /// Returns when the next edit may be read, or `None` if it may be read now.
    pub(super) fn wait_until(&self) -> Option<Instant> {
        let missing = 1.0 - self.tokens;
        (missing > 0.0).then(|| self.filled + Duration::from_secs_f64(missing / self.per_second))
    }

    /// Adds the tokens that have accrued since the last call.
    pub(super) fn fill(&mut self, now: Instant) {
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
        let mut unlimited = Pace::new(0, 1, start);
        (0..10_000).for_each(|_| unlimited.consume(start));
        assert_eq!(unlimited.wait_until(), None);
    }
}
