//! Answers to requests that create, delete, restore or list watchlists.

use std::sync::Arc;

use shared::{
    rejection::{Code, Rejection},
    wire::{
        client::{Create, DeletedLists, WatchlistRequest},
        server::{self, Created, Done, ServerMessage},
    },
};

use super::{context::Peer, error::request_failed};
use crate::{access::Caller, hub::Hub};

pub(super) async fn create(hub: Arc<Hub>, peer: Peer, create: Create) -> ServerMessage {
    let request = create.request;
    let created = hub.create(&peer.caller, create.watchlist, &create.name, create.columns).await;
    if is_forbidden(&created) {
        hub.accounts().record_denial(&peer.caller, peer.address, "create");
    }
    let message = created.map(|watchlist| ServerMessage::Created(Created { request, watchlist }));
    message.unwrap_or_else(|rejection| request_failed(request, rejection))
}

pub(super) async fn delete(hub: Arc<Hub>, peer: Peer, delete: WatchlistRequest) -> ServerMessage {
    let request = delete.request;
    let done = hub.delete(&peer.caller, delete.watchlist).await;
    if is_forbidden(&done) {
        peer.record_denial(&hub, "delete", delete.watchlist);
    }
    let message = done.map(|()| ServerMessage::Deleted(Done { request }));
    message.unwrap_or_else(|rejection| request_failed(request, rejection))
}

pub(super) async fn restore(hub: Arc<Hub>, peer: Peer, restore: WatchlistRequest) -> ServerMessage {
    let request = restore.request;
    let done = hub.restore(&peer.caller, restore.watchlist).await;
    if is_forbidden(&done) {
        peer.record_denial(&hub, "restore", restore.watchlist);
    }
    let message = done.map(|()| ServerMessage::Restored(Done { request }));
    message.unwrap_or_else(|rejection| request_failed(request, rejection))
}

pub(super) fn deleted_lists(
    hub: &Hub,
    caller: &Caller,
    DeletedLists { request }: DeletedLists,
) -> ServerMessage {
    ServerMessage::DeletedLists(server::DeletedLists { request, list: hub.deleted(caller) })
}

fn is_forbidden<T>(result: &Result<T, Rejection>) -> bool {
    result.as_ref().is_err_and(|rejection| rejection.code == Code::Forbidden)
}
