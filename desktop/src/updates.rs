//! Whether there is a newer version. It is asked for only where an administrator has said where: a server of theirs answers
//! with JSON, `{"version": "1.2.3", "page": "https://..."}`, of which `page` may be left out.

use std::{
    fmt,
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread,
    time::Duration,
};

use serde::Deserialize;
use tracing::warn;
use url::Url;

use crate::Wake;

/// How often it is asked for.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an answer may take, and how long it may be in bytes.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST: u64 = 16 * 1024;

/// A version of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u32; 3]);

impl Version {
    /// Reads `MAJOR.MINOR.PATCH`.
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

/// Reads what was announced and gives what is to be said of it, where it is newer than `own`.
fn newer(answer: &str, own: Version) -> Result<Option<String>, String> {
    let Announcement { version, page } = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    let version = Version::read(&version).ok_or_else(|| format!("{version:?} is no version, as 1.2.3"))?;
    let page = page.map(|page| {
        let url = Url::parse(&page).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| format!("{page:?} is no address of a page"))
    });
    let page = page.transpose()?;
    Ok((version > own).then(|| {
        let place =
            page.map_or_else(|| "Your administrator has it".to_owned(), |page| format!("It is at {page}"));
        format!("Afterglow {version} can be had; this is {own}. {place}.")
    }))
}

/// Asks from time to time, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Updates {
    found: Receiver<String>,
    _asks: SyncSender<()>,
}

impl Updates {
    /// Asks at once, and then every day. `wake` is called where there is something to say.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn follow(url: String, wake: Wake) -> std::io::Result<Self> {
        let (sender, found) = mpsc::sync_channel(1);
        let (asks, stop) = mpsc::sync_channel::<()>(0);
        let ask = move || {
            let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE));
            let agent = ureq::Agent::new_with_config(config.build());
            let mut said = None;
            loop {
                let answer = fetch(&agent, &url).and_then(|answer| newer(&answer, Version::own()));
                match answer {
                    Ok(Some(text)) if said.as_ref() != Some(&text) => {
                        // Where the one before was not taken yet it is told the next time.
                        if sender.try_send(text.clone()).is_ok() {
                            said = Some(text);
                            wake();
                        }
                    }
                    Ok(_) => {}
                    Err(error) => warn!(url, error, "whether there is a newer version cannot be found out"),
                }
                if stop.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        thread::Builder::new().name("afterglow-updates".to_owned()).spawn(ask)?;
        Ok(Self { found, _asks: asks })
    }

    /// What is to be said, once.
    pub fn take(&self) -> Option<String> {
        self.found.try_recv().ok()
    }
}

fn fetch(agent: &ureq::Agent, url: &str) -> Result<String, String> {
    let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
    let body = response.body_mut().with_config().limit(LONGEST).read_to_string();
    body.map_err(|error| error.to_string())
}

/// Reads the address to ask at.
///
/// # Errors
/// What is wrong with it, as half a sentence.
pub fn update_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is no address ({error})"))?;
    if url.scheme() != "http" || url.host_str().is_none() {
        return Err(format!(
            "{text:?} cannot be asked: write http://HOST/PATH, of a server in your own network"
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
    fn only_a_newer_version_is_told() {
        for (version, is_newer) in [
            ("1.2.8", false),
            ("1.2.9", false),
            ("1.2.10", true),
            ("1.10.0", true),
            ("2.0.0", true),
            ("0.9.9", false),
        ] {
            let said = newer(&format!("{{\"version\": \"{version}\"}}"), OWN).unwrap();
            assert_eq!(said.is_some(), is_newer, "{version}");
        }
        let said =
            newer("{\"version\": \"2.0.0\", \"page\": \"https://desk.example/afterglow\"}", OWN).unwrap();
        let words = "Afterglow 2.0.0 can be had; this is 1.2.9. It is at https://desk.example/afterglow.";
        assert_eq!(said.as_deref(), Some(words));
    }

    #[test]
    fn what_is_no_announcement_is_refused_with_the_reason() {
        for (answer, why) in [
            ("<html>", "expected"),
            ("{}", "version"),
            ("{\"version\": \"new\"}", "no version"),
            ("{\"version\": \"1.2.3.4\"}", "no version"),
            ("{\"version\": \"2.0.0\", \"page\": \"javascript:alert(1)\"}", "no address"),
        ] {
            let said = newer(answer, OWN).unwrap_err();
            assert!(said.contains(why), "{answer}: {said}");
        }
        assert!(update_url("http://desk.example/afterglow.json").is_ok());
        for text in ["https://desk.example/", "file:///etc/passwd", "desk.example"] {
            assert!(update_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_administrators_server_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/afterglow.json", listener.local_addr().unwrap());
        let (wakes, woken) = mpsc::sync_channel(1);
        let wake: Wake = Arc::new(move || {
            wakes.try_send(()).ok();
        });
        let updates = Updates::follow(url, wake).unwrap();
        let (mut asked, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let read = asked.read(&mut request).unwrap();
        assert!(request[..read].starts_with(b"GET /afterglow.json "));
        let body = "{\"version\": \"99.0.0\"}";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        asked.write_all((head + body).as_bytes()).unwrap();
        woken.recv_timeout(Duration::from_secs(10)).unwrap();
        let said = updates.take().unwrap();
        assert!(said.starts_with("Afterglow 99.0.0 can be had; this is 0."), "{said}");
        assert!(said.ends_with("Your administrator has it."), "{said}");
        assert_eq!(updates.take(), None);
    }
}
