//! A PostgreSQL server for tests, which ends with them.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use tokio_postgres::NoTls;

use crate::support::{PATIENCE, skipped};

/// Account that the server runs as if the tests run as root, which it refuses.
const SYSTEM_USER: &str = "postgres";
/// Prefix of the name of a server's folder; the process of the tests follows.
const FOLDER: &str = "afterglow-postgres-";

/// A running PostgreSQL server.
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    child: Child,
}

/// Returns the server that the tests share, unless PostgreSQL is not installed.
pub fn postgres() -> Option<&'static Postgres> {
    static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let (send, started) = mpsc::sync_channel(1);
        // The server ends with the thread that has started it.
        let start = move || {
            send.send(Postgres::start("shared")).unwrap();
            loop {
                thread::park();
            }
        };
        thread::Builder::new().name("postgres".to_owned()).spawn(start).unwrap();
        started.recv().unwrap()
    });
    if shared.is_none() {
        skipped("PostgreSQL (Debian: postgresql-15)");
    }
    shared.as_ref()
}

impl Postgres {
    /// Starts a server with an empty cluster. Returns `None` if PostgreSQL is not installed.
    pub fn start(name: &str) -> Option<Self> {
        Self::start_with(name, None)
    }

    /// Starts a server that encrypts connections with a certificate and its key, if they are named.
    pub fn start_with(name: &str, certificate: Option<(&Path, &Path)>) -> Option<Self> {
        let programs = programs()?;
        remove_leftovers();
        let folder = std::env::temp_dir().join(format!("{FOLDER}{}-{name}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        if let Some((user, group)) = system_user() {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let data = folder.join("data");
        let created = as_user(&programs.join("initdb"))
            .args(["-U", "afterglow", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(created.unwrap().success(), "initdb has failed");
        if let Some((certificate, key)) = certificate {
            for (from, to) in [(certificate, "server.crt"), (key, "server.key")] {
                let to = data.join(to);
                fs::copy(from, &to).unwrap();
                fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
                if let Some((user, group)) = system_user() {
                    chown(&to, Some(user), Some(group)).unwrap();
                }
            }
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let child = launch(&programs, &folder, port);
        let server = Self { programs, folder, port, child };
        server.wait_until_ready();
        Some(server)
    }

    /// Stops the server at once, as in a crash.
    pub fn stop(&mut self) {
        let stopped = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        assert!(stopped.unwrap().success());
        self.child.wait().unwrap();
    }

    /// Starts the server again.
    pub fn start_again(&mut self) {
        self.child = launch(&self.programs, &self.folder, self.port);
        self.wait_until_ready();
    }

    /// Creates a database, and returns its URL.
    pub async fn database(&self) -> String {
        static CREATED: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test{}", CREATED.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Runs statements in a database.
    pub async fn execute(&self, database: &str, statements: &str) {
        let url = if database.contains(':') { database.to_owned() } else { self.url(database) };
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(statements).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://afterglow@127.0.0.1:{}/{database}", self.port)
    }

    fn wait_until_ready(&self) {
        let started = Instant::now();
        loop {
            let asked = Command::new(self.programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status();
            if asked.unwrap().success() {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "PostgreSQL does not start");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn launch(programs: &Path, folder: &Path, port: u16) -> Child {
    let mut command = as_user(&programs.join("postgres"));
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port.to_string()]);
    // A server that is killed loses nothing of what the kernel has.
    for setting in
        ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=400", "log_min_messages=fatal"]
    {
        command.args(["-c", setting]);
    }
    if folder.join("data/server.key").exists() {
        command.args(["-c", "ssl=on"]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Returns the folder of PostgreSQL's programs, of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    let version = |folder: &PathBuf| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    folders.retain(|folder| folder.join("initdb").exists());
    folders.sort_by_key(version);
    folders.pop()
}

/// Returns the ids of the account that the server runs as, if it cannot run as the one of the tests.
fn system_user() -> Option<(u32, u32)> {
    let id = |flag: &str, name: &[&str]| {
        let output = Command::new("id").arg(flag).args(name).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().ok()
    };
    if id("-u", &[]) != Some(0) {
        return None;
    }
    Some((id("-u", &[SYSTEM_USER])?, id("-g", &[SYSTEM_USER])?))
}

/// Returns a command that runs a program as the server's account, and ends it with this thread.
fn as_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if let Some((user, group)) = system_user() {
        command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups"]);
    }
    command.arg("--").arg(program).current_dir("/").process_group(0);
    command
}

/// Removes the folders of tests that were killed.
fn remove_leftovers() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let Some(rest) = name.strip_prefix(FOLDER) else { continue };
        let process = rest.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            let removed: io::Result<()> = fs::remove_dir_all(entry.path());
            // Another run of the tests may do the same.
            removed.ok();
        }
    }
}
