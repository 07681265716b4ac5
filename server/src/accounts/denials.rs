//! What callers were refused, for the audit log: the first refusal of each kind, and then one a minute, so that
//! a caller that goes on asking does not fill it.

use std::{collections::BTreeMap, time::Duration};

use shared::ids::UserId;
use tokio::time::Instant;

/// Time between two entries about the same refusal.
const PAUSE: Duration = Duration::from_secs(60);
/// Maximum number of refusals that are remembered. Further ones are not recorded until others are older than
/// [`PAUSE`].
const MAX_REMEMBERED: usize = 10_000;

/// The refusals of the last minute.
#[derive(Debug, Default)]
pub(super) struct Denials {
    recorded: BTreeMap<(UserId, String), Instant>,
}

impl Denials {
    /// Whether a refusal is to be recorded.
    pub(super) fn is_due(&mut self, account: UserId, what: &str, now: Instant) -> bool {
        let key = (account, what.to_owned());
        if self.recorded.get(&key).is_some_and(|at| now < *at + PAUSE) {
            return false;
        }
        if self.recorded.len() >= MAX_REMEMBERED {
            self.recorded.retain(|_, at| now < *at + PAUSE);
        }
        if self.recorded.len() >= MAX_REMEMBERED {
            return false;
        }
        self.recorded.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_due_once_a_minute_for_each_account_and_thing() {
        let (ann, bob) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let mut denials = Denials::default();
        let start = Instant::now();
        assert!(denials.is_due(ann, "a", start) && !denials.is_due(ann, "a", start + PAUSE / 2));
        assert!(denials.is_due(ann, "b", start) && denials.is_due(bob, "a", start));
        assert!(denials.is_due(ann, "a", start + PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded_and_frees_itself() {
        let ann = UserId(Uuid::from_u128(1));
        let mut denials = Denials::default();
        let start = Instant::now();
        for number in 0..MAX_REMEMBERED {
            assert!(denials.is_due(ann, &number.to_string(), start));
        }
        assert!(!denials.is_due(ann, "more", start));
        assert!(denials.is_due(ann, "more", start + PAUSE));
        assert_eq!(denials.recorded.len(), 1);
    }
}
