//! One connection: dispatches its requests, and batches the frames that it is sent.

mod context;
mod error;
mod history;
mod lists;
mod manage;
mod run;
mod turn;
mod writer;

pub use context::{Peer, SessionContext};
pub use history::history_limit;
pub use lists::EncodedLists;
pub use run::run;
