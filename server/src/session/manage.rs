//! Answers to requests that create, delete, restore or list watchlists.

use std::sync::Arc;

use shared::wire::{
    client::{Create, DeletedLists, WatchlistRequest},
    server::{self, Created, Done, ServerMessage},
};

use super::error::request_failed;
use crate::{access::Caller, hub::Hub};

pub(super) async fn create(hub: Arc<Hub>, caller: Caller, create: Create) -> ServerMessage {
    let request = create.request;
    let created = hub.create(&caller, create.watchlist, &create.name, create.columns).await;
    let message = created.map(|watchlist| ServerMessage::Created(Created { request, watchlist }));
    message.unwrap_or_else(|rejection| request_failed(request, rejection))
}

pub(super) async fn delete(hub: Arc<Hub>, caller: Caller, delete: WatchlistRequest) -> ServerMessage {
    let request = delete.request;
    let done = hub.delete(&caller, delete.watchlist).await;
    let message = done.map(|()| ServerMessage::Deleted(Done { request }));
    message.unwrap_or_else(|rejection| request_failed(request, rejection))
}

pub(super) async fn restore(hub: Arc<Hub>, caller: Caller, restore: WatchlistRequest) -> ServerMessage {
    let request = restore.request;
    let done = hub.restore(&caller, restore.watchlist).await;
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
