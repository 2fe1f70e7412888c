//! Runs the program in a folder of its own, with an environment of its own.

#![cfg(test)]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A folder to run in.
pub(crate) struct Home(TempDir);

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
    pub(crate) success: bool,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyway"));
        command
            .args(args)
            .env_clear()
            .current_dir(self.0.path())
            .env("KEYWAY_DATA_DIR", self.data())
            .env("KEYWAY_LISTEN", "127.0.0.1:0")
            .envs(env.iter().copied())
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, &[])
    }

    pub(crate) fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> Ended {
        let output = self.command(args, env).output().unwrap();
        Ended {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
            success: output.status.success(),
        }
    }

    /// Starts something that runs until it is told to stop.
    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        self.spawn_with(args, &[])
    }

    pub(crate) fn spawn_with(&self, args: &[&str], env: &[(&str, &str)]) -> Running {
        let mut child = self
            .command(args, env)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running { child, out }
    }
}

/// A running program; ended when dropped.
pub(crate) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    /// The next line of its output; waits for it.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "it ended instead of printing a line");
        line.trim_end().to_owned()
    }

    /// Waits until it listens.
    pub(crate) fn url(&mut self) -> String {
        let line = self.line();
        let url = line.strip_prefix("Listening on ");
        url.unwrap_or_else(|| panic!("unexpected: {line}"))
            .to_owned()
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and gives the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.ask_to_stop();
        self.ended()
    }

    /// Sends SIGTERM.
    pub(crate) fn ask_to_stop(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Waits for its end and gives the exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A key ring of one key.
pub(crate) fn hex_key(id: &str, byte: &str) -> String {
    format!("{id}:{}", byte.repeat(32))
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The status of a GET.
pub(crate) async fn get(url: &str, token: Option<&str>) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(
        clippy::disallowed_methods,
        reason = "a caller of the API, not of a provider"
    )]
    let request = reqwest::Client::new().get(url);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a caller of the API, not of a provider"
    )]
    let answer = request.send().await;
    answer.unwrap().status().as_u16()
}

/// Looks until it has happened.
pub(crate) async fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..600 {
        if condition() {
            return;
        }
        tick().await;
    }
    panic!("it did not happen");
}

/// Between two looks.
#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at other processes; how long it is does not matter"
)]
pub(crate) async fn tick() {
    tokio::time::sleep(Duration::from_millis(25)).await;
}

/// A caller of the API that does not wait for jobs.
pub(crate) struct Caller {
    url: String,
    key: String,
    client: reqwest::Client,
}

impl Caller {
    /// Where it calls: host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a caller of the API, not of a provider"
    )]
    pub(crate) fn new(url: String, key: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            url,
            key: key.to_owned(),
            client: reqwest::Client::new(),
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.url)).json(body);
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.send(self.client.get(format!("{}{path}", self.url)))
            .await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let request = request
            .bearer_auth(&self.key)
            .header("prefer", "respond-async");
        #[expect(
            clippy::disallowed_methods,
            reason = "a caller of the API, not of a provider"
        )]
        let answer = request.send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["data"].is_object(), "{answer}");
        answer["data"].clone()
    }
}
