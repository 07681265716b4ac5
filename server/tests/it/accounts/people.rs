//! Accounts on a test server, the calls that they make and the sockets that they open.

use std::time::Duration;

use serde_json::{Value, json};
use server::settings::Settings;
use ureq::http::Response;

use crate::support::{Client, JSON, PATIENCE, TestServer, connect};

/// A password that no account is refused.
pub const PASSWORD: &str = "harbour lamp forty";

/// What a request presents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Nothing,
    Bearer(String),
    Cookie(String),
}

impl Proof {
    /// Returns the header that carries it.
    pub fn header(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Nothing => None,
            Self::Bearer(token) => Some(("authorization", format!("Bearer {token}"))),
            Self::Cookie(secret) => Some(("cookie", format!("afterglow_session={secret}"))),
        }
    }
}

/// A server with accounts.
pub struct Desk {
    pub server: TestServer,
}

impl Desk {
    pub async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self { server: TestServer::with(settings).await }
    }

    /// Returns what proves the user of the data folder.
    pub fn local(&self) -> Proof {
        Proof::Bearer(self.server.running.token().to_owned())
    }

    /// Makes a call on another thread, because the client blocks.
    pub async fn raw(
        &self,
        proof: &Proof,
        (method, path): (&str, &str),
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> (u16, Response<String>) {
        let mut request = ureq::http::Request::builder().method(method);
        request = request.uri(format!("{}{path}", self.server.running.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((name, value)) = proof.header() {
            request = request.header(name, value);
        }
        let request = request.body(body.map(|body| body.to_string()).unwrap_or_default()).unwrap();
        let call = move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false);
            let agent: ureq::Agent = config.timeout_global(Some(PATIENCE)).build().into();
            let (parts, mut body) = agent.run(request).unwrap().into_parts();
            (parts.status.as_u16(), Response::from_parts(parts, body.read_to_string().unwrap()))
        };
        tokio::task::spawn_blocking(call).await.unwrap()
    }

    /// Makes a call and returns its status and its JSON.
    pub async fn call(
        &self,
        proof: &Proof,
        method: &str,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> (u16, Value) {
        let (status, response) = self.raw(proof, (method, path), body.into(), &[]).await;
        (status, serde_json::from_str(response.body()).unwrap_or(Value::Null))
    }

    /// Adds an account and returns its id.
    pub async fn add(&self, name: &str, admin: bool) -> String {
        let add = json!({ "name": name, "password": PASSWORD, "admin": admin });
        let (status, added) = self.call(&self.local(), "POST", "/api/v1/accounts", add).await;
        assert_eq!(status, 201, "{added}");
        added["id"].as_str().unwrap().to_owned()
    }

    /// Changes an account.
    pub async fn change(&self, id: &str, change: Value) {
        let path = format!("/api/v1/accounts/{id}");
        assert_eq!(self.call(&self.local(), "PATCH", &path, change).await.0, 204);
    }

    /// Signs in and returns what the cookie proves.
    pub async fn sign_in(&self, name: &str) -> Proof {
        self.sign_in_with(name, PASSWORD).await
    }

    pub async fn sign_in_with(&self, name: &str, password: &str) -> Proof {
        let (status, response) = self.try_sign_in(name, password, &Proof::Nothing, &[]).await;
        assert_eq!(status, 200, "{}", response.body());
        cookie(&response)
    }

    pub async fn try_sign_in(
        &self,
        name: &str,
        password: &str,
        presented: &Proof,
        headers: &[(&str, &str)],
    ) -> (u16, Response<String>) {
        let body = json!({ "name": name, "password": password });
        self.raw(presented, ("POST", "/api/v1/session"), Some(body), headers).await
    }

    /// Adds an account and signs in to it.
    pub async fn person(&self, name: &str) -> (String, Proof) {
        (self.add(name, false).await, self.sign_in(name).await)
    }

    /// Creates a watchlist of the data folder's user, which only administrators see.
    pub async fn list(&self, name: &str) -> String {
        let body = json!({ "name": name });
        let (status, created) = self.call(&self.local(), "POST", "/api/v1/watchlists", body).await;
        assert_eq!(status, 201, "{created}");
        created["watchlist"].as_str().unwrap().to_owned()
    }

    /// Gives an account, or everyone, a role on a watchlist, or takes it away.
    pub async fn share(&self, list: &str, user: Option<&str>, role: Option<&str>) {
        let path = format!("/api/v1/watchlists/{list}/access");
        let (status, answer) =
            self.call(&self.local(), "PUT", &path, json!({ "user": user, "role": role })).await;
        assert_eq!(status, 204, "{answer}");
    }

    /// Opens a socket, unless the upgrade is refused: then its status.
    pub async fn socket(&self, proof: &Proof) -> Result<Client, u16> {
        let address = self.server.running.serving.address.to_string();
        let header = proof.header();
        let mut headers = vec![JSON];
        headers.extend(header.as_ref().map(|(name, value)| (*name, value.as_str())));
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        match connect(stream, &address, &headers).await {
            Ok((socket, _)) => {
                let mut client = Client { socket, id: uuid::Uuid::new_v4(), edit: 0 };
                client.greet().await;
                Ok(client)
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Returns the session that an answer starts.
pub fn cookie(response: &Response<String>) -> Proof {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let secret = cookie.strip_prefix("afterglow_session=").unwrap().split(';').next().unwrap();
    Proof::Cookie(secret.to_owned())
}

/// Returns the messages until one of a type arrives, that one included. Fails if none arrives in time.
pub async fn until(client: &mut Client, kind: &str, within: Duration) -> Value {
    let found = tokio::time::timeout(within, client.expect(kind)).await;
    found.unwrap_or_else(|_elapsed| panic!("no {kind} within {within:?}"))
}

/// Returns the error with which a socket ends, and how long that took.
pub async fn ended(mut client: Client) -> (String, Duration) {
    let started = std::time::Instant::now();
    let error = client.expect("error").await;
    assert!(client.next().await.is_none(), "the socket is closed");
    (error["code"].as_str().unwrap().to_owned(), started.elapsed())
}
