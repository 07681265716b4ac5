//! Computes when to reconnect and when a connection is dead. The time is passed in.

/// Maximum delay before the first reconnect, in milliseconds.
pub const FIRST_DELAY_MS: u64 = 250;
/// Maximum delay before any reconnect, in milliseconds.
pub const MAX_DELAY_MS: u64 = 10_000;
/// Interval between a client's pings, in milliseconds.
pub const PING_INTERVAL_MS: u64 = 5_000;
/// Minimum time between a ping and one that a sent message causes, in milliseconds.
pub const EARLY_PING_MS: u64 = 1_000;
/// A connection is silent if nothing is received for this long after a ping, in milliseconds. What is shown may
/// be out of date then.
pub const SILENCE_MS: u64 = 2_000;
/// A connection is dead if nothing is received for this long after a ping, in milliseconds.
pub const MAX_SILENCE_MS: u64 = 20_000;

/// Exponential backoff with full jitter: each delay is between zero and a bound that doubles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the delay before the next attempt, in milliseconds. `random` is uniformly distributed.
    pub fn next_delay_ms(&mut self, random: u32) -> u64 {
        let bound = FIRST_DELAY_MS.saturating_mul(1 << self.failures.min(16)).min(MAX_DELAY_MS);
        self.failures = self.failures.saturating_add(1);
        (bound * u64::from(random)) / u64::from(u32::MAX)
    }

    /// Resets the delay to the shortest, after a successful connection.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Monitors one connection: schedules pings and detects a dead connection.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    next_ping: u64,
    unanswered_since: Option<u64>,
}

impl Heartbeat {
    /// Starts monitoring a connection opened at `now_ms`, in milliseconds of any monotonic clock.
    pub fn new(now_ms: u64) -> Self {
        Self { next_ping: now_ms, unanswered_since: None }
    }

    /// Returns whether to ping now. If so, the next ping is scheduled.
    pub fn ping_due(&mut self, now_ms: u64) -> bool {
        let due = now_ms >= self.next_ping;
        if due {
            self.next_ping = now_ms + PING_INTERVAL_MS;
            self.unanswered_since.get_or_insert(now_ms);
        }
        due
    }

    /// Makes a ping due soon, because a message was sent that the server has to answer, unless one is
    /// unanswered.
    pub fn ping_soon(&mut self, now_ms: u64) {
        if self.unanswered_since.is_some() {
            return;
        }
        let last = self.next_ping.saturating_sub(PING_INTERVAL_MS);
        self.next_ping = self.next_ping.min(now_ms.max(last + EARLY_PING_MS));
    }

    /// Records the pong for the last ping.
    pub fn pong_received(&mut self) {
        self.unanswered_since = None;
    }

    /// Records that other data was received.
    pub fn data_received(&mut self, now_ms: u64) {
        if let Some(since) = &mut self.unanswered_since {
            *since = now_ms;
        }
    }

    /// Returns for how long nothing was received after a ping, in milliseconds, from [`SILENCE_MS`] on.
    pub fn silence(&self, now_ms: u64) -> Option<u64> {
        let silence = now_ms.saturating_sub(self.unanswered_since?);
        Some(silence).filter(|silence| *silence >= SILENCE_MS)
    }

    /// Returns whether nothing was received for [`MAX_SILENCE_MS`] after a ping.
    pub fn is_dead(&self, now_ms: u64) -> bool {
        self.unanswered_since.is_some_and(|since| now_ms.saturating_sub(since) >= MAX_SILENCE_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_ten_seconds_and_are_jittered_down_to_zero() {
        let mut backoff = Backoff::default();
        let bounds: Vec<u64> = (0..8).map(|_| backoff.next_delay_ms(u32::MAX)).collect();
        assert_eq!(bounds, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(backoff.next_delay_ms(0), 0);
        backoff.reset();
        assert_eq!(backoff.next_delay_ms(u32::MAX / 2), 124);
    }

    #[test]
    fn a_connection_is_silent_after_two_seconds_and_a_sent_message_causes_a_ping() {
        let mut heartbeat = Heartbeat::new(0);
        assert!(heartbeat.ping_due(0));
        assert_eq!((heartbeat.silence(1_999), heartbeat.silence(2_500)), (None, Some(2_500)));
        heartbeat.data_received(2_600);
        assert_eq!(heartbeat.silence(4_000), None);
        heartbeat.pong_received();
        assert_eq!(heartbeat.silence(10_000), None, "no ping is unanswered");
        heartbeat.ping_soon(500);
        assert!(!heartbeat.ping_due(999) && heartbeat.ping_due(1_000), "a second after the last one");
        heartbeat.ping_soon(1_500);
        assert!(
            !heartbeat.ping_due(2_500),
            "one is unanswered, and its answer would be taken for that of another"
        );
        heartbeat.pong_received();
        heartbeat.ping_soon(3_000);
        assert!(heartbeat.ping_due(3_000) && !heartbeat.ping_due(7_999) && heartbeat.ping_due(8_000));
    }

    #[test]
    fn a_connection_is_dead_after_twenty_seconds_of_silence() {
        let mut heartbeat = Heartbeat::new(0);
        assert!(heartbeat.ping_due(0) && !heartbeat.ping_due(4_999));
        heartbeat.data_received(10_000);
        assert!(!heartbeat.is_dead(29_999) && heartbeat.is_dead(30_000));
        heartbeat.pong_received();
        assert!(!heartbeat.is_dead(30_000));
    }
}
