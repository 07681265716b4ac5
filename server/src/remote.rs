//! Another process's server, asked over HTTP: what the command line does, and how a process finds out who
//! serves a data folder.

use std::{fmt, fs::File, io::Read, path::Path, time::Duration};

use serde::Deserialize;
use shared::{
    column::Column,
    edit::Change,
    ids::{ClientId, EditId, WatchlistId},
    wire::server::Watchlists,
};
use ureq::{Agent, http::StatusCode};
use uuid::Uuid;

use crate::{
    auth::TOKEN_FILE,
    data_folder::{DataFolder, Serving},
};

/// No sound token is as long, in bytes.
const LONGEST_TOKEN: u64 = 4096;

/// Reads a token from its file.
///
/// # Errors
/// Why it is none, in words that name the file.
pub fn read_token(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(LONGEST_TOKEN + 1).read_to_string(&mut text))
        .map_err(|error| format!("the token file {} cannot be read: {error}", file.display()))?;
    let token = text.trim();
    if text.len() as u64 > LONGEST_TOKEN {
        return Err(format!("the file {} is too long to hold a token", file.display()));
    }
    if token.is_empty() {
        return Err(format!("the token file {} is empty", file.display()));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("the file {} holds no token: that is one word of plain letters", file.display()));
    }
    Ok(token.to_owned())
}

/// A server and the token for it.
#[derive(Clone, Debug)]
pub struct Remote {
    base: String,
    token: String,
    agent: Agent,
}

/// Why a server did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The token is not the server's.
    #[error("the server at {base} does not take this token")]
    Unauthorized {
        /// Which server.
        base: String,
    },
    /// It does not answer.
    #[error("the server at {base} cannot be reached")]
    Unreachable {
        /// Which server.
        base: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// It says no.
    #[error("the server at {base} refuses: {message}")]
    Refused {
        /// Which server.
        base: String,
        /// What it says.
        message: String,
    },
    /// It says something else than expected.
    #[error("the server at {base} does not answer as an Afterglow server: {message}")]
    Odd {
        /// Which server.
        base: String,
        /// What is odd.
        message: String,
    },
}

#[derive(Deserialize)]
struct Health {
    instance: Uuid,
}

#[derive(Deserialize)]
struct Created {
    watchlist: WatchlistId,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Remote {
    /// A server by its address, as `http://127.0.0.1:7878`.
    pub fn new(base: &str, token: &str) -> Self {
        let config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60)));
        let base = base.trim_end_matches('/').to_owned();
        Self { base, token: token.to_owned(), agent: config.build().into() }
    }

    /// The server of a data folder, where one runs. It is only told the token after it has shown by its
    /// instance id that it is the one that wrote its address there.
    pub fn of_folder(data_dir: &Path) -> Option<Self> {
        let serving = DataFolder::find(data_dir)?;
        let token = read_token(&data_dir.join(TOKEN_FILE)).ok()?;
        is_serving(&serving).then(|| Self::new(&format!("http://{}", serving.address), &token))
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The token for it.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The watchlists there are.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn list(&self) -> Result<Watchlists, RemoteError> {
        self.json(&self.call("GET", "/api/v1/watchlists", None)?)
    }

    /// Makes a watchlist.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn create(&self, name: &str, columns: &[Column]) -> Result<WatchlistId, RemoteError> {
        let body = serde_json::json!({ "name": name, "columns": columns });
        let created: Created = self.json(&self.call("POST", "/api/v1/watchlists", Some(&body))?)?;
        Ok(created.watchlist)
    }

    /// Sends one edit and waits until it is on disk.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn edit(
        &self,
        id: WatchlistId,
        client: ClientId,
        edit: EditId,
        changes: &[Change],
    ) -> Result<(), RemoteError> {
        let body = serde_json::json!({ "client": client, "edit": edit, "changes": changes });
        self.call("POST", &format!("/api/v1/watchlists/{id}/edits"), Some(&body)).map(drop)
    }

    /// Deletes a watchlist.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn delete(&self, id: WatchlistId) -> Result<(), RemoteError> {
        self.call("DELETE", &format!("/api/v1/watchlists/{id}"), None).map(drop)
    }

    /// A watchlist as CSV.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn csv(&self, id: WatchlistId) -> Result<Vec<u8>, RemoteError> {
        self.call("GET", &format!("/api/v1/watchlists/{id}?format=csv"), None)
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Vec<u8>, RemoteError> {
        let url = format!("{}{path}", self.base);
        let bearer = format!("Bearer {}", self.token);
        let answer = match body {
            Some(body) => self.agent.post(&url).header("Authorization", &bearer).send_json(body),
            None if method == "DELETE" => self.agent.delete(&url).header("Authorization", &bearer).call(),
            None => self.agent.get(&url).header("Authorization", &bearer).call(),
        };
        let unreachable =
            |source| RemoteError::Unreachable { base: self.base.clone(), source: Box::new(source) };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.body_mut().with_config().limit(1 << 32).read_to_vec().map_err(unreachable)?;
        if status.is_success() {
            return Ok(bytes);
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(RemoteError::Unauthorized { base: self.base.clone() });
        }
        let problem = serde_json::from_slice::<Problem>(&bytes);
        let message = problem.map_or_else(|_| status.to_string(), |problem| problem.detail);
        Err(RemoteError::Refused { base: self.base.clone(), message })
    }

    fn json<T: serde::de::DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, RemoteError> {
        let odd = |error: &dyn fmt::Display| RemoteError::Odd {
            base: self.base.clone(),
            message: error.to_string(),
        };
        serde_json::from_slice(bytes).map_err(|error| odd(&error))
    }
}

/// Whether the process that wrote this is still the one that answers there.
pub fn is_serving(serving: &Serving) -> bool {
    let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(1)));
    let agent: Agent = config.build().into();
    let health = agent.get(format!("http://{}/healthz", serving.address)).call();
    let health = health.ok().and_then(|mut answer| answer.body_mut().read_json::<Health>().ok());
    health.is_some_and(|health| health.instance == serving.instance)
}
