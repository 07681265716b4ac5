//! The bus within one process: a bounded queue from the room of a watchlist to its channel.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::Stream;
use tokio::sync::mpsc;

use crate::event::Event;

/// Maximum number of events that wait for the channel. The room waits beyond that.
const MAX_EVENTS: usize = 64;

/// The room's end.
#[derive(Debug)]
pub struct Publisher {
    events: mpsc::Sender<Event>,
}

/// The channel's end: a stream that ends when the room has ended.
#[derive(Debug)]
pub struct Subscription {
    events: mpsc::Receiver<Event>,
}

/// Creates the bus of one watchlist.
pub fn bus() -> (Publisher, Subscription) {
    let (sender, receiver) = mpsc::channel(MAX_EVENTS);
    (Publisher { events: sender }, Subscription { events: receiver })
}

impl Publisher {
    /// Publishes an event, and waits while the queue is full. If the channel has ended, the event is dropped.
    pub async fn publish(&self, event: Event) {
        drop(self.events.send(event).await);
    }

    /// Waits until the channel has ended.
    pub async fn closed(&self) {
        self.events.closed().await;
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(context)
    }
}
