//! A blocking client of the server's HTTP API, for the command line and for a process that looks for a
//! server.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use shared::{
    column::Column,
    edit::Change,
    ids::{ClientId, EditId, RowId, WatchlistId},
    limits::Limits,
    sheet::Table,
    wire::{
        api::{Create, Created, Edit, Health, List, Problem},
        codec::Encoding,
        server::Summary,
    },
};
use ureq::{
    Agent,
    http::{Request, StatusCode},
};
use uuid::Uuid;

use crate::accounts::is_proof;

/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server may take to prove that it knows the token.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// A server's address and the token for it.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    token: String,
    agent: Agent,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server does not accept the token.
    #[error("the server at {base} does not accept this token")]
    Unauthorized {
        /// The server's address.
        base: String,
    },
    /// The server does not know the token.
    #[error("the server at {base} did not prove that it knows this token, so the token was not sent to it")]
    NotProved {
        /// The server's address.
        base: String,
    },
    /// The server does not answer.
    #[error("the server at {base} cannot be reached")]
    Unreachable {
        /// The server's address.
        base: String,
        /// The error of the connection.
        source: Box<ureq::Error>,
    },
    /// The server rejects the call.
    #[error("the server at {base} rejected the request: {message}")]
    Rejected {
        /// The server's address.
        base: String,
        /// The reason that the server gives.
        message: String,
    },
    /// An import has failed, and what it has created could not be deleted again.
    #[error("the watchlist {watchlist} is incomplete and could not be deleted")]
    Incomplete {
        /// The watchlist.
        watchlist: WatchlistId,
        /// Why the import has failed.
        source: Box<Self>,
    },
    /// The answer is not one of an Afterglow server.
    #[error("the server at {base} does not answer as an Afterglow server: {message}")]
    UnexpectedAnswer {
        /// The server's address.
        base: String,
        /// What is wrong with the answer.
        message: String,
    },
}

impl Client {
    /// Creates a client of the server at an address such as `http://127.0.0.1:7878`.
    pub fn new(base: &str, token: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { base, token: token.to_owned(), agent: agent(CALL_TIMEOUT) }
    }

    /// Returns the server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns the token for the server.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns the watchlists.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn list(&self) -> Result<List<Summary>, ClientError> {
        self.get("/api/v1/watchlists")
    }

    /// Creates a watchlist.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn create(&self, name: &str, columns: &[Column]) -> Result<WatchlistId, ClientError> {
        let create = Create { name: name.into(), columns: Some(columns.to_vec()) };
        let created: Created = self.send("POST", "/api/v1/watchlists", &create)?;
        Ok(created.watchlist)
    }

    /// Sends an edit and waits until it is on disk.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn edit(
        &self,
        id: WatchlistId,
        client: ClientId,
        edit: EditId,
        changes: &[Change],
    ) -> Result<(), ClientError> {
        let edit = Edit { client, edit, changes: changes.into() };
        self.put("POST", &format!("/api/v1/watchlists/{id}/edits"), &edit)
    }

    /// Deletes a watchlist.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn delete(&self, id: WatchlistId) -> Result<(), ClientError> {
        self.remove(&format!("/api/v1/watchlists/{id}"))
    }

    /// Returns a watchlist as CSV.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn csv(&self, id: WatchlistId) -> Result<Vec<u8>, ClientError> {
        self.call("GET", &format!("/api/v1/watchlists/{id}?format=csv"), None)
    }

    /// Makes a call with a body, and returns the answer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.json(&self.call(method, path, Some(&Encoding::Json.encode(body)))?)
    }

    /// Makes a call with a body whose answer has none.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn put(&self, method: &str, path: &str, body: &impl Serialize) -> Result<(), ClientError> {
        self.call(method, path, Some(&Encoding::Json.encode(body))).map(drop)
    }

    /// Returns what is at a path.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(&self.call("GET", path, None)?)
    }

    /// Removes what is at a path.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn remove(&self, path: &str) -> Result<(), ClientError> {
        self.call("DELETE", path, None).map(drop)
    }

    fn call(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Vec<u8>, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", "application/json");
        let request = request.body(body.unwrap_or_default()).map_err(|error| {
            ClientError::UnexpectedAnswer { base: self.base.clone(), message: error.to_string() }
        })?;
        let answer = self.agent.run(request);
        let unreachable =
            |source| ClientError::Unreachable { base: self.base.clone(), source: Box::new(source) };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.body_mut().with_config().limit(1 << 32).read_to_vec().map_err(unreachable)?;
        if status.is_success() {
            return Ok(bytes);
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(ClientError::Unauthorized { base: self.base.clone() });
        }
        let problem = serde_json::from_slice::<Problem>(&bytes);
        let message = problem.map_or_else(|_| status.to_string(), |problem| problem.detail);
        Err(ClientError::Rejected { base: self.base.clone(), message })
    }

    fn json<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(bytes).map_err(|error| ClientError::UnexpectedAnswer {
            base: self.base.clone(),
            message: error.to_string(),
        })
    }

    /// Creates a watchlist from a table and returns its id.
    ///
    /// # Errors
    /// See [`ClientError`]. A watchlist that could not be filled is deleted again.
    pub fn import(&self, name: &str, table: &Table) -> Result<WatchlistId, ClientError> {
        let id = self.create(name, &table.columns)?;
        self.fill(id, table).map_err(|error| match self.delete(id) {
            Ok(()) => error,
            Err(_) => ClientError::Incomplete { watchlist: id, source: Box::new(error) },
        })?;
        Ok(id)
    }

    /// Inserts the rows of a table into an empty watchlist.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn fill(&self, id: WatchlistId, table: &Table) -> Result<(), ClientError> {
        let client = ClientId(Uuid::new_v4());
        let edits = table.inserts(&Limits::default(), || RowId(Uuid::now_v7()));
        let numbered = edits.iter().zip(1..);
        numbered.into_iter().try_for_each(|(changes, edit)| self.edit(id, client, EditId(edit), changes))
    }
}

/// Returns the instance id of the server at an address, once it has proved that it knows a token. The token
/// is not sent.
///
/// # Errors
/// The server does not answer, or it does not know the token.
pub fn verify(base: &str, token: &str) -> Result<Uuid, ClientError> {
    let base = base.trim_end_matches('/');
    let unreachable = |source| ClientError::Unreachable { base: base.to_owned(), source: Box::new(source) };
    let nonce: Vec<u8> = [Uuid::new_v4(), Uuid::new_v4()].iter().flat_map(|id| *id.as_bytes()).collect();
    let call = agent(HEALTH_TIMEOUT).get(format!("{base}/healthz?nonce={}", hex::encode(&nonce)));
    let mut answer = call.call().map_err(unreachable)?;
    let health = answer.body_mut().read_json::<Health>().ok();
    let proof = |health: &Health| health.proof.as_ref().and_then(|proof| hex::decode(proof).ok());
    health
        .filter(|health| proof(health).is_some_and(|proof| is_proof(&proof, token, &nonce)))
        .map(|health| health.instance)
        .ok_or_else(|| ClientError::NotProved { base: base.to_owned() })
}

/// Returns an agent that ignores the environment's proxies: they would get the token, and the servers are on
/// this machine.
fn agent(timeout: Duration) -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(timeout)).build().into()
}
