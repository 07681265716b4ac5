//! The seam between a copy and the stores that it reads and writes.

use shared::ids::{Revision, WatchlistId};

use super::{
    form::{answer::StoredAnswer, part::EncodedPart, segment::NewSegment},
    record::{Record, Sender},
    store::Answer,
};

/// A journal, as the stored records that it consists of. Each is verified when it is read.
pub(super) trait Archive: Sync {
    /// Returns every watchlist, deleted ones included, oldest first.
    fn records(&self) -> Answer<'_, Vec<Record>>;
    /// Returns segments with commits after a revision, oldest first: none only if there is no such commit.
    fn segments(&self, id: WatchlistId, after: Revision) -> Answer<'_, Vec<NewSegment>>;
    /// Returns the answers of the senders that follow one, in the order of the senders: none only if none follows.
    fn answers(&self, id: WatchlistId, after: Option<Sender>)
    -> Answer<'_, Vec<(Sender, Vec<StoredAnswer>)>>;
    /// Returns a part of the newest complete snapshot, if it has so many.
    fn part(&self, id: WatchlistId, number: i64) -> Answer<'_, Option<EncodedPart>>;

    /// Adds a watchlist, unless it is there.
    fn add(&self, record: Record) -> Answer<'_, ()>;
    /// Deletes everything of a watchlist but its record, which is replaced.
    fn reset(&self, record: Record) -> Answer<'_, ()>;
    /// Deletes a watchlist.
    fn remove(&self, id: WatchlistId) -> Answer<'_, ()>;
    /// Appends segments to a watchlist.
    fn append(&self, id: WatchlistId, segments: Vec<NewSegment>) -> Answer<'_, ()>;
    /// Stores the answers of senders. Those that are there stay.
    fn add_answers(&self, id: WatchlistId, answers: Vec<(Sender, Vec<StoredAnswer>)>) -> Answer<'_, ()>;
    /// Stores a part of a snapshot, in the place of the same one.
    fn add_part(&self, id: WatchlistId, part: EncodedPart) -> Answer<'_, ()>;
    /// Returns the revision of the last commit that was appended.
    fn head(&self, id: WatchlistId) -> Answer<'_, Revision>;
}
