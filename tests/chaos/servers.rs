//! A Postgres and a Redis of our own, which can be shot. Never those that others use.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::dice::eventually;

const START: Duration = Duration::from_mins(1);

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
    /// Whom to be: Postgres refuses root.
    user: Option<(u32, u32)>,
}

impl Postgres {
    pub(crate) async fn start(folder: &Path) -> Self {
        let folder = folder.join("postgres");
        std::fs::create_dir(&folder).unwrap();
        let user = geteuid().is_root().then(unprivileged);
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
            // Whoever it is has to get there.
            let parent = folder.parent().unwrap();
            std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut postgres = Self {
            programs: programs(),
            folder,
            port: free_port(),
            child: None,
            user,
        };
        let data = postgres.folder.join("data");
        let made = postgres
            .command("initdb")
            .args(["-U", "postgres", "-A", "trust", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .await
            .unwrap();
        assert!(made.success(), "initdb failed");
        postgres.begin().await;
        postgres
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(&self.folder).kill_on_drop(true);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    pub(crate) fn address(&self) -> SocketAddr {
        local(self.port)
    }

    /// Past any proxy.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.address())
    }

    pub(crate) async fn begin(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.with_extension("log"))
            .unwrap();
        // A crash of the process does not need the disk.
        let child = self
            .command("postgres")
            .args(["-h", "127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "max_connections=200", "-c", "shared_buffers=32MB"])
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-k")
            .arg(&self.folder)
            .arg("-p")
            .arg(self.port.to_string())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let url = self.url();
        let up = eventually(START, || async {
            use sqlx::Connection as _;
            sqlx::PgConnection::connect(&url).await.is_ok()
        });
        assert!(up.await, "Postgres did not start");
    }

    /// As a crash would: sessions are cut, what was committed stays.
    pub(crate) async fn end(&mut self) {
        let mut child = self.child.take().unwrap();
        let pid = Pid::from_raw(child.id().unwrap() as i32).unwrap();
        kill_process(pid, Signal::QUIT).unwrap();
        child.wait().await.unwrap();
    }
}

/// Where Postgres' programs are.
fn programs() -> PathBuf {
    let path = environment("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path)
        .map(|folder| folder.join("initdb"))
        .find_map(|initdb| initdb.canonicalize().ok());
    let versions = ["/usr/lib/postgresql", "/opt/homebrew/opt"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin/initdb")));
    on_path
        .into_iter()
        .chain(versions)
        .find(|initdb| initdb.exists())
        .and_then(|initdb| Some(initdb.parent()?.to_owned()))
        .expect("PostgreSQL's initdb: start the tests with tests/run, which installs it")
}

/// Somebody who is not root: the numbers of `postgres` or `nobody`.
fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| {
            let line = users
                .lines()
                .find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            let uid = fields.next()?.parse().ok()?;
            Some((uid, fields.next()?.parse().ok()?))
        })
        .expect("a user postgres or nobody")
}

#[expect(
    clippy::disallowed_methods,
    reason = "how the suite is run, and where servers are, is told by tests/run"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) struct Redis {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Redis {
    pub(crate) async fn start(folder: &Path) -> Self {
        let mut redis = Self {
            folder: folder.to_owned(),
            port: free_port(),
            child: None,
        };
        redis.begin().await;
        redis
    }

    pub(crate) fn address(&self) -> SocketAddr {
        local(self.port)
    }

    /// It is empty each time.
    pub(crate) async fn begin(&mut self) {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port"])
            .arg(self.port.to_string())
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(&self.folder)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server: start the tests with tests/run, which installs it");
        self.child = Some(child);
        let address = self.address();
        let up = eventually(START, || async move { command(address, "PING").await });
        assert!(up.await, "Redis did not start");
    }

    pub(crate) async fn end(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    pub(crate) async fn flush(&self) {
        assert!(command(self.address(), "FLUSHALL").await);
    }
}

async fn command(address: SocketAddr, word: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    let mut answer = [0; 1];
    let asked = stream.write_all(format!("{word}\r\n").as_bytes()).await;
    asked.is_ok() && stream.read_exact(&mut answer).await.is_ok() && answer == *b"+"
}
