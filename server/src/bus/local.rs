//! The bus within one process: a queue from the room of a watchlist to its channel.
//!
//! Publishing does not wait, so that a room answers an edit as soon as it is durable. A room waits for a
//! channel that is behind before it writes more, which bounds the queue.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use tokio::sync::{Notify, mpsc};

use crate::event::Event;

/// Number of queued commits from which a room waits before it writes more.
const MAX_COMMITS: usize = 4096;

/// The room's end.
#[derive(Debug)]
pub struct Publisher {
    queue: Arc<Queue>,
    /// Wakes the channel. It holds at most one token, and ends with the room.
    wake: mpsc::Sender<()>,
}

/// The channel's end: a stream that ends when the room has ended.
#[derive(Debug)]
pub struct Subscription {
    queue: Arc<Queue>,
    woken: mpsc::Receiver<()>,
}

#[derive(Debug, Default)]
struct Queue {
    queued: Mutex<Queued>,
    /// Wakes the room once the channel has received an event.
    received: Notify,
}

#[derive(Debug, Default)]
struct Queued {
    events: VecDeque<Event>,
    /// Number of commits in the events.
    commits: usize,
}

/// Creates the bus of one watchlist.
pub fn bus() -> (Publisher, Subscription) {
    let queue = Arc::new(Queue::default());
    let (wake, woken) = mpsc::channel(1);
    (Publisher { queue: queue.clone(), wake }, Subscription { queue, woken })
}

impl Publisher {
    /// Publishes an event. If the channel has ended, the event is dropped.
    pub fn publish(&self, event: Event) {
        if self.wake.is_closed() {
            return;
        }
        self.queue.push(event);
        // If there is a token already, the channel has yet to receive it, and receives every event then.
        self.wake.try_send(()).ok();
    }

    /// Waits while the channel is behind by more than the queue is to hold.
    pub async fn ready(&self) {
        while self.queue.queued().commits >= MAX_COMMITS {
            tokio::select! {
                () = self.queue.received.notified() => {}
                () = self.wake.closed() => return,
            }
        }
    }

    /// Waits until the channel has ended.
    pub async fn closed(&self) {
        self.wake.closed().await;
    }
}

impl Queue {
    fn push(&self, event: Event) {
        let mut queued = self.queued();
        queued.commits += commits_of(&event);
        queued.events.push_back(event);
    }

    fn pop(&self) -> Option<Event> {
        let event = {
            let mut queued = self.queued();
            let event = queued.events.pop_front()?;
            queued.commits -= commits_of(&event);
            event
        };
        self.received.notify_one();
        Some(event)
    }

    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn commits_of(event: &Event) -> usize {
    match event {
        Event::Published(published) => published.commits.len(),
        Event::Unavailable(_) | Event::Deleted => 0,
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(event) = self.queue.pop() {
                return Poll::Ready(Some(event));
            }
            if ready!(self.woken.poll_recv(context)).is_none() {
                // The last event may have been published after the look at the queue.
                return Poll::Ready(self.queue.pop());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};
    use shared::{
        column::standard_columns,
        edit::{Author, Commit},
        ids::{At, ClientId, EditId, Epoch, Revision, UserId},
        limits::Limits,
        time::Timestamp,
        watchlist::Watchlist,
    };
    use uuid::Uuid;

    use super::*;
    use crate::event::Published;

    fn published(revision: u64) -> Event {
        let watchlist = Watchlist::new("List", standard_columns(), &Limits::default()).unwrap();
        let (user, client) = (UserId(Uuid::nil()), ClientId(Uuid::nil()));
        let commit = Commit {
            revision: Revision(revision),
            by: Author { user, name: "ann".into(), client, edit: EditId(revision) },
            at: Timestamp::default(),
            changes: vec![],
        };
        let at = At { epoch: Epoch(Uuid::nil()), revision: commit.revision };
        let columns = watchlist.columns().clone();
        let commits = [Arc::new(commit)].into();
        Event::Published(Published { commits, at, columns, approximate_bytes: 0 })
    }

    fn revision(event: Option<Event>) -> Option<u64> {
        match event {
            Some(Event::Published(published)) => Some(published.at.revision.0),
            _ => None,
        }
    }

    #[tokio::test]
    async fn events_are_received_in_order_and_the_last_ones_after_the_room_has_ended() {
        let (publisher, mut subscription) = bus();
        assert!(subscription.next().now_or_never().is_none());
        (1..=3).for_each(|revision| publisher.publish(published(revision)));
        assert_eq!(revision(subscription.next().await), Some(1));
        publisher.publish(Event::Deleted);
        drop(publisher);
        assert_eq!(revision(subscription.next().await), Some(2));
        assert_eq!(revision(subscription.next().await), Some(3));
        assert!(matches!(subscription.next().await, Some(Event::Deleted)));
        assert!(subscription.next().await.is_none());
    }

    #[tokio::test]
    async fn a_channel_that_waits_is_woken_by_each_event() {
        let (publisher, mut subscription) = bus();
        let receiving = tokio::spawn(async move {
            let mut received = Vec::new();
            while let Some(event) = subscription.next().await {
                received.extend(revision(Some(event)));
            }
            received
        });
        for revision in 1..=100 {
            publisher.publish(published(revision));
            tokio::task::yield_now().await;
        }
        drop(publisher);
        assert_eq!(receiving.await.unwrap(), (1..=100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_room_waits_for_a_channel_that_is_far_behind_until_it_receives_or_ends() {
        let (publisher, mut subscription) = bus();
        (1..MAX_COMMITS as u64).for_each(|revision| publisher.publish(published(revision)));
        assert!(publisher.ready().now_or_never().is_some());
        publisher.publish(published(MAX_COMMITS as u64));
        assert!(publisher.ready().now_or_never().is_none());
        assert_eq!(revision(subscription.next().await), Some(1));
        publisher.ready().await;
        publisher.publish(published(MAX_COMMITS as u64 + 1));
        assert!(publisher.ready().now_or_never().is_none());
        drop(subscription);
        publisher.ready().await;
        publisher.closed().await;
    }
}
