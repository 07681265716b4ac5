//! An edit as a client keeps it until it is answered, and how large it may be.

use serde::Serialize;

use crate::{
    edit::Change,
    ids::{EditId, WatchlistId},
    limits::Limits,
    rejection::{Code, Rejection},
    wire::codec::Encoding,
};

/// An edit that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEdit {
    /// The edit's number.
    pub edit: EditId,
    /// The watchlist that it changes.
    pub watchlist: WatchlistId,
    /// The changes in order.
    pub changes: Vec<Change>,
}

/// Checks that an edit is within the limits of a message.
///
/// # Errors
/// `badMessage` for an edit without changes, `tooLarge` past a limit.
pub(super) fn check_size(
    watchlist: WatchlistId,
    changes: &[Change],
    limits: &Limits,
) -> Result<(), Rejection> {
    /// `ClientMessage::Edit` with borrowed changes.
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        watchlist: WatchlistId,
        edit: EditId,
        changes: &'a [Change],
    }
    if changes.is_empty() {
        return Err(Rejection::new(Code::BadMessage, "the edit changes nothing"));
    }
    if changes.len() > limits.changes {
        let message =
            format!("the edit has {} changes; at most {} are allowed", changes.len(), limits.changes);
        return Err(Rejection::new(Code::TooLarge, message));
    }
    let bytes = Encoding::Json.size(&Message { r#type: "edit", watchlist, edit: EditId::MAX, changes });
    if bytes > limits.message_bytes {
        let message = format!("the edit has {bytes} bytes; at most {} are allowed", limits.message_bytes);
        return Err(Rejection::new(Code::TooLarge, message));
    }
    Ok(())
}
