//! The frame rate: frames that no input has caused are paced, so that the program uses less than half of a
//! processor, also where the system does not wait for the display.

use std::time::Duration;

/// Minimum time between two frames. The display, or drawing, adds to it.
const MIN_INTERVAL: Duration = Duration::from_millis(12);
/// Maximum time between two frames, so that a fade has enough steps.
const MAX_INTERVAL: Duration = Duration::from_millis(120);
/// Time between two frames for the processor time that a frame costs, in quarters: frames use 4/9 of a
/// processor.
const QUARTERS: u32 = 9;

/// Measures what frames cost, and says when the next one may start.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// The processor time that the program had used at the last frame.
    used: Option<Duration>,
    /// Smoothed processor time from one frame to the next.
    cost: Duration,
    /// When the next frame may start.
    next_at: Duration,
}

impl Pacing {
    /// Records a frame that starts at `now`, when the program has used `used` of the processors. Returns the
    /// time until the next one may start.
    pub(super) fn record(&mut self, now: Duration, used: Option<Duration>) -> Duration {
        let last = std::mem::replace(&mut self.used, used);
        if let Some((used, last)) = used.zip(last) {
            // The first frame after a pause also has what the program did in the meantime.
            let cost = used.saturating_sub(last).min(MAX_INTERVAL);
            self.cost = (self.cost * 3 + cost) / 4;
        }
        let interval = (self.cost * QUARTERS / 4).clamp(MIN_INTERVAL, MAX_INTERVAL);
        self.next_at = now + interval;
        interval
    }

    /// Returns when the next frame may start.
    pub(super) fn next_at(&self) -> Duration {
        self.next_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the interval after many frames that cost this much processor time.
    fn interval(cost: Duration) -> Duration {
        let (mut pacing, mut used) = (Pacing::default(), Duration::ZERO);
        let mut last = Duration::ZERO;
        for frame in 0..100 {
            last = pacing.record(Duration::from_millis(frame * 50), Some(used));
            assert_eq!(pacing.next_at(), Duration::from_millis(frame * 50) + last);
            used += cost;
        }
        last
    }

    #[test]
    fn frames_take_less_than_half_of_a_processor_and_a_fade_keeps_eight_steps_a_second() {
        assert_eq!(interval(Duration::from_millis(2)), MIN_INTERVAL);
        let dear = interval(Duration::from_millis(30));
        assert!((66..=68).contains(&dear.as_millis()), "{dear:?}");
        assert_eq!(interval(Duration::from_millis(200)), MAX_INTERVAL);
        assert!(MAX_INTERVAL * 8 < Duration::from_secs(1));
    }

    #[test]
    fn frames_are_paced_where_the_cost_is_unknown() {
        let mut pacing = Pacing::default();
        assert_eq!(pacing.record(Duration::ZERO, None), MIN_INTERVAL);
        assert_eq!(pacing.record(MIN_INTERVAL, None), MIN_INTERVAL);
    }
}
