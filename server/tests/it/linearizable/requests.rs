//! Calls whose connection may end at any time, over HTTP and over a WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::Target;
use crate::{
    http_calls::try_call,
    support::{JSON, connect},
};

/// How long a call may take before its connection is given up.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes an HTTP call. Returns the status and the body, or `None` if no whole answer arrives.
pub(super) async fn call(
    target: &Target,
    method: &'static str,
    path: &str,
    body: Option<Value>,
) -> Option<(u16, Value)> {
    let address = target.address.lock().unwrap().clone();
    let url = format!("http://{address}/api/v1/watchlists/{}{path}", target.list);
    let bearer = format!("Bearer {}", target.token);
    let (status, response) = try_call(method, url, Some(bearer), body).await.ok()?;
    Some((status, serde_json::from_str(response.body()).unwrap_or(Value::Null)))
}

/// A connection that has greeted the server.
pub(super) struct Connection(WebSocketStream<TcpStream>);

impl Connection {
    /// Connects, under the id of a client.
    pub(super) async fn open(target: &Target, client: &str) -> Option<Self> {
        let connecting = async {
            let address = target.address.lock().unwrap().clone();
            let stream = TcpStream::connect(&address).await.ok()?;
            let bearer = format!("Bearer {}", target.token);
            let headers = [("authorization", bearer.as_str()), JSON];
            let (socket, _) = connect(stream, &address, &headers).await.ok()?;
            Some(Self(socket))
        };
        let mut connection = timeout(CALL_TIMEOUT, connecting).await.ok().flatten()?;
        connection.send(&json!({ "type": "hello", "client": client, "app": "test/1" })).await?;
        Some(connection)
    }

    pub(super) async fn send(&mut self, message: &Value) -> Option<()> {
        timeout(CALL_TIMEOUT, self.0.send(Message::text(message.to_string()))).await.ok()?.ok()
    }

    /// Returns the next message that `wanted` returns something for.
    pub(super) async fn find<T>(&mut self, wanted: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let finding = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let message: Value = serde_json::from_str(&text).unwrap();
                        if let Some(found) = wanted(&message) {
                            return Some(found);
                        }
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        let found = timeout(CALL_TIMEOUT, finding).await;
        found.expect("a message is answered, or its connection ends")
    }
}
