//! One connection: its requests are passed on, and what it is to receive is written in few and large writes.

mod context;
mod error;
mod history;
mod lists;
mod manage;
mod run;
mod writer;

pub use context::{Peer, SessionContext};
pub use history::history_limit;
pub use lists::EncodedLists;
pub use run::run;
