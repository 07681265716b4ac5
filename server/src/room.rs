//! One task sequences one watchlist: it judges edits, orders them, makes them durable, and publishes them on
//! the bus.
//!
//! The state runs ahead of the disk only while a write is under way, and is not read then: edits that arrive
//! in the meantime wait in the queue and share the next write.

mod answer_queue;
mod answers;
mod authorship;
mod command;
mod context;
mod idle;
mod judge;
mod live;
mod load;
mod recovery;
mod refuse;
mod saver;
mod sequencer;
mod task;
mod withheld;

pub use answer_queue::{AnswerQueue, Answered};
pub use command::{EditRequest, Reply, RoomHandle, RoomReader, RoomSender, Unreadable};
pub use context::RoomContext;
pub use live::Live;
pub use saver::prune;
pub use task::spawn;
pub use withheld::Withheld;
