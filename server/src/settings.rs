//! Server settings: their defaults, the settings file and the environment variables.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use shared::{
    limits::Limits,
    time::{MILLIS_PER_DAY, Timestamp},
};

/// Settings of a server. The settings file is TOML with these names. Environment variables override the file,
/// and flags override both. They are one struct, however many there are, because the names of the file are
/// its fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Folder that holds the journal, the token and the lock.
    pub data_dir: PathBuf,
    /// URL of the PostgreSQL database that holds the journal: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Empty:
    /// the journal is in the data folder.
    pub journal: String,
    /// PEM file of the server's certificate, followed by those of the authorities between it and a root.
    /// Empty: connections are not encrypted.
    pub tls_cert: PathBuf,
    /// PEM file of the certificate's key.
    pub tls_key: PathBuf,
    /// Whether to listen beyond this machine without encryption: everyone on the network can read passwords
    /// and prices then.
    pub insecure_lan: bool,
    /// Size limits of the protocol.
    pub limits: Limits,
    /// Minimum time between two batches of changes to a connection, in milliseconds.
    pub flush_interval_ms: u64,
    /// Sustained rate of edits of one connection, per second; 0 means no limit.
    pub edits_per_second: u32,
    /// Number of edits that one connection may send in a burst.
    pub edits_burst: u32,
    /// Bytes that may be queued for a slow connection before further changes are conflated.
    pub outbox_bytes: usize,
    /// Interval between pings, in seconds.
    pub ping_seconds: u64,
    /// Time without a message after which a connection is closed, in seconds.
    pub silence_seconds: u64,
    /// Time that a new connection has to send `hello`, in seconds.
    pub hello_seconds: u64,
    /// Number of days that deleted watchlists are kept.
    pub deleted_days: u32,
    /// Number of days that commits are kept; 0 means no limit.
    pub history_days: u32,
    /// Number of newest commits that are kept of each watchlist; 0 means no limit.
    pub history_commits: u64,
    /// Number of bytes of commits that are kept of each watchlist, as they are stored; 0 means no limit. The
    /// default is far more than a million edits of people take: it limits a feed that sends large edits.
    pub history_bytes: u64,
    /// Number of days that the answers to a client's edits of a watchlist are kept after its last one; 0
    /// means no limit. Only days on which the server runs count. If the client sends one of these edits again
    /// later, it is judged as a new edit.
    pub answers_days: u32,
    /// Maximum number of open connections of callers with a token.
    pub connections: usize,
    /// Maximum number of open connections of one account, other than that of the data folder's user; 0 means
    /// no limit.
    pub connections_per_account: usize,
    /// Maximum number of open connections of callers with a token from one address of another machine; 0
    /// means no limit.
    pub connections_per_address: usize,
    /// Number of hours after which a session that is not used ends.
    pub session_idle_hours: u32,
    /// Number of days after a sign-in after which its session ends.
    pub session_days: u32,
    /// Addresses of the proxies before the server, which name the client in `X-Forwarded-For`. From other
    /// addresses the header is ignored.
    pub trusted_proxies: Vec<IpAddr>,
    /// Host names under which the server is reached, besides `localhost` and addresses of this machine. A
    /// request to another name is refused: a page of another site may have sent it.
    pub public_names: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7878)),
            data_dir: PathBuf::new(),
            journal: String::new(),
            tls_cert: PathBuf::new(),
            tls_key: PathBuf::new(),
            insecure_lan: false,
            limits: Limits::default(),
            flush_interval_ms: 16,
            edits_per_second: 200,
            edits_burst: 400,
            outbox_bytes: 64 * 1024,
            ping_seconds: 15,
            silence_seconds: 40,
            hello_seconds: 5,
            deleted_days: 30,
            history_days: 0,
            history_commits: 1_000_000,
            history_bytes: 4 << 30,
            answers_days: 365,
            connections: 16_384,
            connections_per_account: 256,
            connections_per_address: 2_048,
            session_idle_hours: 12,
            session_days: 30,
            trusted_proxies: Vec::new(),
            public_names: Vec::new(),
        }
    }
}

/// The settings file or an environment variable holds an invalid value.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct SettingsError {
    /// The file or the variable, by name.
    pub origin: String,
    /// What is wrong with the value.
    pub message: String,
}

impl Settings {
    /// Parses the settings file, if there is one, and the environment variables, which override it. A
    /// variable is named `AFTERGLOW_` and the setting's name in capitals, such as `AFTERGLOW_LISTEN` or
    /// `AFTERGLOW_LIMITS_ROWS`.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn read(
        file: Option<(&Path, String)>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut table = toml::Table::new();
        if let Some((path, text)) = file {
            let read =
                text.parse::<toml::Table>().and_then(|read| read.clone().try_into::<Self>().map(|_| read));
            table = read.map_err(|error| SettingsError {
                origin: format!("the settings file {}", path.display()),
                message: error.to_string().trim().replace('\n', " "),
            })?;
        }
        let names = toml::Table::try_from(Self::default()).expect("settings are plain data");
        for (name, path, default) in leaves("AFTERGLOW", &[], &names) {
            let Some(text) = variable(&name) else { continue };
            let invalid = |message| SettingsError {
                origin: format!("the environment variable {name}"),
                message: format!("{text:?}: {message}"),
            };
            let value = match default {
                toml::Value::Integer(_) => {
                    text.parse().map(toml::Value::Integer).map_err(|error: std::num::ParseIntError| {
                        invalid(format!("not a whole number ({error})"))
                    })?
                }
                toml::Value::Boolean(_) => text.parse().map(toml::Value::Boolean).map_err(
                    |_not_a_boolean: std::str::ParseBoolError| invalid("use true or false".to_owned()),
                )?,
                toml::Value::Array(_) => {
                    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                    items.map(|item| toml::Value::String(item.to_owned())).collect::<Vec<_>>().into()
                }
                _ => toml::Value::String(text.clone()),
            };
            let mut alone = toml::Table::new();
            insert_at(&mut alone, &path, value.clone());
            alone.try_into::<Self>().map_err(|error| invalid(error.message().to_owned()))?;
            insert_at(&mut table, &path, value);
        }
        Ok(table.try_into().expect("every part was checked"))
    }

    /// Returns the time since which commits are kept, and the maximum number of commits, as of `now`.
    pub fn retention(&self, now: Timestamp) -> (Timestamp, u64) {
        let since = match self.history_days {
            0 => i64::MIN,
            days => now.as_millis().saturating_sub(i64::from(days) * MILLIS_PER_DAY),
        };
        let commits = if self.history_commits == 0 { u64::MAX } else { self.history_commits };
        (Timestamp::from_millis(since), commits)
    }

    /// Returns the number of bytes of commits that are kept of each watchlist.
    pub fn kept_bytes(&self) -> u64 {
        if self.history_bytes == 0 { u64::MAX } else { self.history_bytes }
    }

    /// Returns the flush interval.
    pub fn flush_interval(&self) -> Duration {
        Duration::from_millis(self.flush_interval_ms)
    }
}

