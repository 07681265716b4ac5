//! The queue of answers to one connection. It holds as many as the connection has edits in flight, and no
//! memory while it is empty.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::ids::{EditId, WatchlistId};
use tokio::sync::Notify;

use crate::journal::Verdict;

/// An edit's answer on its way to a connection.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The watchlist that the edit is for.
    pub watchlist: WatchlistId,
    /// The edit's number.
    pub edit: EditId,
    /// The answer.
    pub verdict: Verdict,
}

/// Answers on their way to a connection. Clones share one queue.
#[derive(Clone, Debug, Default)]
pub struct AnswerQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    answers: Mutex<VecDeque<Answered>>,
    added: Notify,
}

impl AnswerQueue {
    /// Adds an answer.
    pub(super) fn push(&self, answered: Answered) {
        self.answers().push_back(answered);
        self.0.added.notify_one();
    }

    /// Removes the next answer, if there is one.
    pub fn pop(&self) -> Option<Answered> {
        let mut answers = self.answers();
        let next = answers.pop_front();
        if answers.is_empty() {
            *answers = VecDeque::new();
        }
        next
    }

    /// Waits for the next answer. The future may be dropped.
    pub async fn next(&self) -> Answered {
        loop {
            if let Some(answered) = self.pop() {
                return answered;
            }
            self.0.added.notified().await;
        }
    }

    fn answers(&self) -> MutexGuard<'_, VecDeque<Answered>> {
        self.0.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use shared::ids::Revision;
    use uuid::Uuid;

    use super::*;

    fn answer(number: u64) -> Answered {
        let verdict = Verdict::Accepted(Revision(number));
        Answered { watchlist: WatchlistId(Uuid::nil()), edit: EditId(number), verdict }
    }

    #[tokio::test]
    async fn answers_come_in_order_and_wake_the_waiter() {
        let queue = AnswerQueue::default();
        let other = queue.clone();
        let waiting = tokio::spawn(async move { (other.next().await.edit, other.next().await.edit) });
        tokio::task::yield_now().await;
        queue.push(answer(1));
        tokio::task::yield_now().await;
        queue.push(answer(2));
        assert_eq!(waiting.await.unwrap(), (EditId(1), EditId(2)));
    }

    #[tokio::test]
    async fn a_wait_that_is_dropped_loses_no_answer_and_an_empty_queue_holds_nothing() {
        let queue = AnswerQueue::default();
        let dropped = queue.next().now_or_never();
        assert!(dropped.is_none());
        (1..=100).for_each(|number| queue.push(answer(number)));
        for number in 1..=100 {
            assert_eq!(queue.next().await.edit, EditId(number));
        }
        assert!(queue.pop().is_none());
        assert_eq!(queue.answers().capacity(), 0);
    }
}
