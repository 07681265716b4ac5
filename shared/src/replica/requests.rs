//! Requests that wait for the server's answer: to create, delete or restore a watchlist, or to read the past.

use std::{collections::BTreeMap, sync::Arc};

use super::event::Event;
use crate::{
    ids::{RequestId, WatchlistId},
    wire::server::ErrorCode,
};

/// What was requested.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Create,
    Delete(WatchlistId),
    Restore(WatchlistId),
    History,
    DeletedLists,
}

/// The requests of this connection that have no answer yet.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u64,
    open: BTreeMap<RequestId, Request>,
}

impl Requests {
    /// Numbers a new request.
    pub(super) fn start(&mut self, what: Request) -> RequestId {
        self.last += 1;
        let request = RequestId(self.last);
        self.open.insert(request, what);
        request
    }

    /// Removes an answered request and returns what it was.
    pub(super) fn finish(&mut self, request: RequestId) -> Option<Request> {
        self.open.remove(&request)
    }

    /// Removes every request and returns an event for each that says that it failed.
    pub(super) fn fail_all(&mut self, code: ErrorCode, message: &Arc<str>) -> Vec<Event> {
        let open = std::mem::take(&mut self.open);
        open.into_iter().map(|(request, what)| what.failed(request, code, message.clone())).collect()
    }
}

impl Request {
    /// Returns the event that says that the request failed.
    pub(super) fn failed(self, request: RequestId, code: ErrorCode, message: Arc<str>) -> Event {
        let watchlist = match self {
            Request::History => return Event::HistoryFailed { request },
            Request::Create | Request::DeletedLists => None,
            Request::Delete(watchlist) | Request::Restore(watchlist) => Some(watchlist),
        };
        Event::RequestFailed { request, code, message, watchlist }
    }
}
