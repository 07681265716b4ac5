//! The journal: the durable record of every watchlist. An edit is accepted only once it is in the journal.

mod archive;
pub mod confirm;
pub mod copying;
mod form;
pub mod postgres;
mod record;
pub mod sqlite;
mod store;

pub use record::{
    AnswerRecord, Batch, HistoryFilter, HistoryPage, NewCommit, ReadLimit, Record, Retention, Sender,
    StoredAuthors, StoredPart, Verdict,
};
pub use store::{Answer, Journal, JournalError, Parts};
