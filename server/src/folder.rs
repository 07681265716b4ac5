//! The data folder: who serves it and where, the version of its format, and backups of its journal.

pub mod backup;
mod default_dir;
mod journal_place;
mod lock;
pub mod migration;
mod serve_or_join;
mod version;

pub use default_dir::default_data_dir;
pub use journal_place::{JournalPlaceError, check_journal_place, set_journal_place};
pub use lock::{DataFolder, Serving};
pub use serve_or_join::{ServeOrJoin, find_server, lock_or_wait, serve_or_join};
pub use version::{FolderError, enter, is_current};
