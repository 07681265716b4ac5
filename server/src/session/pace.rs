//! How fast one connection may send edits: past its rate it is not read until it is under again.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Pace {
    /// A full bucket; a rate of 0 never ends.
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self { per_second: f64::from(per_second), burst, tokens: burst, filled: now }
    }

    /// An edit came.
    pub(super) fn take(&mut self, now: Instant) {
        self.fill(now);
        if self.per_second > 0.0 {
            self.tokens -= 1.0;
        }
    }

    /// When the next edit may be read, where it is not now.
    pub(super) fn wait_until(&self) -> Option<Instant> {
        let lacking = 1.0 - self.tokens;
        (lacking > 0.0).then(|| self.filled + Duration::from_secs_f64(lacking / self.per_second))
    }

    /// Time has passed.
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
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut pace = Pace::new(200, 400, start);
        (0..400).for_each(|_| pace.take(start));
        let wait = pace.wait_until().unwrap() - start;
        assert!((wait.as_secs_f64() - 0.005).abs() < 1e-6, "{wait:?}");
        pace.fill(start + Duration::from_secs(1));
        assert_eq!(pace.wait_until(), None);
        let mut lifted = Pace::new(0, 1, start);
        (0..10_000).for_each(|_| lifted.take(start));
        assert_eq!(lifted.wait_until(), None);
    }
}
