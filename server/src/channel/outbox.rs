//! The bounded queue of frames to one connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use shared::ids::Revision;
use tokio::sync::mpsc;

use crate::dialect::frame::Frame;

/// Id of a connection, unique within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Maximum number of queued items, regardless of their size.
const MAX_ITEMS: usize = 256;
/// Number of these that are reserved for items that must not be dropped: snapshots, and the close of a
/// watchlist.
const RESERVED_ITEMS: usize = 128;

/// Item of a connection's queue.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// One message.
    Frame(Frame),
    /// A whole watchlist.
    Snapshot(QueuedSnapshot),
    /// The message that the caller may no longer see a watchlist.
    Forbidden(Frame),
}

/// A snapshot in a connection's queue, shared with other connections. It can be taken back until its last part
/// is written.
#[derive(Clone, Debug)]
pub struct QueuedSnapshot(Arc<Mutex<Slot>>);

#[derive(Debug)]
enum Slot {
    Frames(Arc<SnapshotFrames>),
    /// The connection is to be sent no more of it.
    Cancelled,
    /// The connection has taken too long to read it.
    TooSlow,
}

/// What follows in a snapshot that is being written.
#[derive(Debug)]
pub enum SnapshotPart {
    /// This part.
    Frame(Frame),
    /// Nothing: it is written, or cancelled.
    End,
    /// It is no longer in memory, and the connection cannot go on without it.
    TooSlow,
}

/// The channel's end of a [`QueuedSnapshot`].
#[derive(Debug)]
pub(super) struct SnapshotCancel(Weak<Mutex<Slot>>);

impl QueuedSnapshot {
    /// Creates a queued snapshot and what cancels it.
    pub(super) fn new(frames: Arc<SnapshotFrames>) -> (Self, SnapshotCancel) {
        let slot = Arc::new(Mutex::new(Slot::Frames(frames)));
        let cancel = SnapshotCancel(Arc::downgrade(&slot));
        (Self(slot), cancel)
    }

    /// Returns the part with an index, or what is instead of it.
    pub fn part(&self, index: usize) -> SnapshotPart {
        match &*locked(&self.0) {
            Slot::Frames(frames) => {
                frames.frames.get(index).cloned().map_or(SnapshotPart::End, SnapshotPart::Frame)
            }
            Slot::Cancelled => SnapshotPart::End,
            Slot::TooSlow => SnapshotPart::TooSlow,
        }
    }
}

impl SnapshotCancel {
    /// Cancels what is not written yet.
    pub(super) fn cancel(&self) {
        if let Some(slot) = self.0.upgrade() {
            *locked(&slot) = Slot::Cancelled;
        }
    }

    /// Takes these frames from the connection, if it is still being sent them, so that they leave the memory.
    pub(super) fn expire(&self, frames: &Arc<SnapshotFrames>) {
        let Some(slot) = self.0.upgrade() else { return };
        let mut slot = locked(&slot);
        if matches!(&*slot, Slot::Frames(held) if Arc::ptr_eq(held, frames)) {
            *slot = Slot::TooSlow;
        }
    }
}

