//! Reads what a journal keeps in memory when it is opened: the watchlists, and the tail of the log, which is
//! limited.

use std::{collections::HashMap, sync::Arc};

use rusqlite::Connection;
use shared::{
    ids::{Epoch, Revision, WatchlistId},
    time::Timestamp,
};
use tracing::error;
use uuid::Uuid;

use super::state::{ListState, State, TailSegment};
use crate::journal::{
    form::{
        error::{damaged, store},
        segment::{Index, Place, Segment},
    },
    store::JournalError,
};

/// What was read from a file.
pub(super) struct Loaded {
    pub(super) state: State,
    /// Watchlists that are being erased, with their keys.
    pub(super) erasing: Vec<(WatchlistId, i64)>,
}

/// Reads the watchlists and the tail.
pub(super) fn load_state(connection: &Connection) -> Result<Loaded, JournalError> {
    let mut loaded = Loaded { state: State::default(), erasing: Vec::new() };
    let mut ids = HashMap::new();
    let mut select = connection
        .prepare("SELECT key, id, epoch, name, revision, rows, deleted_at, erasing FROM watchlists")
        .map_err(store)?;
    let mut rows = select.query([]).map_err(store)?;
    while let Some(row) = rows.next().map_err(store)? {
        let (id, list, is_erasing) = read_list(row).map_err(store)?;
        if is_erasing {
            loaded.erasing.push((id, list.key));
        } else {
            ids.insert(list.key, id);
            loaded.state.insert(id, list);
        }
    }
    let folded: i64 = connection.query_row("SELECT seq FROM folded", [], |row| row.get(0)).map_err(store)?;
    loaded.state.next_seq = folded + 1;
    let mut select = connection
        .prepare("SELECT seq, watchlist, before, last, data, checksum FROM log WHERE seq > ? ORDER BY seq")
        .map_err(store)?;
    let mut rows = select.query([folded]).map_err(store)?;
    while let Some(row) = rows.next().map_err(store)? {
        let key: i64 = row.get(1).map_err(store)?;
        // A watchlist that is being erased has none.
        let Some(id) = ids.get(&key) else { continue };
        let read = || Ok(((row.get(0)?, row.get(2)?, row.get(3)?), row.get(4)?, row.get(5)?));
        let (place, data, sum): (_, Vec<u8>, i64) = read().map_err(|error: rusqlite::Error| store(error))?;
        push(&mut loaded.state, *id, place_of(place)?, (&data, sum));
    }
    Ok(loaded)
}

/// Adds a segment to the tail.
fn push(state: &mut State, id: WatchlistId, place: Place, (data, sum): (&[u8], i64)) {
    let index = match Segment::read(id, place, data, sum) {
        Ok(segment) => {
            if let Some(list) = state.list_mut(id) {
                (list.name, list.rows) = (segment.name.clone(), segment.rows);
            }
            segment.index(data.len())
        }
        Err(error) => {
            // It is read again with its watchlist, which is then reported as damaged.
            error!(watchlist = %id, error = &error as &dyn std::error::Error, "found a damaged record");
            Index { bytes: data.len(), ..Index::default() }
        }
    };
    state.push(id, Arc::new(TailSegment { place, index }));
}

/// Returns the place of a segment whose number, first and last revision were read.
pub(super) fn place_of((seq, before, last): (i64, i64, i64)) -> Result<Place, JournalError> {
    let revision = |number| {
        u64::try_from(number).map(Revision).map_err(|error| damaged(format!("the number {number}: {error}")))
    };
    Ok(Place { seq, before: revision(before)?, last: revision(last)? })
}

fn read_list(row: &rusqlite::Row<'_>) -> rusqlite::Result<(WatchlistId, ListState, bool)> {
    let uuid = |index| row.get::<_, [u8; 16]>(index).map(Uuid::from_bytes);
    let number = |index| row.get::<_, i64>(index).map(|number| u64::try_from(number).unwrap_or_default());
    let list = ListState {
        key: row.get(0)?,
        epoch: Epoch(uuid(2)?),
        name: row.get::<_, String>(3)?.into(),
        revision: Revision(number(4)?),
        rows: usize::try_from(number(5)?).unwrap_or(usize::MAX),
        deleted_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        tail: Default::default(),
    };
    Ok((WatchlistId(uuid(1)?), list, row.get(7)?))
}
