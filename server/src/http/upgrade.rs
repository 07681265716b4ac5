//! Upgrades an HTTP request to a WebSocket session.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper_util::rt::TokioIo;
use shared::wire::codec::Encoding;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::debug;

use super::{connection_limit::Place, context::HttpContext, origin::Client, problem::Problem};
use crate::{
    access::Caller,
    channel::ConnectionId,
    session::{self, Peer},
    transport::Socket,
};

pub(super) async fn upgrade(
    State(context): State<HttpContext>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<Client>,
    mut request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| {
        has_token(headers, header::CONNECTION, "upgrade")
            && has_token(headers, header::UPGRADE, "websocket")
            && has_token(headers, header::SEC_WEBSOCKET_VERSION, "13")
    });
    let key = key
        .ok_or_else(|| Problem::bad_message("/ws only accepts WebSocket upgrades (RFC 6455, version 13)"))?;
    let encoding = chosen_encoding(headers).ok_or_else(|| {
        Problem::bad_message("offer the WebSocket subprotocol afterglow.v1.json or afterglow.v1.msgpack")
    })?;
    let place = request.extensions().get::<Arc<Place>>().cloned();
    let accept = derive_accept_key(key.as_bytes());
    let limit = context.session.settings.limits.message_bytes;
    let connection = ConnectionId(context.next_connection.fetch_add(1, Ordering::Relaxed));
    let upgrading = hyper::upgrade::on(&mut request);
    let peer = Peer { connection, caller, address: Some(client.origin.address), encoding };
    context.tasks.spawn(async move {
        // The connection has its place until the session ends.
        let _place = place;
        match upgrading.await {
            Ok(upgraded) => {
                let stream = TokioIo::new(upgraded);
                let socket = Socket::new(stream, peer.encoding, limit, context.session.silence());
                session::run(context.session, peer, socket).await;
            }
            Err(error) => debug!(%error, "the connection was lost during the upgrade"),
        }
    });
    let headers = [
        (header::CONNECTION, "Upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
        (header::SEC_WEBSOCKET_PROTOCOL, encoding.subprotocol().to_owned()),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response())
}

fn tokens(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

/// Returns the first supported subprotocol that the client offers.
fn chosen_encoding(headers: &HeaderMap) -> Option<Encoding> {
    tokens(headers, header::SEC_WEBSOCKET_PROTOCOL)
        .find_map(|offered| Encoding::ALL.into_iter().find(|encoding| encoding.subprotocol() == offered))
}
