//! Calls whose connection may end at any time, over HTTP and over a WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async, tungstenite::Message, tungstenite::client::IntoClientRequest,
};

use super::Target;
use crate::support::JSON;

/// How long a call may take before its connection is given up.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes an HTTP call. Returns the status and the body, or `None` if no whole answer arrives.
pub(super) async fn call(
    target: &Target,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Option<(u16, Value)> {
    let exchange = async {
        let address = target.address.lock().unwrap().clone();
        let mut stream = TcpStream::connect(&address).await.ok()?;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = format!(
            "{method} /api/v1/watchlists/{}{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
             connection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            target.list,
            target.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.ok()?;
        read_response(&response)
    };
    timeout(CALL_TIMEOUT, exchange).await.ok().flatten()
}

/// Reads a whole response, whose length is given or whose body is sent in chunks.
fn read_response(response: &[u8]) -> Option<(u16, Value)> {
    let text = std::str::from_utf8(response).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let body = match header("content-length") {
        Some(length) => Some(body.to_owned()).filter(|body| Some(body.len()) == length.parse().ok())?,
        None if header("transfer-encoding").is_some() => unchunked(body)?,
        None => String::new(),
    };
    Some((status, serde_json::from_str(&body).unwrap_or(Value::Null)))
}

/// Joins the chunks of a body, if the last one has arrived.
fn unchunked(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = body.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..length)?);
        body = rest.get(length + 2..)?;
    }
}

/// A connection that has greeted the server.
pub(super) struct Connection(WebSocketStream<TcpStream>);

impl Connection {
    /// Connects, under the id of a client.
    pub(super) async fn open(target: &Target, client: &str) -> Option<Self> {
        let connecting = async {
            let address = target.address.lock().unwrap().clone();
            let stream = TcpStream::connect(&address).await.ok()?;
            let mut request = format!("ws://{address}/ws").into_client_request().ok()?;
            let bearer = format!("Bearer {}", target.token);
            for (name, value) in [("authorization", bearer.as_str()), JSON] {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
            let (socket, _) = client_async(request, stream).await.ok()?;
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
