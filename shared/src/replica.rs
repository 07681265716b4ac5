//! The client's half of the sync, as a state machine without IO. It receives messages, the time and the
//! person's edits, and returns messages to send and events. All of the protocol's rules for clients are
//! implemented here.

mod actions;
mod effect;
pub mod event;
mod kept;
pub mod link;
mod list;
mod numbers;
mod receive;
mod renewal;
mod requests;
mod state;

pub use event::{Effect, Event, Outcome};
pub use kept::KeptEdit;
pub use list::{ListReplica, Sync};
pub use state::{RETRY_UNAVAILABLE_MS, Replica};
