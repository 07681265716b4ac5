//! The URL of a database.

use std::{path::PathBuf, str::FromStr, time::Duration};

use ::url::Url;
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

/// Time in which a connection has to be open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time after which a connection whose other end does not confirm what was sent is lost.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without traffic after which the other end is asked whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);

/// Why a URL is not that of a database. The messages do not contain the URL, which may have a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// It is not a URL of PostgreSQL.
    #[error("the setting journal is no URL of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE: {0}")]
    Malformed(String),
    /// The encryption that it names is none, or one that does not protect.
    #[error(
        "the setting journal has sslmode={0}: use verify-full, or disable if the connection needs no \
         encryption"
    )]
    SslMode(String),
}

/// How to reach a database.
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) encryption: Encryption,
    /// Host, port and database, for messages.
    pub(super) place: String,
}

/// How a connection is encrypted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    None,
    /// By a certificate of the host's name, from an authority of the system or of this file.
    Verified(Option<PathBuf>),
}

/// Reads a URL. A connection to another machine is encrypted unless the URL has `sslmode=disable`; to this
/// machine only if it asks for it.
pub(super) fn parse(text: &str) -> Result<Target, UrlError> {
    let malformed = |error: &dyn std::error::Error| {
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        UrlError::Malformed(format!("{error}{source}"))
    };
    let mut url = Url::parse(text).map_err(|error| malformed(&error))?;
    if !["postgres", "postgresql"].contains(&url.scheme()) {
        return Err(UrlError::Malformed(format!("its scheme is {}", url.scheme())));
    }
    let (mut mode, mut authority, mut others) = (None, None, Vec::new());
    for (name, value) in url.query_pairs() {
        match &*name {
            "sslmode" => mode = Some(value.into_owned()),
            "sslrootcert" => authority = Some(PathBuf::from(&*value)),
            _ => others.push((name.into_owned(), value.into_owned())),
        }
    }
    url.set_query(None);
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(&others);
    }
    let mut config = Config::from_str(url.as_str()).map_err(|error| malformed(&error))?;
    let is_local = config.get_hosts().iter().all(is_local);
    let encryption = match mode.as_deref() {
        Some("disable") => Encryption::None,
        None if is_local && authority.is_none() => Encryption::None,
        None | Some("require" | "verify-ca" | "verify-full") => Encryption::Verified(authority),
        Some(other) => return Err(UrlError::SslMode(other.to_owned())),
    };
    let ssl = if encryption == Encryption::None { SslMode::Disable } else { SslMode::Require };
    config
        .ssl_mode(ssl)
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(KEEPALIVE_IDLE)
        .tcp_user_timeout(SEND_TIMEOUT)
        .application_name("afterglow-server");
    let place = place(&config);
    Ok(Target { config, encryption, place })
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn place(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
        let ports = config.get_ports();
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => format!("{} (port {port})", path.display()),
        }
    });
    let hosts: Vec<String> = hosts.collect();
    // Without a name, PostgreSQL takes that of the user.
    let database = config.get_dbname().or(config.get_user()).unwrap_or("the default database");
    format!("{database} at {}", hosts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(text: &str) -> Encryption {
        parse(text).unwrap().encryption
    }

    #[test]
    fn connections_to_other_machines_are_encrypted_and_verified() {
        let verified = || Encryption::Verified(None);
        for (url, expected) in [
            ("postgres://a:b@db.example/x", verified()),
            ("postgresql://a@10.0.0.1:5433/x?sslmode=require", verified()),
            ("postgres://a@localhost/x?sslmode=verify-full", verified()),
            ("postgres://a@db.example/x?sslmode=disable", Encryption::None),
            ("postgres://a@localhost/x", Encryption::None),
            ("postgres://a@127.0.0.1:7/x", Encryption::None),
            ("postgres://a@[::1]:7/x", Encryption::None),
            ("postgres://a@%2Frun%2Fpostgresql/x", Encryption::None),
            ("postgres://a@localhost/x?sslrootcert=/ca.pem", Encryption::Verified(Some("/ca.pem".into()))),
        ] {
            assert_eq!(encryption(url), expected, "{url}");
        }
    }

    #[test]
    fn the_place_names_host_port_and_database_and_no_password() {
        let target = parse("postgres://ann:secret@db.example:5433/prices?sslmode=disable").unwrap();
        assert_eq!(target.place, "prices at db.example:5433");
        assert_eq!(target.config.get_password(), Some(&b"secret"[..]));
    }

    #[test]
    fn an_error_says_what_is_wrong_and_shows_no_password() {
        for (url, expected) in [
            ("journal.sqlite", "relative URL without a base"),
            ("mysql://ann:secret@host/x", "its scheme is mysql"),
            ("postgres://ann:secret@host:port/x", "invalid port number"),
            ("postgres://ann:secret@host/x?sslmode=prefer", "sslmode=prefer: use verify-full"),
            ("postgres://ann:secret@host/x?colour=red", "unknown option"),
        ] {
            let message = parse(url).err().unwrap().to_string();
            assert!(message.contains(expected), "{url}: {message}");
            assert!(message.contains("the setting journal") && !message.contains("secret"), "{message}");
        }
    }
}
