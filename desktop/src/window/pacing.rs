//! The frame rate while something glows.

use std::time::Duration;

/// Frames that cost less run at the display's rate.
const CHEAP: Duration = Duration::from_millis(20);
/// Maximum pause between two frames, so that a fade has enough steps.
const MAX_PAUSE: Duration = Duration::from_millis(80);
/// Maximum cost of a frame that is counted; a longer one was an interruption.
const MAX_COST: Duration = Duration::from_millis(200);

/// Measures the cost of frames, and paces them so that they use at most half of the time.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// Smoothed cost of a frame.
    cost: Duration,
    /// The pause that the last frame requested.
    requested: Option<Duration>,
}

impl Pacing {
    /// Returns the pause before the next frame, given the time since the last one.
    pub(super) fn pause(&mut self, since_last: Duration) -> Duration {
        let pause = if self.cost > CHEAP { self.cost.min(MAX_PAUSE) } else { Duration::ZERO };
        self.measure(since_last);
        self.requested = Some(pause);
        pause
    }

    /// Records the time since the last frame, if a pause was requested in it.
    pub(super) fn measure(&mut self, since_last: Duration) {
        if let Some(pause) = self.requested.take() {
            let cost = since_last.saturating_sub(pause).min(MAX_COST);
            self.cost = (self.cost * 3 + cost) / 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_frames_have_no_pause_and_expensive_ones_take_half_of_the_time() {
        let mut pacing = Pacing::default();
        for _ in 0..50 {
            assert_eq!(pacing.pause(Duration::from_millis(5)), Duration::ZERO);
        }
        let mut pause = Duration::ZERO;
        for _ in 0..50 {
            pause = pacing.pause(pause + Duration::from_millis(40));
        }
        assert!((39..=41).contains(&pause.as_millis()), "{pause:?}");
        for _ in 0..50 {
            pause = pacing.pause(pause + Duration::from_millis(150));
        }
        assert_eq!(pause, MAX_PAUSE);
    }
}
