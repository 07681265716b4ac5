//! Rejections as the messages that a session answers with.

use shared::{
    ids::{EditId, RequestId, WatchlistId},
    rejection::{Code, Rejection},
    wire::server::{self, ErrorCode, ServerMessage},
};

/// Returns the answer to an edit that is rejected.
pub(super) fn rejected(watchlist: WatchlistId, edit: EditId, rejection: Rejection) -> ServerMessage {
    ServerMessage::Rejected(server::Rejected { watchlist, edit, rejection })
}

/// Returns the answer to a request that failed.
pub(super) fn request_failed(request: RequestId, rejection: Rejection) -> ServerMessage {
    let code = error_code(rejection.code);
    let message = rejection.message.into();
    ServerMessage::Error(server::Error { code, message, request: Some(request), watchlist: None })
}

/// Returns the code of the error that answers a request with a rejection.
pub(super) fn error_code(code: Code) -> ErrorCode {
    match code {
        Code::UnknownWatchlist => ErrorCode::UnknownWatchlist,
        Code::TooLong => ErrorCode::TooLong,
        Code::TooLarge | Code::InvalidValue => ErrorCode::InvalidValue,
        Code::DuplicateColumn => ErrorCode::DuplicateColumn,
        Code::UnknownColumn => ErrorCode::UnknownColumn,
        Code::Forbidden => ErrorCode::Forbidden,
        _ => ErrorCode::Unavailable,
    }
}

/// Returns an error about a watchlist.
pub(super) fn watchlist_error(watchlist: WatchlistId, code: ErrorCode, message: String) -> ServerMessage {
    let message = message.into();
    ServerMessage::Error(server::Error { code, message, request: None, watchlist: Some(watchlist) })
}
