//! The panels around the grid: bars, notices and dialogs. They read the shared state and emit commands.

pub mod account;
mod choice;
pub mod dialogs;
pub mod history;
pub mod joining;
pub mod notices;
pub mod palette;
pub mod people;
pub mod security;
pub mod sharing;
pub mod shortcuts;
pub mod sign_in;
pub mod status;
pub mod top_bar;
pub mod view;
