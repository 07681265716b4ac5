//! What an administrator may set, with the defaults that suit a desk.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use shared::{limits::Limits, time::Timestamp};

/// Settings of a server. The file is TOML with these names; flags and environment variables go before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the journal, the token and the lock are.
    pub data_dir: PathBuf,
    /// What is too much.
    pub limits: Limits,
    /// While changes keep coming, one batch leaves per so many milliseconds.
    pub flush_interval_ms: u64,
    /// Edits per second that one connection may send for long; 0 lifts the limit.
    pub edits_per_second: u32,
    /// Edits that one connection may send at once.
    pub edits_burst: u32,
    /// How many bytes may wait for a slow connection before it is conflated.
    pub outbox_bytes: usize,
    /// How often to ping, in seconds.
    pub ping_seconds: u64,
    /// A connection that is silent for so long is dropped, in seconds.
    pub silence_seconds: u64,
    /// How long a new connection may take to say hello, in seconds.
    pub hello_seconds: u64,
    /// Deleted watchlists are kept for so many days.
    pub deleted_days: u32,
    /// Commits are kept for so many days; 0 sets no end.
    pub history_days: u32,
    /// So many commits of a watchlist are kept, the newest ones; 0 sets no end.
    pub history_commits: u64,
    /// So many connections are taken at once.
    pub connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7878)),
            data_dir: PathBuf::new(),
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
            connections: 16_384,
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("the settings file {} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file or a variable does not say what it should.
    #[error("{origin}: {message}")]
    Wrong {
        /// The file or the variable, by name.
        origin: String,
        /// What is wrong.
        message: String,
    },
}

impl Settings {
    /// Reads the file, where there is one, and lets environment variables go before it: every setting's name in
    /// capitals behind `AFTERGLOW_`, as `AFTERGLOW_LISTEN` or `AFTERGLOW_LIMITS_ROWS`.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn read(
        file: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut table = toml::Table::new();
        if let Some(path) = file {
            let text = fs::read_to_string(path)
                .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
            let read =
                text.parse::<toml::Table>().and_then(|read| read.clone().try_into::<Self>().map(|_| read));
            table = read.map_err(|error| SettingsError::Wrong {
                origin: format!("the settings file {}", path.display()),
                message: error.to_string().trim().replace('\n', " "),
            })?;
        }
        let names = toml::Table::try_from(Self::default()).expect("settings are plain data");
        for (name, path, default) in leaves("AFTERGLOW", &[], &names) {
            let Some(text) = variable(&name) else { continue };
            let wrong = |message| SettingsError::Wrong {
                origin: format!("the environment variable {name}"),
                message: format!("{text:?}: {message}"),
            };
            let value = match default {
                toml::Value::Integer(_) => {
                    text.parse().map(toml::Value::Integer).map_err(|error: std::num::ParseIntError| {
                        wrong(format!("not a whole number ({error})"))
                    })?
                }
                _ => toml::Value::String(text.clone()),
            };
            let mut alone = toml::Table::new();
            put(&mut alone, &path, value.clone());
            alone.try_into::<Self>().map_err(|error| wrong(error.message().to_owned()))?;
            put(&mut table, &path, value);
        }
        Ok(table.try_into().expect("every part of it was read"))
    }

    /// What of the history is kept at `now`: commits since a moment, and at most so many.
    pub fn retention(&self, now: Timestamp) -> (Timestamp, u64) {
        let day = 24 * 60 * 60 * 1_000;
        let since = match self.history_days {
            0 => i64::MIN,
            days => now.as_millis().saturating_sub(i64::from(days) * day),
        };
        let commits = if self.history_commits == 0 { u64::MAX } else { self.history_commits };
        (Timestamp::from_millis(since), commits)
    }

    /// The flush interval as a duration.
    pub fn flush_interval(&self) -> Duration {
        Duration::from_millis(self.flush_interval_ms)
    }
}

/// Every setting: its environment variable, where it stands, and its default.
fn leaves<'a>(
    prefix: &str,
    above: &[&'a str],
    table: &'a toml::Table,
) -> Vec<(String, Vec<&'a str>, &'a toml::Value)> {
    let of = |(key, value): (&'a String, &'a toml::Value)| {
        let name = format!("{prefix}_{}", key.to_uppercase());
        let path: Vec<&str> = above.iter().copied().chain([key.as_str()]).collect();
        match value {
            toml::Value::Table(inner) => leaves(&name, &path, inner),
            value => vec![(name, path, value)],
        }
    };
    table.iter().flat_map(of).collect()
}

/// Puts a value where a path leads, making the tables on the way.
fn put(table: &mut toml::Table, path: &[&str], value: toml::Value) {
    match path {
        [] => {}
        [key] => drop(table.insert((*key).to_owned(), value)),
        [key, rest @ ..] => {
            let inner = table.entry(*key).or_insert_with(|| toml::Table::new().into());
            if let toml::Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        fs::write(&file, "listen = \"127.0.0.1:1\"\nflush_interval_ms = 5\n[limits]\nrows = 7\n").unwrap();
        let variable = |name: &str| match name {
            "AFTERGLOW_LISTEN" => Some("127.0.0.1:2".to_owned()),
            "AFTERGLOW_LIMITS_COLUMNS" => Some("9".to_owned()),
            _ => None,
        };
        let settings = Settings::read(Some(&file), variable).unwrap();
        assert_eq!(settings.listen.port(), 2);
        assert_eq!((settings.flush_interval_ms, settings.limits.rows, settings.limits.columns), (5, 7, 9));
        assert_eq!(settings.outbox_bytes, Settings::default().outbox_bytes);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |name: &'static str, value: &'static str| {
            Settings::read(None, move |asked| (asked == name).then(|| value.to_owned()))
                .unwrap_err()
                .to_string()
        };
        assert!(wrong("AFTERGLOW_LIMITS_ROWS", "many").contains("AFTERGLOW_LIMITS_ROWS"));
        for (name, value) in [("AFTERGLOW_LISTEN", "here"), ("AFTERGLOW_LIMITS_ROWS", "-1")] {
            let said = wrong(name, value);
            assert!(said.contains(name) && said.contains(value), "{said}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        fs::write(&file, "lisen = 1").unwrap();
        assert!(Settings::read(Some(&file), |_| None).unwrap_err().to_string().contains("lisen"));
    }

    #[test]
    fn the_file_that_packages_bring_says_what_there_is_to_set() {
        let text = include_str!("../../assets/packaging/server/server.toml");
        let set = |line: &str| line.strip_prefix("# ").unwrap_or(line).to_owned();
        let is_setting = |line: &String| line.contains(" = ");
        let whole: Vec<String> = text.lines().map(set).filter(is_setting).collect();
        let read: Settings = toml::from_str(&whole.join("\n")).unwrap();
        let meant = Settings::default();
        let table = |settings: &Settings| toml::Table::try_from(settings).unwrap();
        assert_eq!(table(&read), table(&meant), "what is behind a # is the default");
        // The limits are the protocol's, and the unit says where the data are.
        for name in table(&meant).keys().filter(|name| !["limits", "data_dir"].contains(&name.as_str())) {
            assert!(whole.iter().any(|line| line.starts_with(&format!("{name} = "))), "{name} is in it");
        }
    }
}
