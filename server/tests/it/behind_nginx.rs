//! A server behind nginx, with the configuration that the README gives.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::json;
use server::{settings::Settings, tls::create_self_signed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest};

use crate::{
    accounts::people::PASSWORD,
    support::{TestServer, skipped, wait_for},
    tls_client::{NAME, connect_tls},
};

/// A running nginx, which ends with the test.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // On SIGTERM it ends its workers, too.
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        self.0.wait().ok();
    }
}

/// Returns the settings of the server and the configuration of nginx that the README gives.
fn documented() -> (String, String) {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, behind) = readme.split_once("\nBehind nginx").unwrap();
    let mut blocks = behind.split("\n\n").skip(1).map(str::to_owned);
    (blocks.next().unwrap(), blocks.next().unwrap())
}

/// Starts nginx with a configuration, unless it is not installed.
fn start(folder: &Path, site: &str) -> Option<Nginx> {
    let found = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).exists())?;
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", folder.display()))
        .concat();
    let config = format!(
        "daemon off;\npid {0}/nginx.pid;\nerror_log {0}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n\
         {temporary}{site}\n}}\n",
        folder.display()
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config).unwrap();
    let child = Command::new(found).arg("-c").arg(&path).stderr(Stdio::null()).spawn().unwrap();
    Some(Nginx(child))
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_and_connect_through_nginx_as_the_readme_configures_it() {
    let folder = tempfile::tempdir().unwrap();
    let created =
        create_self_signed(&folder.path().join("tls"), &[NAME.to_owned()], server::clock::system()())
            .unwrap();
    let (settings, site) = documented();
    let settings: Settings = toml::from_str(&settings).unwrap();
    let server = TestServer::with(settings).await;
    let accounts = server.running.accounts();
    accounts.add(&accounts.local_caller(), ("ann", PASSWORD), false, [127, 0, 0, 1].into()).await.unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let site = [
        ("listen 443 ", format!("listen 127.0.0.1:{port} ")),
        ("/etc/ssl/desk.pem", created.certificate.display().to_string()),
        ("/etc/ssl/private/desk.key", created.key.display().to_string()),
        ("http://127.0.0.1:7878", server.running.url.clone()),
    ]
    .into_iter()
    .fold(site, |site, (documented, used)| {
        assert!(site.contains(documented), "{documented}");
        site.replace(documented, &used)
    });
    let Some(_nginx) = start(folder.path(), &site) else {
        return skipped("nginx (Debian: nginx-light)");
    };
    let tcp = || async { TcpStream::connect(("127.0.0.1", port)).await };
    drop(wait_for("nginx", async || tcp().await.ok()).await);
    let connect = || async { connect_tls(tcp().await.unwrap(), &created.authority, NAME).await.unwrap() };
    let body = json!({ "name": "ann", "password": PASSWORD }).to_string();
    let head = format!("POST /api/v1/session HTTP/1.1\r\nhost: {NAME}\r\nconnection: close");
    let mut stream = connect().await;
    let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("; HttpOnly; SameSite=Strict; Path=/; Secure\r\n"), "{answer}");
    let secret = answer.split("afterglow_session=").nth(1).unwrap().split(';').next().unwrap();
    for (origin, status) in [(NAME, 101), ("other.example", 403)] {
        let mut request = format!("wss://{NAME}/ws").into_client_request().unwrap();
        for (name, value) in [
            ("cookie", format!("afterglow_session={secret}")),
            ("origin", format!("https://{origin}")),
            ("sec-websocket-protocol", "afterglow.v1.json".to_owned()),
        ] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let answered = match client_async(request, connect().await).await {
            Ok((_socket, response)) => response.status().as_u16(),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(answered, status, "{origin}");
    }
}