/// Returns the environment variable, the path and the default of every setting.
fn leaves<'a>(
    prefix: &str,
    above: &[&'a str],
    table: &'a toml::Table,
) -> Vec<(String, Vec<&'a str>, &'a toml::Value)> {
    let leaves_of = |(key, value): (&'a String, &'a toml::Value)| {
        let name = format!("{prefix}_{}", key.to_uppercase());
        let path: Vec<&str> = above.iter().copied().chain([key.as_str()]).collect();
        match value {
            toml::Value::Table(inner) => leaves(&name, &path, inner),
            value => vec![(name, path, value)],
        }
    };
    table.iter().flat_map(leaves_of).collect()
}

/// Inserts a value at a path, and creates the tables on the way.
fn insert_at(table: &mut toml::Table, path: &[&str], value: toml::Value) {
    match path {
        [] => {}
        [key] => drop(table.insert((*key).to_owned(), value)),
        [key, rest @ ..] => {
            let inner = table.entry(*key).or_insert_with(|| toml::Table::new().into());
            if let toml::Value::Table(inner) = inner {
                insert_at(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_overrides_the_file_and_the_file_overrides_the_defaults() {
        let text = "listen = \"127.0.0.1:1\"\nflush_interval_ms = 5\n[limits]\nrows = 7\n";
        let file = (Path::new("settings.toml"), text.to_owned());
        let variable = |name: &str| match name {
            "AFTERGLOW_LISTEN" => Some("127.0.0.1:2".to_owned()),
            "AFTERGLOW_LIMITS_COLUMNS" => Some("9".to_owned()),
            "AFTERGLOW_PUBLIC_NAMES" => Some("desk.example, desk".to_owned()),
            _ => None,
        };
        let settings = Settings::read(Some(file), variable).unwrap();
        assert_eq!(settings.listen.port(), 2);
        assert_eq!((settings.flush_interval_ms, settings.limits.rows, settings.limits.columns), (5, 7, 9));
        assert_eq!(settings.public_names, ["desk.example", "desk"]);
        assert_eq!(settings.outbox_bytes, Settings::default().outbox_bytes);
    }

    #[test]
    fn an_error_names_the_setting_and_the_value() {
        let error = |name: &'static str, value: &'static str| {
            Settings::read(None, move |requested| (requested == name).then(|| value.to_owned()))
                .unwrap_err()
                .to_string()
        };
        assert!(error("AFTERGLOW_LIMITS_ROWS", "many").contains("AFTERGLOW_LIMITS_ROWS"));
        for (name, value) in [("AFTERGLOW_LISTEN", "here"), ("AFTERGLOW_LIMITS_ROWS", "-1")] {
            let message = error(name, value);
            assert!(message.contains(name) && message.contains(value), "{message}");
        }
        let file = (Path::new("settings.toml"), "lisen = 1".to_owned());
        assert!(Settings::read(Some(file), |_| None).unwrap_err().to_string().contains("lisen"));
    }

    #[test]
    fn zero_means_no_limit_of_the_history() {
        let now = Timestamp::from_millis(1_000);
        let settings =
            Settings { history_days: 0, history_commits: 0, history_bytes: 0, ..Settings::default() };
        assert_eq!(settings.retention(now), (Timestamp::from_millis(i64::MIN), u64::MAX));
        assert_eq!((settings.kept_bytes(), Settings::default().kept_bytes()), (u64::MAX, 4 << 30));
    }

    #[test]
    fn the_packaged_settings_file_lists_every_setting_with_its_default() {
        let text = include_str!("../../assets/packaging/server/server.toml");
        let uncommented = |line: &str| line.strip_prefix("# ").unwrap_or(line).to_owned();
        let is_setting = |line: &String| line.contains(" = ");
        let whole: Vec<String> = text.lines().map(uncommented).filter(is_setting).collect();
        let read: Settings = toml::from_str(&whole.join("\n")).unwrap();
        let expected = Settings::default();
        let table = |settings: &Settings| toml::Table::try_from(settings).unwrap();
        assert_eq!(table(&read), table(&expected), "a commented setting shows its default");
        // The limits belong to the protocol, and the service unit sets the data folder.
        for name in table(&expected).keys().filter(|name| !["limits", "data_dir"].contains(&name.as_str())) {
            assert!(whole.iter().any(|line| line.starts_with(&format!("{name} = "))), "{name} is listed");
        }
    }
}
