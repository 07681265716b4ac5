//! Limits how many watchlists an account creates, so that one account does not use up the number that a server may
//! have.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use shared::{
    account::Role,
    ids::UserId,
    rejection::{Code, Rejection},
};
use tokio::time::Instant;

/// Maximum number of watchlists that an account creates within [`WINDOW`], unless it is an administrator.
const MAX_CREATED: usize = 200;
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// When the accounts have created watchlists.
#[derive(Debug, Default)]
pub(super) struct Creations(Mutex<HashMap<UserId, VecDeque<Instant>>>);

impl Creations {
    /// Counts a creation.
    ///
    /// # Errors
    /// `tooLarge` if the account has created as many as it may.
    pub(super) fn count(&self, user: UserId, role: Option<Role>) -> Result<(), Rejection> {
        if role == Some(Role::Admin) {
            return Ok(());
        }
        let now = Instant::now();
        let mut by_user = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        by_user.retain(|_, created| created.back().is_some_and(|last| now < *last + WINDOW));
        let created = by_user.entry(user).or_default();
        while created.pop_front_if(|first| *first + WINDOW <= now).is_some() {}
        if created.len() >= MAX_CREATED {
            let message = format!(
                "an account may create {MAX_CREATED} watchlists a day; ask an administrator for more"
            );
            return Err(Rejection::new(Code::TooLarge, message));
        }
        created.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_account_creates_so_many_a_day_and_an_administrator_any_number() {
        let creations = Creations::default();
        let [ann, bob] = [1, 2].map(|number| UserId(Uuid::from_u128(number)));
        let count =
            |user, role, times| (0..times).filter(|_| creations.count(user, Some(role)).is_ok()).count();
        assert_eq!(count(ann, Role::User, MAX_CREATED + 5), MAX_CREATED);
        assert_eq!(count(bob, Role::User, 1), 1);
        assert_eq!(count(ann, Role::Admin, MAX_CREATED + 5), MAX_CREATED + 5);
        advance(WINDOW / 2).await;
        assert_eq!(count(ann, Role::User, 1), 0);
        advance(WINDOW / 2).await;
        assert_eq!(count(ann, Role::User, MAX_CREATED + 5), MAX_CREATED);
    }
}
