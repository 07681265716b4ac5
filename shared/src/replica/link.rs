//! When to connect again and when a connection is dead, as plain arithmetic on handed-in time.

/// The first reconnect waits at most this long, in milliseconds.
pub const FIRST_DELAY_MS: u64 = 250;
/// No reconnect waits longer than this, in milliseconds.
pub const LONGEST_DELAY_MS: u64 = 10_000;
/// How often a client pings, in milliseconds.
pub const PING_EVERY_MS: u64 = 5_000;
/// A connection on which nothing is heard for this long after a ping is dead, in milliseconds.
pub const SILENCE_MS: u64 = 20_000;

/// Full-jitter exponential backoff: each delay is anything between nought and a bound that doubles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The delay before the next try; `random` is any number, and every one as likely as the others.
    pub fn next_delay_ms(&mut self, random: u32) -> u64 {
        let bound = FIRST_DELAY_MS.saturating_mul(1 << self.failures.min(16)).min(LONGEST_DELAY_MS);
        self.failures = self.failures.saturating_add(1);
        (bound * u64::from(random)) / u64::from(u32::MAX)
    }

    /// A connection came about: the next loss starts from the shortest delay.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Watches one connection: when to ping, how long the round trip takes, when it is dead.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    next_ping: u64,
    unanswered_since: Option<u64>,
    round_trip: Option<u64>,
}

impl Heartbeat {
    /// A connection that came about at `now`, in milliseconds of any steady clock.
    pub fn new(now_ms: u64) -> Self {
        Self { next_ping: now_ms, unanswered_since: None, round_trip: None }
    }

    /// Whether to ping now.
    pub fn ping_due(&mut self, now_ms: u64) -> bool {
        let due = now_ms >= self.next_ping;
        if due {
            self.next_ping = now_ms + PING_EVERY_MS;
            self.unanswered_since.get_or_insert(now_ms);
        }
        due
    }

    /// The answer to the last ping came, after so many microseconds.
    pub fn ponged(&mut self, micros: u64) {
        self.unanswered_since = None;
        self.round_trip = Some(micros);
    }

    /// Anything else was heard.
    pub fn heard(&mut self, now_ms: u64) {
        if let Some(since) = &mut self.unanswered_since {
            *since = now_ms;
        }
    }

    /// Whether nothing was heard for too long after a ping.
    pub fn is_dead(&self, now_ms: u64) -> bool {
        self.unanswered_since.is_some_and(|since| now_ms.saturating_sub(since) >= SILENCE_MS)
    }

    /// The last round trip in microseconds.
    pub fn round_trip_micros(&self) -> Option<u64> {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_ten_seconds_and_are_jittered_down_to_nothing() {
        let mut backoff = Backoff::default();
        let bounds: Vec<u64> = (0..8).map(|_| backoff.next_delay_ms(u32::MAX)).collect();
        assert_eq!(bounds, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(backoff.next_delay_ms(0), 0);
        backoff.reset();
        assert_eq!(backoff.next_delay_ms(u32::MAX / 2), 124);
    }

    #[test]
    fn a_connection_is_dead_after_twenty_silent_seconds() {
        let mut heartbeat = Heartbeat::new(0);
        assert!(heartbeat.ping_due(0) && !heartbeat.ping_due(4_999));
        heartbeat.heard(10_000);
        assert!(!heartbeat.is_dead(29_999) && heartbeat.is_dead(30_000));
        heartbeat.ponged(1_200);
        assert!(!heartbeat.is_dead(30_000));
    }
}