fn locked(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The encoded parts of a snapshot.
#[derive(Debug)]
pub struct SnapshotFrames {
    /// The revision that the snapshot shows.
    pub revision: Revision,
    /// One frame for each part, in order.
    frames: Vec<Frame>,
    bytes: usize,
}

impl SnapshotFrames {
    /// Creates a snapshot from its encoded parts.
    pub(super) fn new(revision: Revision, frames: Vec<Frame>) -> Self {
        let bytes = frames.iter().map(|frame| frame.bytes().len()).sum();
        Self { revision, frames, bytes }
    }

    /// Returns the size of the parts in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The sending half of a connection's queue.
#[derive(Clone, Debug)]
pub struct Outbox {
    items: mpsc::Sender<Outgoing>,
    state: Arc<OutboxState>,
    limit: usize,
}

/// Queue state shared by the writer and the senders.
#[derive(Debug, Default)]
pub struct OutboxState(Mutex<Queued>);

#[derive(Debug, Default)]
struct Queued {
    bytes: usize,
    /// Whether a sender could not queue an item.
    is_behind: bool,
    /// Whether an item that must not be dropped was.
    has_overflown: bool,
}

impl OutboxState {
    /// Records that the writer wrote an item. Returns true if everything is written and a sender could not
    /// queue more in the meantime: the senders must catch up.
    pub fn record_written(&self, weight: usize) -> bool {
        let mut queued = self.queued();
        queued.bytes -= weight;
        // Cleared only here: several watchlists may wait, and catching up once too often is harmless.
        queued.bytes == 0 && std::mem::take(&mut queued.is_behind)
    }

    /// Whether an item was dropped that must not be.
    pub fn has_overflown(&self) -> bool {
        self.queued().has_overflown
    }

    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// Creates a queue of about `limit` bytes with the writer's ends of it.
    pub fn new(limit: usize) -> (Self, mpsc::Receiver<Outgoing>, Arc<OutboxState>) {
        let (items, receiver) = mpsc::channel(MAX_ITEMS);
        let state = Arc::new(OutboxState::default());
        (Self { items, state: state.clone(), limit }, receiver, state)
    }

    /// Returns the bytes that an item counts for. A snapshot fills the queue, regardless of its size.
    pub fn weight(&self, item: &Outgoing) -> usize {
        match item {
            Outgoing::Frame(frame) | Outgoing::Forbidden(frame) => frame.bytes().len(),
            Outgoing::Snapshot(_) => self.snapshot_weight(),
        }
    }

    /// Returns the bytes that a snapshot counts for.
    pub fn snapshot_weight(&self) -> usize {
        self.limit + 1
    }

    /// Queues an item unless the queue is full. An empty queue accepts an item of any size.
    pub fn push(&self, item: Outgoing) -> bool {
        let mut queued = self.state.queued();
        let has_room = queued.bytes == 0 || queued.bytes + self.weight(&item) <= self.limit;
        has_room && self.items.capacity() > RESERVED_ITEMS && self.send(&mut queued, item)
    }

    /// Queues an item that must not be dropped, even past the limit: an answer of which there are only a few.
    /// Returns false if the connection is gone or has more items queued than a working one ever has: then it
    /// ends.
    pub fn push_always(&self, item: Outgoing) -> bool {
        let mut queued = self.state.queued();
        let is_sent = self.send(&mut queued, item);
        queued.has_overflown |= !is_sent;
        is_sent
    }

    fn send(&self, queued: &mut Queued, item: Outgoing) -> bool {
        let weight = self.weight(&item);
        let is_sent = self.items.try_send(item).is_ok();
        if is_sent {
            queued.bytes += weight;
        }
        is_sent
    }

    /// Requests a catch-up once everything is written. Returns false if everything is written already; a
    /// writer that is gone never requests one.
    pub(super) fn notify_when_empty(&self) -> bool {
        let mut queued = self.state.queued();
        queued.is_behind = true;
        self.items.is_closed() || queued.bytes != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::websocket;

    const LIMIT: usize = 100;

    /// Returns a frame of a number of bytes.
    fn frame(bytes: usize) -> Outgoing {
        let frame = websocket::pong(&vec![0; bytes - 2]);
        assert_eq!(frame.bytes().len(), bytes);
        Outgoing::Frame(frame)
    }

    fn snapshot() -> (Outgoing, SnapshotCancel) {
        let (queued, cancel) = QueuedSnapshot::new(parts());
        (Outgoing::Snapshot(queued), cancel)
    }

    fn parts() -> Arc<SnapshotFrames> {
        Arc::new(SnapshotFrames::new(Revision(1), vec![websocket::pong(b"1"), websocket::pong(b"2")]))
    }

    #[test]
    fn a_queue_accepts_bytes_up_to_its_limit_and_one_item_of_any_size() {
        let (outbox, _items, state) = Outbox::new(LIMIT);
        assert!(outbox.push(frame(60)) && outbox.push(frame(40)), "the limit itself fits");
        assert!(!outbox.push(frame(2)));
        assert!(!state.record_written(60), "something is still queued");
        assert!(outbox.push(frame(60)));
        assert!(!state.record_written(40) && !state.record_written(60), "no sender waits");
        assert!(outbox.push(frame(120)), "an empty queue accepts any item");
        assert!(!outbox.push(frame(2)));
    }

    #[test]
    fn a_snapshot_fills_the_queue_whatever_its_size() {
        let (outbox, _items, state) = Outbox::new(LIMIT);
        let (item, _cancel) = snapshot();
        assert_eq!(outbox.weight(&item), LIMIT + 1);
        assert!(outbox.push_always(item));
        assert!(!outbox.push(frame(2)), "it fills the queue");
        assert!(outbox.push_always(frame(50)), "an answer is queued past the limit");
        assert!(!state.record_written(outbox.snapshot_weight()) && outbox.push(frame(50)));
        assert!(!outbox.push(frame(2)));
        assert_eq!(outbox.weight(&frame(50)), 50);
    }

    #[test]
    fn small_items_leave_room_for_those_that_must_not_be_dropped() {
        let (outbox, _items, _state) = Outbox::new(1_000_000);
        let accepted = (0..MAX_ITEMS).take_while(|_| outbox.push(frame(2))).count();
        assert_eq!(accepted, MAX_ITEMS - RESERVED_ITEMS);
        let reserved = (0..MAX_ITEMS).take_while(|_| outbox.push_always(frame(2))).count();
        assert_eq!(reserved, RESERVED_ITEMS);
    }

    #[test]
    fn a_sender_that_waits_is_told_once_when_everything_is_written() {
        let (outbox, items, state) = Outbox::new(LIMIT);
        assert!(!outbox.notify_when_empty(), "everything is written already");
        assert!(outbox.push(frame(30)) && outbox.push(frame(30)));
        assert!(outbox.notify_when_empty());
        assert!(!state.record_written(30), "one item is still queued");
        assert!(state.record_written(30));
        assert!(outbox.push(frame(30)) && !state.record_written(30), "it is told once");
        drop(items);
        assert!(!outbox.push(frame(2)) && !outbox.push_always(frame(2)));
        assert!(outbox.notify_when_empty(), "a writer that is gone writes nothing more");
    }

    #[test]
    fn a_snapshot_is_written_part_by_part_until_it_is_taken_back() {
        let frames = parts();
        let (queued, cancel) = QueuedSnapshot::new(frames.clone());
        let payload = |index| match queued.part(index) {
            SnapshotPart::Frame(frame) => frame.payload().to_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!((payload(0), payload(1), frames.bytes()), (b"1".to_vec(), b"2".to_vec(), 6));
        assert!(matches!(queued.part(2), SnapshotPart::End));
        cancel.expire(&parts());
        assert_eq!(payload(1), b"2", "others are meant");
        cancel.expire(&frames);
        assert!(matches!(queued.part(1), SnapshotPart::TooSlow));
        assert_eq!(Arc::strong_count(&frames), 1, "the connection does not hold it any more");
        cancel.cancel();
        assert!(matches!(queued.part(1), SnapshotPart::End));
    }
}
