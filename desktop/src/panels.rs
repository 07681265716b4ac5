//! The panels around the grid: bars, notices and dialogs. They read the shared state and emit actions.

pub mod commands;
pub mod dialogs;
pub mod history;
pub mod joining;
pub mod notices;
pub mod people;
pub mod status;
pub mod top_bar;
pub mod view;
