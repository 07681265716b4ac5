//! The check for a newer version, made only if an administrator sets an address for it. That server answers
//! with JSON, `{"version": "1.2.3", "page": "https://..."}`, in which `page` is optional.

use std::{
    fmt,
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread,
    time::Duration,
};

use serde::Deserialize;
use tracing::warn;
use url::Url;

use crate::wake::Wake;

/// Time between two checks.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// Timeout of a check.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of an answer in bytes.
const MAX_ANSWER: u64 = 16 * 1024;

/// A version of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u32; 3]);

impl Version {
    /// Parses `MAJOR.MINOR.PATCH`.
    fn read(text: &str) -> Option<Self> {
        let parts: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        parts.try_into().ok().map(Self)
    }

    fn own() -> Self {
        Self::read(env!("CARGO_PKG_VERSION")).expect("the program's version has three numbers")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[derive(Deserialize)]
struct Announcement {
    version: String,
    page: Option<String>,
}

/// Parses an answer and returns the notice for the person if its version is newer than `own`.
fn newer_version_notice(answer: &str, own: Version) -> Result<Option<String>, String> {
    let Announcement { version, page } = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    let version =
        Version::read(&version).ok_or_else(|| format!("{version:?} is not a version such as 1.2.3"))?;
    let page = page.map(|page| {
        let url = Url::parse(&page).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| format!("{page:?} is not a web address"))
    });
    let page = page.transpose()?;
    Ok((version > own).then(|| {
        let place = page
            .map_or_else(|| "Ask your administrator for it".to_owned(), |page| format!("Get it at {page}"));
        format!("Afterglow {version} is available; you have {own}. {place}.")
    }))
}

/// A thread that checks for updates until this is dropped.
#[derive(Debug)]
pub struct Updates {
    notices: Receiver<String>,
    _stop: SyncSender<()>,
}

impl Updates {
    /// Starts the thread, which checks at once and then every day, and calls `wake` when it has a notice.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(url: String, wake: Wake) -> std::io::Result<Self> {
        let (sender, notices) = mpsc::sync_channel(1);
        let (stop_sender, stop) = mpsc::sync_channel::<()>(0);
        let check = move || {
            let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT));
            let agent = ureq::Agent::new_with_config(config.build());
            let mut announced = None;
            loop {
                let answer =
                    fetch(&agent, &url).and_then(|answer| newer_version_notice(&answer, Version::own()));
                match answer {
                    Ok(Some(text)) if announced.as_ref() != Some(&text) => {
                        // If the previous notice is still queued, the next check tries again.
                        if sender.try_send(text.clone()).is_ok() {
                            announced = Some(text);
                            wake();
                        }
                    }
                    Ok(_) => {}
                    Err(error) => warn!(url, error, "failed to check for a newer version"),
                }
                if stop.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        thread::Builder::new().name("afterglow-updates".to_owned()).spawn(check)?;
        Ok(Self { notices, _stop: stop_sender })
    }

    /// Returns the notice of a newer version, once.
    pub fn take_notice(&self) -> Option<String> {
        self.notices.try_recv().ok()
    }
}

fn fetch(agent: &ureq::Agent, url: &str) -> Result<String, String> {
    let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
    let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
    body.map_err(|error| error.to_string())
}

/// Validates the address of the update check.
///
/// # Errors
/// A clause that says why the address is invalid.
pub fn update_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is not a valid address ({error})"))?;
    if url.scheme() != "http" || url.host_str().is_none() {
        return Err(format!(
            "{text:?} is not supported: use http://HOST/PATH of a server in your own network"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::Arc,
    };

    use super::*;

    const OWN: Version = Version([1, 2, 9]);

    #[test]
    fn only_a_newer_version_is_announced() {
        for (version, is_newer) in [
            ("1.2.8", false),
            ("1.2.9", false),
            ("1.2.10", true),
            ("1.10.0", true),
            ("2.0.0", true),
            ("0.9.9", false),
        ] {
            let notice = newer_version_notice(&format!("{{\"version\": \"{version}\"}}"), OWN).unwrap();
            assert_eq!(notice.is_some(), is_newer, "{version}");
        }
        let notice = newer_version_notice(
            "{\"version\": \"2.0.0\", \"page\": \"https://desk.example/afterglow\"}",
            OWN,
        )
        .unwrap();
        let expected =
            "Afterglow 2.0.0 is available; you have 1.2.9. Get it at https://desk.example/afterglow.";
        assert_eq!(notice.as_deref(), Some(expected));
    }

    #[test]
    fn an_invalid_announcement_is_rejected_with_the_reason() {
        for (answer, why) in [
            ("<html>", "expected"),
            ("{}", "version"),
            ("{\"version\": \"new\"}", "not a version"),
            ("{\"version\": \"1.2.3.4\"}", "not a version"),
            ("{\"version\": \"2.0.0\", \"page\": \"javascript:alert(1)\"}", "not a web address"),
        ] {
            let error = newer_version_notice(answer, OWN).unwrap_err();
            assert!(error.contains(why), "{answer}: {error}");
        }
        assert!(update_url("http://desk.example/afterglow.json").is_ok());
        for text in ["https://desk.example/", "file:///etc/passwd", "desk.example"] {
            assert!(update_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_newer_version_on_the_administrators_server_is_announced_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/afterglow.json", listener.local_addr().unwrap());
        let (wakes, woken) = mpsc::sync_channel(1);
        let wake: Wake = Arc::new(move || {
            wakes.try_send(()).ok();
        });
        let updates = Updates::start(url, wake).unwrap();
        let (mut client, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let read = client.read(&mut request).unwrap();
        assert!(request[..read].starts_with(b"GET /afterglow.json "));
        let body = "{\"version\": \"99.0.0\"}";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        client.write_all((head + body).as_bytes()).unwrap();
        woken.recv_timeout(Duration::from_secs(10)).unwrap();
        let notice = updates.take_notice().unwrap();
        assert!(notice.starts_with("Afterglow 99.0.0 is available; you have 0."), "{notice}");
        assert!(notice.ends_with("Ask your administrator for it."), "{notice}");
        assert_eq!(updates.take_notice(), None);
    }
}
