//! What a connection is sent: queued frames gathered into large writes, and snapshots part by part.

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};

use super::error::rejected;
use crate::{
    channel::{Outbox, OutboxState, Outgoing, QueuedSnapshot, SnapshotPart},
    dialect::frame::Frame,
    journal::Verdict,
    room::{AnswerQueue, Answered},
    transport::{End, Socket},
};
use shared::wire::server::{Accepted, ErrorCode, ServerMessage};

/// Frames are gathered into one write of about this many bytes.
const WRITE_BYTES: usize = 64 * 1024;

/// The writing half of a session.
pub(super) struct Writer {
    outbox: Outbox,
    state: Arc<OutboxState>,
    items: mpsc::Receiver<Outgoing>,
    answers: AnswerQueue,
    /// The snapshot that is being written, and the index of its next part.
    streaming: Option<(QueuedSnapshot, usize)>,
    /// Number of watchlists that the client was told it may no longer see.
    forbidden: usize,
}

/// Something that is ready to be written.
pub(super) enum Ready {
    Answer(Answered),
    Item(Outgoing),
    SnapshotPart,
}

impl Writer {
    /// Creates the writer of a connection's queue and of the answers to its edits.
    pub(super) fn new(
        outbox: Outbox,
        (items, state): (mpsc::Receiver<Outgoing>, Arc<OutboxState>),
        answers: AnswerQueue,
    ) -> Self {
        Self { outbox, state, items, answers, streaming: None, forbidden: 0 }
    }

    /// Waits until something is ready to be written. An answer comes before parts of snapshots and changes.
    /// The future may be dropped.
    pub(super) async fn ready(&mut self) -> Ready {
        tokio::select! {
            biased;
            answer = self.answers.next() => Ready::Answer(answer),
            () = std::future::ready(()), if self.streaming.is_some() => Ready::SnapshotPart,
            Some(item) = self.items.recv(), if self.streaming.is_none() => Ready::Item(item),
        }
    }

    /// Writes answers and as many more as are ready. Returns how many.
    pub(super) async fn write_answers<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        first: Answered,
    ) -> Result<usize, End> {
        let mut bytes = Vec::new();
        let mut count = 0;
        let mut next = Some(first);
        while let Some(answered) = next {
            count += 1;
            bytes.extend_from_slice(socket.dialect().encode(&answer_message(answered)).bytes());
            next = if bytes.len() < WRITE_BYTES { self.answers.pop() } else { None };
        }
        socket.write(&bytes).await?;
        Ok(count)
    }

    /// Writes an item and as many more as are ready. Returns true if the senders are to catch up.
    pub(super) async fn write_items<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        first: Outgoing,
    ) -> Result<bool, End> {
        if self.state.has_overflown() {
            return Err(too_slow());
        }
        let mut gathered: Vec<Frame> = Vec::new();
        let (mut bytes, mut next) = (0, Some(first));
        while let Some(item) = next {
            match item {
                Outgoing::Frame(frame) => {
                    bytes += frame.bytes().len();
                    gathered.push(frame);
                }
                Outgoing::Forbidden(frame) => {
                    bytes += frame.bytes().len();
                    gathered.push(frame);
                    self.forbidden += 1;
                }
                Outgoing::Snapshot(snapshot) => {
                    self.streaming = Some((snapshot, 0));
                    break;
                }
            }
            next = if bytes < WRITE_BYTES { self.items.try_recv().ok() } else { None };
        }
        match gathered.as_slice() {
            [] => {}
            [one] => socket.write(one.bytes()).await?,
            several => {
                let mut together = Vec::with_capacity(bytes);
                several.iter().for_each(|frame| together.extend_from_slice(frame.bytes()));
                socket.write(&together).await?;
            }
        }
        Ok(self.state.record_written(bytes))
    }

    /// Returns how many watchlists the client was told since the last call that it may no longer see.
    pub(super) fn take_forbidden(&mut self) -> usize {
        std::mem::take(&mut self.forbidden)
    }

    /// Writes the next part of a snapshot. Returns true if the senders are to catch up.
    pub(super) async fn write_part<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
    ) -> Result<bool, End> {
        let Some((snapshot, part)) = self.streaming.take() else { return Ok(false) };
        match snapshot.part(part) {
            SnapshotPart::Frame(frame) => {
                socket.write(frame.bytes()).await?;
                self.streaming = Some((snapshot, part + 1));
                Ok(false)
            }
            SnapshotPart::End => Ok(self.state.record_written(self.outbox.snapshot_weight())),
            SnapshotPart::TooSlow => Err(too_slow()),
        }
    }
}

fn too_slow() -> End {
    let message = "too much waits to be read on this connection; connect again";
    End::Error(ErrorCode::Unavailable, message.to_owned())
}

fn answer_message(answered: Answered) -> ServerMessage {
    let Answered { watchlist, edit, verdict } = answered;
    match verdict {
        Verdict::Accepted(revision) => ServerMessage::Accepted(Accepted { watchlist, edit, revision }),
        Verdict::Rejected(rejection) => rejected(watchlist, edit, *rejection),
    }
}
