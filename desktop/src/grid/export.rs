//! What is exported of a grid.

use std::path::PathBuf;

use super::view::Frame;
use crate::command::{AppCommand, Command, Export};

/// Returns the command that writes the watchlist to a file: everything, or the shown rows and columns in
/// their order.
pub(super) fn command(path: PathBuf, only_shown: bool, frame: &Frame<'_>) -> Command {
    let table = frame.table;
    let rows = || (0..table.len()).filter_map(|index| table.id_at(index)).collect();
    // A sparkline has no values.
    let columns =
        || table.columns().iter().filter_map(|column| Some(column.data()?.column.key.clone())).collect();
    let (rows, columns) = (only_shown.then(rows), only_shown.then(columns));
    AppCommand::Export(Export { watchlist: frame.view.id, path, rows, columns }).into()
}
