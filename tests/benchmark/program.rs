//! The program under measurement, and clients of it and of the stand-in.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Utc};
use keyway_shared::ambient::Ambient;
use keyway_simulator::vercel::Vercel;
use keyway_tests::database::{Database, Profile, redis_url};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::processor::Used;
use crate::seed::Seed;

const KEYS: &str = "bench:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// The ways of running it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `serve` on SQLite.
    Embedded,
    /// `api` and `worker` on Postgres and Redis.
    Production,
}

impl Form {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded: one process, SQLite",
            Self::Production => "production: api + worker, Postgres + Redis",
        }
    }

    pub(crate) const fn profile(self) -> Profile {
        match self {
            Self::Embedded => Profile::Embedded,
            Self::Production => Profile::Production,
        }
    }
}

pub(crate) struct Program {
    form: Form,
    processes: Vec<Child>,
    folder: tempfile::TempDir,
    /// Dropped with the program.
    database: Option<Database>,
    provider: String,
    url: String,
    key: String,
    environment: Vec<(String, String)>,
}

impl Program {
    pub(crate) async fn start(form: Form, provider: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut program = Self {
            form,
            processes: Vec::new(),
            folder,
            database: None,
            provider: provider.to_owned(),
            url: String::new(),
            key: String::new(),
            environment: Vec::new(),
        };
        match form {
            Form::Embedded => {
                let lines = program.spawn(&["serve"], 2).await?;
                program.read(&lines);
            }
            Form::Production => {
                let database = Database::create_empty(Profile::Production).await;
                let prefix = format!("kwbench:{}:", Ambient::system().new_id());
                program.environment = vec![
                    ("DATABASE_URL".into(), database.url().to_owned()),
                    ("REDIS_URL".into(), redis_url()),
                    ("KEYWAY_ENCRYPTION_KEYS".into(), KEYS.into()),
                    ("KEYWAY_REDIS_PREFIX".into(), prefix),
                ];
                program.database = Some(database);
                program.output(&["migrate"]).await?;
                let scopes = "read:secrets,write:secrets,delete:secrets,admin:api-keys";
                let key = program
                    .output(&["keys", "create", "--user", "bench", "--scopes", scopes])
                    .await?;
                program.key = key.trim().to_owned();
                program.spawn(&["worker"], 0).await?;
                let lines = program.spawn(&["api"], 1).await?;
                program.read(&lines);
            }
        }
        program.ready().await?;
        Ok(program)
    }

    /// Its database, to be looked at and changed past it.
    pub(crate) async fn database(&self) -> anyhow::Result<Seed> {
        let (form, url) = if let Some(database) = &self.database {
            (Form::Production, database.url().to_owned())
        } else {
            let file = self.folder.path().join("keyway.db");
            (Form::Embedded, format!("sqlite://{}", file.display()))
        };
        Seed::open(form, &url).await
    }

    /// Ends it and starts it again on the same data: the time until it is ready.
    pub(crate) async fn restart(mut self) -> anyhow::Result<Duration> {
        for process in &mut self.processes {
            process.kill().await?;
        }
        self.processes.clear();
        let started = Instant::now();
        let lines = self.spawn(&["serve"], 1).await?;
        self.read(&lines);
        self.ready().await?;
        Ok(started.elapsed())
    }

