//! What callers were refused, for the audit log: each refusal of an account once a minute, and a limited number of
//! them, so that a caller that goes on asking does not fill it.

use std::{collections::BTreeMap, time::Duration};

use shared::ids::UserId;
use tokio::time::Instant;

/// Time between two entries about the same refusal.
const PAUSE: Duration = Duration::from_secs(60);
/// Maximum number of entries of an account in that time.
const MAX_OF_ACCOUNT: usize = 20;

/// The refusals of the last minute that were recorded, by account.
#[derive(Debug, Default)]
pub(super) struct Denials {
    recorded: BTreeMap<UserId, Vec<(String, Instant)>>,
}

impl Denials {
    /// Whether a refusal is to be recorded.
    pub(super) fn is_due(&mut self, account: UserId, what: &str, now: Instant) -> bool {
        let recorded = self.recorded.entry(account).or_default();
        recorded.retain(|(_, at)| now < *at + PAUSE);
        let is_due = recorded.len() < MAX_OF_ACCOUNT && !recorded.iter().any(|(known, _)| known == what);
        if is_due {
            recorded.push((what.to_owned(), now));
        }
        is_due
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

    /// The paths of requests are made up by the caller.
    #[tokio::test(start_paused = true)]
    async fn an_account_fills_neither_the_log_nor_the_place_of_others() {
        let (ann, bob) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let mut denials = Denials::default();
        let start = Instant::now();
        let due = (0..1_000).filter(|number| denials.is_due(ann, &number.to_string(), start)).count();
        assert_eq!(due, MAX_OF_ACCOUNT);
        assert!(denials.is_due(bob, "a", start));
        assert!(denials.is_due(ann, "more", start + PAUSE));
        assert_eq!(denials.recorded[&ann].len(), 1);
    }
}
