//! The wire protocol, version 1: the messages ([`client`], [`server`]) and their two encodings ([`codec`]).

pub mod client;
pub mod codec;
pub mod server;

use serde::{Deserialize, Serialize};

use crate::{
    column::ColumnKey,
    ids::{Epoch, Revision, RowId},
};

/// The protocol's version.
pub const PROTOCOL: u32 = 1;

/// Where a client or a server stands in a watchlist's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// Which history.
    pub epoch: Epoch,
    /// How far in it.
    pub revision: Revision,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CellRef {
    /// Its row.
    pub row: RowId,
    /// Its column.
    pub column: ColumnKey,
}
