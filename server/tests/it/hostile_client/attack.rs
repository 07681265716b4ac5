//! A hostile client: it connects, does something extreme, and connects again.

use std::time::Duration;

use fastrand::Rng;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::messages::Messages;

/// What is attacked.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: String,
    pub(super) token: String,
    pub(super) lists: Vec<String>,
}

pub(super) struct Attacker {
    target: Target,
    rng: Rng,
    messages: Messages,
}

/// The attack on a connection ends: the server has closed it, or the time is up.
struct Ended;

impl<E: std::error::Error> From<E> for Ended {
    fn from(_: E) -> Self {
        Ended
    }
}

impl Attacker {
    pub(super) fn new(target: Target, seed: u64) -> Self {
        let messages = Messages::new(target.lists.clone(), seed);
        Self { target, rng: Rng::with_seed(seed), messages }
    }

    pub(super) async fn attack(mut self) {
        loop {
            let Ok(stream) = TcpStream::connect(&self.target.address).await else {
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            let limit = Duration::from_millis(self.rng.u64(10..4_000));
            // Most connections end in the middle of something.
            let ended: Result<Result<(), Ended>, _> = timeout(limit, async {
                match self.rng.u8(..10) {
                    0..=5 => self.speak_websocket(stream).await,
                    6 | 7 => self.speak_http(stream).await,
                    8 => self.send_garbage(stream).await,
                    _ => self.stay_silent(stream).await,
                }
            })
            .await;
            drop(ended);
        }
    }

    async fn stay_silent(&mut self, mut stream: TcpStream) -> Result<(), Ended> {
        let begun = [
            "",
            "G",
            "GET /ws HTTP/1.1\r\nHost: localhost\r\n",
            "POST /api/v1/watchlists HTTP/1.1\r\nHost: ",
        ];
        stream.write_all(begun[self.rng.usize(..begun.len())].as_bytes()).await?;
        std::future::pending().await
    }

    async fn send_garbage(&mut self, mut stream: TcpStream) -> Result<(), Ended> {
        loop {
            let bytes: Vec<u8> = (0..self.rng.usize(1..4_096)).map(|_| self.rng.u8(..)).collect();
            stream.write_all(&bytes).await?;
        }
    }

    async fn speak_http(&mut self, mut stream: TcpStream) -> Result<(), Ended> {
        let reads = self.rng.bool();
        for _ in 0..self.rng.usize(1..20) {
            let (method, path, body) = self.messages.http();
            let length = match self.rng.u8(..10) {
                0 => self.rng.usize(..),
                1 => body.len() + self.rng.usize(1..1_000),
                _ => body.len(),
            };
            let token = if self.rng.u8(..20) == 0 { "wrong" } else { &self.target.token };
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
            if reads && stream.read(&mut vec![0; 64 * 1024]).await? == 0 {
                return Err(Ended);
            }
        }
        // Asks for whole watchlists and does not read them.
        sleep(Duration::from_secs(3)).await;
        Ok(())
    }

    async fn speak_websocket(&mut self, mut stream: TcpStream) -> Result<(), Ended> {
        let head = format!(
            "GET /ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: afterglow.v1.json\r\n\r\n",
            self.target.token
        );
        stream.write_all(head.as_bytes()).await?;
        let (read, mut write) = stream.into_split();
        // Some connections never read.
        let reading = self.rng.u8(..4) > 0;
        let reader = tokio::spawn(read_or_hold(read, reading));
        let client = if self.rng.bool() { Uuid::from_u128(self.rng.u128(..4)) } else { Uuid::new_v4() };
        let hello = format!(r#"{{"type":"hello","client":"{client}","app":"hostile/1"}}"#);
        if self.rng.u8(..20) > 0 {
            self.send_frame(&mut write, 0x81, hello.as_bytes()).await?;
        }
        let result = self.send_messages(&mut write).await;
        reader.abort();
        result
    }

    async fn send_messages(&mut self, write: &mut OwnedWriteHalf) -> Result<(), Ended> {
        // A connection repeats itself: floods of one kind find more than a mixture.
        let kind = self.rng.u8(..);
        let breaks_frames = self.rng.u8(..4) == 0;
        loop {
            match if breaks_frames { self.rng.u8(..40) } else { u8::MAX } {
                0 => {
                    let opcode = self.rng.u8(..);
                    let bytes: Vec<u8> = (0..self.rng.usize(..300)).map(|_| self.rng.u8(..)).collect();
                    self.send_frame(write, opcode, &bytes).await?;
                }
                1 => {
                    // A head of a frame that never ends.
                    let mut head = vec![0x81, 0xff];
                    head.extend_from_slice(&self.rng.u64(..).to_be_bytes());
                    write.write_all(&head).await?;
                }
                2 => {
                    self.send_frame(write, 0x01, b"{").await?;
                    for _ in 0..self.rng.usize(1..2_000) {
                        self.send_frame(write, 0x00, b" ").await?;
                    }
                }
                3 => self.send_frame(write, 0x89, b"ping").await?,
                _ => {
                    let message = self.messages.websocket(kind);
                    self.send_frame(write, 0x81, &message).await?;
                }
            }
        }
    }

    /// Sends a frame with a mask of zeros.
    async fn send_frame(
        &mut self,
        write: &mut OwnedWriteHalf,
        first: u8,
        payload: &[u8],
    ) -> Result<(), Ended> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..=125 => frame.push(0x80 | u8::try_from(length)?),
            length @ 126..=0xffff => {
                frame.push(0xfe);
                frame.extend_from_slice(&u16::try_from(length)?.to_be_bytes());
            }
            length => {
                frame.push(0xff);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        Ok(write.write_all(&frame).await?)
    }
}

async fn read_or_hold(mut read: OwnedReadHalf, reads: bool) {
    let mut buffer = vec![0; 64 * 1024];
    while reads && read.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {}
    std::future::pending::<()>().await;
}