    /// What it and those around it have used of the processors.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        let ids: Vec<u32> = self.processes.iter().filter_map(Child::id).collect();
        Used::by(&ids)
    }

    /// Resident memory in MB, of a process that has nothing to do.
    pub(crate) async fn idle_memory(&self) -> anyhow::Result<f64> {
        let id = self.processes[0].id().context("it runs")?;
        let status = tokio::fs::read_to_string(format!("/proc/{id}/status")).await?;
        let line = status.lines().find(|line| line.starts_with("VmRSS"));
        let kilobytes: f64 = line
            .and_then(|line| line.split_whitespace().nth(1))
            .context("VmRSS")?
            .parse()?;
        Ok(kilobytes / 1024.0)
    }

    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let mut client = Client {
            http: http(),
            url: self.url.clone(),
            key: self.key.clone(),
            connection: String::new(),
        };
        client.connection = client.connect(&json!({ "token": crate::token() })).await?;
        for repo in ["acme/large", "acme/many", "acme/overhead", "acme/backlog"] {
            client
                .post("/v1/vaults", &json!({ "repoFullName": repo }))
                .await?;
        }
        Ok(client)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/keyway");
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("KEYWAY_DATA_DIR", self.folder.path())
            .env("KEYWAY_LISTEN", "127.0.0.1:0")
            .env("KEYWAY_LOG", "warn")
            .env("KEYWAY_RATE_LIMIT", "0")
            .env("VERCEL_API_URL", &self.provider)
            .envs(self.environment.iter().cloned())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn output(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output().await?;
        anyhow::ensure!(output.status.success(), "{arguments:?} failed");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts a process and reads its first lines.
    async fn spawn(&mut self, arguments: &[&str], lines: usize) -> anyhow::Result<Vec<String>> {
        let mut child = self.command(arguments).spawn()?;
        let stdout = child.stdout.take().context("stdout")?;
        let mut reader = BufReader::new(stdout).lines();
        let mut read = Vec::new();
        while read.len() < lines {
            read.push(reader.next_line().await?.context("it ended early")?);
        }
        self.processes.push(child);
        Ok(read)
    }

    fn read(&mut self, lines: &[String]) {
        for line in lines {
            if let Some(key) = line.strip_prefix("API key: ") {
                key.trim().clone_into(&mut self.key);
            }
            if let Some(url) = line.strip_prefix("Listening on ") {
                url.trim().clone_into(&mut self.url);
            }
        }
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let client = http();
        for _ in 0..1000 {
            let answer = send(client.get(format!("{}/readyz", self.url))).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        anyhow::bail!("{} did not become ready", self.form.name())
    }
}

pub(crate) fn secrets(count: usize, version: usize) -> Value {
    (0..count)
        .map(|n| {
            (
                format!("SECRET_{n:04}"),
                json!(format!("value {n} of {version}")),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A caller of our API.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
    pub(crate) connection: String,
}

impl Client {
    /// The same caller, with a connection to this team.
    pub(crate) async fn of_team(&self, team: &str) -> anyhow::Result<Self> {
        let mut client = self.clone();
        client.connection = self
            .connect(&json!({ "token": crate::token(), "teamId": team }))
            .await?;
        Ok(client)
    }

    async fn connect(&self, body: &Value) -> anyhow::Result<String> {
        let connected = self.post("/v1/integrations/vercel/connect", body).await?;
        let id = connected["connection"]["id"].as_str();
        Ok(id.context("the connection's id")?.to_owned())
    }

    pub(crate) async fn set_vault(&self, repo: &str, secrets: &Value) -> anyhow::Result<()> {
        let body = json!({ "repoFullName": repo, "environment": "production", "secrets": secrets });
        self.post("/v1/secrets/push", &body).await?;
        Ok(())
    }

    /// Pushes, and gives how long that took and the report.
    pub(crate) async fn push(
        &self,
        repo: &str,
        project: &str,
    ) -> anyhow::Result<(Duration, Value)> {
        let path = format!("/v1/integrations/vaults/{repo}/sync");
        let body = json!({ "connectionId": self.connection, "projectId": project });
        let started = Instant::now();
        let report = self.post(&path, &body).await?;
        let took = started.elapsed();
        anyhow::ensure!(report["status"] == "success", "{report}");
        Ok((took, report))
    }

    pub(crate) async fn job(&self, id: &str) -> anyhow::Result<Value> {
        let request = self
            .http
            .get(format!("{}/v1/integrations/jobs/{id}", self.url))
            .bearer_auth(&self.key);
        let answer: Value = send(request).await?.error_for_status()?.json().await?;
        Ok(answer["data"].clone())
    }

    #[expect(clippy::unused_self, reason = "the clock of whoever is answered")]
    pub(crate) fn now(&self) -> DateTime<Utc> {
        Ambient::system().now()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.key)
            .json(body);
        let answer = send(request).await?;
        let status = answer.status();
        let answer: Value = answer.json().await?;
        anyhow::ensure!(status.is_success(), "{path}: {status} {answer}");
        Ok(answer["data"].clone())
    }
}

/// The same calls by a client that does nothing else: a list, and a create when there are two.
pub(crate) async fn floor(
    vercel: &Vercel,
    project: &str,
    count: usize,
    calls: usize,
) -> anyhow::Result<Duration> {
    let client = http();
    let url = format!("{}/v10/projects/{project}/env", vercel.url());
    // As ours does, it has its connection open.
    send(
        client
            .get(format!("{}/v2/user", vercel.url()))
            .bearer_auth(crate::token()),
    )
    .await?;
    let items: Vec<Value> = (0..count)
        .map(|n| {
            json!({ "key": format!("SECRET_{n:04}"), "value": format!("value {n}"),
                "type": "encrypted", "target": ["production"] })
        })
        .collect();
    let started = Instant::now();
    send(client.get(&url).bearer_auth(crate::token()))
        .await?
        .bytes()
        .await?;
    if calls > 1 {
        let create = client
            .post(format!("{url}?upsert=true"))
            .bearer_auth(crate::token())
            .json(&items);
        send(create).await?.error_for_status()?.bytes().await?;
    }
    Ok(started.elapsed())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client of ours, not of a provider"
)]
fn http() -> reqwest::Client {
    reqwest::Client::new()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client of ours, not of a provider"
)]
async fn send(request: reqwest::RequestBuilder) -> reqwest::Result<reqwest::Response> {
    request.send().await
}
