//! A TCP proxy that splits, delays and cuts connections at random.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use fastrand::Rng;

/// A proxy between one client and the server.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    rng: Mutex<Rng>,
    hostile: AtomicBool,
    cuts: AtomicU64,
    bytes: AtomicU64,
}

impl Proxy {
    pub fn start(server: SocketAddr, rng: Rng) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            rng: Mutex::new(rng),
            hostile: AtomicBool::new(true),
            cuts: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        let own = shared.clone();
        start("proxy", move || {
            for near in listener.incoming() {
                let Ok(near) = near else { continue };
                // If the server is down, the client's connection is closed, too.
                let Ok(far) = TcpStream::connect(server) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to, shared) =
                        (from.try_clone().unwrap(), to.try_clone().unwrap(), own.clone());
                    start("proxy-direction", move || shared.forward(from, to));
                }
            }
        });
        Self { address, shared }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set_hostile(&self, hostile: bool) {
        self.shared.hostile.store(hostile, Ordering::Relaxed);
    }

    /// Returns the number of cut connections.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn forward(&self, from: TcpStream, to: TcpStream) {
        // When either end closes, both are shut down.
        drop(self.forward_pieces(&from, &to));
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    }

    fn forward_pieces(&self, mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
        let mut buffer = [0; 4_096];
        loop {
            let length = self.rng.lock().unwrap().usize(1..buffer.len());
            let read = from.read(&mut buffer[..length])?;
            if read == 0 {
                return Ok(());
            }
            let (wait, cut) = {
                let mut rng = self.rng.lock().unwrap();
                let is_cut = self.hostile.load(Ordering::Relaxed) && rng.u32(..400) == 0;
                (rng.u64(..6), is_cut.then(|| rng.usize(..read)))
            };
            thread::park_timeout(Duration::from_millis(wait / 2));
            to.write_all(&buffer[..cut.unwrap_or(read)])?;
            self.bytes.fetch_add(read as u64, Ordering::Relaxed);
            if cut.is_some() {
                self.cuts.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(run).unwrap();
}
