//! The program as a process that is killed, stopped and started again.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long a process may take to say that it is ready. Debug builds on a busy machine are slow.
const READY: Duration = Duration::from_mins(2);
/// How long it may take to end in order: more than its own patience.
const END: Duration = Duration::from_mins(1);

/// One process and its successors.
pub(crate) struct Program {
    label: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    running: Option<(Child, Lines<BufReader<ChildStdout>>)>,
    /// What it said when it was ready: its address, or its name.
    said: Vec<String>,
}

impl Program {
    pub(crate) fn new(
        label: &str,
        arguments: &[&str],
        environment: &[(String, String)],
        folder: &Path,
    ) -> Self {
        Self {
            label: label.to_owned(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            environment: environment.to_vec(),
            folder: folder.to_owned(),
            running: None,
            said: Vec::new(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyway"));
        command
            .args(&self.arguments)
            .env_clear()
            .current_dir(&self.folder)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.label))
    }

    fn log_file(&self) -> std::fs::File {
        let mut options = OpenOptions::new();
        options
            .create(true)
            .append(true)
            .open(self.log())
            .expect("a log file")
    }

    /// Runs to its end and gives what it printed.
    pub(crate) async fn output(&self) -> String {
        let mut command = self.command();
        let output = command.stderr(self.log_file()).output().await.unwrap();
        assert!(output.status.success(), "{} failed", self.label);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts it and waits until it is ready, as its last word says.
    pub(crate) async fn start(&mut self) {
        let mut command = self.command();
        let mut child = command
            .stderr(self.log_file())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        self.said.clear();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                self.said.push(line);
                let last = self.said.last().unwrap();
                if ["Listening on ", "Working as ", "Use it with: "]
                    .iter()
                    .any(|word| last.starts_with(word))
                {
                    return;
                }
            }
            panic!("{} ended instead of starting", self.label);
        };
        let started = tokio::time::timeout(READY, ready).await;
        assert!(started.is_ok(), "{} did not become ready", self.label);
        self.running = Some((child, lines));
    }

    /// The rest of the line that it said and that begins so.
    pub(crate) fn said(&self, beginning: &str) -> Option<&str> {
        self.said
            .iter()
            .find_map(|line| line.strip_prefix(beginning))
    }

    fn signal(&self, signal: Signal) {
        let (child, _) = self.running.as_ref().unwrap();
        let pid = Pid::from_raw(child.id().unwrap() as i32).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// `kill -9`: it does not get to do anything.
    pub(crate) async fn kill(&mut self) {
        let (mut child, _) = self.running.take().unwrap();
        child.kill().await.unwrap();
    }

    /// From one instruction to the next it stands still.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end, as a supervisor does. What went wrong, if anything did.
    pub(crate) async fn terminate(&mut self) -> Result<(), String> {
        self.signal(Signal::TERM);
        let (mut child, _) = self.running.take().unwrap();
        match tokio::time::timeout(END, child.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => Ok(()),
            Ok(status) => Err(format!("{} ended with {status:?}", self.label)),
            Err(_) => Err(format!("{} did not end when it was asked to", self.label)),
        }
    }
}
