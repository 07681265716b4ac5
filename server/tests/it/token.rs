//! The token reaches only the server that it belongs to.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;
use server::accounts::{TOKEN_FILE, is_proof};

use crate::{
    http_calls::call,
    program::{Served, error_message, program, stdout},
    support::TestServer,
};

/// A process that answers every request with the same text, and remembers what it was sent.
struct Listener {
    address: String,
    received: Arc<Mutex<String>>,
}

impl Listener {
    fn at(address: &str, answer: String) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::new(Mutex::new(String::new()));
        let kept = received.clone();
        thread::Builder::new()
            .name("listener".to_owned())
            .spawn(move || {
                for stream in listener.incoming() {
                    serve(stream.unwrap(), &answer, &kept);
                }
            })
            .unwrap();
        Self { address, received }
    }

    fn received(&self) -> String {
        self.received.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: &str, received: &Mutex<String>) {
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut bytes = [0; 4_096];
    let read = match stream.read(&mut bytes) {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
        Err(error) => panic!("{error}"),
    };
    received.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", answer.len());
    // A client may have gone.
    drop(write!(stream, "{head}connection: close\r\n\r\n{answer}"));
}

fn token_in(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(TOKEN_FILE)).unwrap().trim().to_owned()
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Served::start(folder.path());
    let proxy = Listener::at("127.0.0.1:0", "{}".to_owned());
    let mut list = program();
    list.args(["list", "--data-dir"]).arg(folder.path());
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"] {
        list.env(variable, format!("http://{}", proxy.address));
    }
    assert_eq!(stdout(&list.output().unwrap()), "");
    assert_eq!(proxy.received(), "");
}

/// After a crash, the file that names the server's address remains, and any process may get its port.
#[test]
fn a_process_that_takes_over_the_address_does_not_get_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Served::start(folder.path());
    let address = server.address.clone();
    let mut health = String::new();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    stream.read_to_string(&mut health).unwrap();
    let health = health.split("\r\n\r\n").nth(1).unwrap().to_owned();
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let impostor = Listener::at(&address, health);
    let token = token_in(folder.path());
    let listed = program().args(["list", "--data-dir"]).arg(folder.path()).output().unwrap();
    assert_eq!(stdout(&listed), "", "the command serves the folder itself");
    let token_file = folder.path().join(TOKEN_FILE);
    let mut connect = program();
    connect.args(["list", "--connect", &format!("http://{address}"), "--token-file"]).arg(token_file);
    let message = error_message(&connect.output().unwrap());
    assert!(message.contains(&address) && message.contains("token"), "{message}");
    let received = impostor.received();
    assert!(received.contains("GET /healthz?nonce="), "{received}");
    assert!(!received.contains(&token) && !received.to_lowercase().contains("authorization"), "{received}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_proves_that_it_knows_the_token() {
    let server = TestServer::start().await;
    let health = async |nonce: &str| {
        let url = format!("{}/healthz?nonce={nonce}", server.base());
        let (status, response) = call("GET", url, None, None).await;
        (status, serde_json::from_str::<Value>(response.body()).unwrap())
    };
    let (status, health_of_nonce) = health("000102030405060708090a0b0c0d0e0f").await;
    let proof = hex::decode(health_of_nonce["proof"].as_str().unwrap()).unwrap();
    let nonce: Vec<u8> = (0..16).collect();
    assert!(status == 200 && is_proof(&proof, server.running.token(), &nonce));
    for invalid in ["", "00", "zz", &"00".repeat(15), &"00".repeat(65), &"0".repeat(33)] {
        let (status, problem) = health(invalid).await;
        assert_eq!((status, &problem["code"]), (400, &Value::from("badMessage")), "{invalid}");
    }
    assert_eq!(health(&"ff".repeat(64)).await.0, 200);
}
