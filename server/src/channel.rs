//! Fan-out of one watchlist to this process's connections: what is published reaches each subscriber once,
//! paced, in order, and in a bounded amount of memory.
//!
//! A channel is given the events of its watchlist and a [`Source`] of older commits and states. It knows
//! neither the journal nor who sequences the watchlist.

mod catch_up;
mod command;
mod fan_out;
mod log;
mod outbox;
mod presence;
mod snapshots;
mod source;
mod subscribers;
mod task;

pub use self::{
    command::ChannelSender,
    outbox::{ConnectionId, Outbox, OutboxState, Outgoing, QueuedSnapshot, SnapshotFrames, SnapshotPart},
    source::Source,
    subscribers::{Recipient, Subscriber},
    task::{ChannelContext, spawn},
};

#[cfg(test)]
mod tests;
