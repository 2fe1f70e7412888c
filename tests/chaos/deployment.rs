//! The service as it is run: its processes, what they need, and the network in between.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::caller::Caller;
use crate::database::Database;
use crate::ledger::Ledger;
use crate::program::Program;
use crate::proxy::Proxy;
use crate::servers::{Postgres, Redis, free_port};
use crate::simulator::Simulator;

const SCOPES: &str = "read:secrets,write:secrets,delete:secrets,admin:api-keys";

/// The ways of running it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `api` and two `worker` on Postgres and Redis.
    Production,
    /// `serve` on SQLite.
    Embedded,
}

/// A server with the way to it.
pub(crate) struct Via<S> {
    pub(crate) server: S,
    pub(crate) proxy: Proxy,
}

/// What only the production form has.
pub(crate) struct Servers {
    pub(crate) postgres: Via<Postgres>,
    pub(crate) redis: Via<Redis>,
}

pub(crate) struct Deployment {
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) to_provider: Proxy,
    pub(crate) servers: Option<Servers>,
    /// In the embedded form, everything.
    pub(crate) api: Program,
    pub(crate) workers: Vec<Program>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) database: Database,
    /// Last, so that it outlives the processes.
    folder: TempDir,
}

impl Deployment {
    pub(crate) async fn start(form: Form) -> Self {
        let folder = TempDir::with_prefix("keyway-chaos-").unwrap();
        let home = folder.path();
        let simulator = Simulator::start(home).await;
        // A job takes long enough for something to happen to it.
        simulator.set(&json!({ "latencyMs": 60 })).await;
        let to_provider = Proxy::to_a_provider(simulator.address()).await;
        let listen = format!("127.0.0.1:{}", free_port());
        let mut environment: Vec<(String, String)> = [
            ("KEYWAY_LISTEN", listen.as_str()),
            ("KEYWAY_LOG", "info"),
            ("KEYWAY_RATE_LIMIT", "0"),
            ("KEYWAY_WAITS_PER_CREDENTIAL", "0"),
            ("KEYWAY_LEASE", "2s"),
            ("KEYWAY_PROVIDER_TIMEOUT", "600ms"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        environment.push((
            "VERCEL_API_URL".to_owned(),
            format!("http://{}", to_provider.address()),
        ));
        environment.push((
            "KEYWAY_DATA_DIR".to_owned(),
            home.join("data").to_str().unwrap().to_owned(),
        ));
        let ledger = Arc::new(Ledger::default());
        let (servers, database, key, api, workers) = match form {
            Form::Embedded => {
                let mut serve = Program::new("serve", &["serve"], &environment, home);
                serve.start().await;
                let key = serve.said("API key: ").unwrap().to_owned();
                let database = Database::Sqlite(home.join("data/keyway.db"));
                (None, database, key, serve, Vec::new())
            }
            Form::Production => {
                let servers = Servers::start(home).await;
                let database = Database::Postgres(servers.postgres.server.url());
                servers.add_to(&mut environment);
                let run = |label: &str, arguments: &[&str]| {
                    Program::new(label, arguments, &environment, home)
                };
                run("migrate", &["migrate"]).output().await;
                let create = ["keys", "create", "--user", "ada", "--scopes", SCOPES];
                let key = run("keys", &create).output().await.trim().to_owned();
                let mut api = run("api", &["api"]);
                api.start().await;
                let mut workers = Vec::new();
                for label in ["worker-1", "worker-2"] {
                    workers.push(run(label, &["worker"]));
                }
                (Some(servers), database, key, api, workers)
            }
        };
        let url = format!("http://{listen}");
        let caller = Caller::new(&url, &key, Arc::clone(&ledger));
        Self {
            simulator: Arc::new(simulator),
            to_provider,
            servers,
            api,
            workers,
            ledger,
            caller: Arc::new(caller),
            database,
            folder,
        }
    }

    pub(crate) async fn start_workers(&mut self) {
        for worker in &mut self.workers {
            worker.start().await;
        }
    }

    /// Connects the account at the provider and gives the connection's id.
    pub(crate) async fn connect(&self) -> String {
        let body = json!({ "token": self.simulator.token() });
        let made = self
            .caller
            .insist("/v1/integrations/vercel/connect", &body)
            .await;
        made["connection"]["id"].as_str().unwrap().to_owned()
    }

    /// What any of the processes has said that contains this.
    pub(crate) fn logged(&self, text: &str) -> Vec<String> {
        let logs = self.workers.iter().map(Program::log);
        let logs = logs.chain([self.api.log(), self.simulator.log()]);
        let mut found = Vec::new();
        for log in logs {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            let lines = log.lines().filter(|line| line.contains(text));
            found.extend(lines.map(ToOwned::to_owned));
        }
        found
    }

    /// Leaves the logs to whoever has to find out what happened.
    pub(crate) fn keep_logs(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("logs: {}", self.keep_logs().display());
        }
    }
}

impl Servers {
    async fn start(home: &Path) -> Self {
        let postgres = Postgres::start(home).await;
        let to_postgres = Proxy::to(postgres.address()).await;
        let redis = Redis::start(home).await;
        let to_redis = Proxy::to(redis.address()).await;
        Self {
            postgres: Via {
                server: postgres,
                proxy: to_postgres,
            },
            redis: Via {
                server: redis,
                proxy: to_redis,
            },
        }
    }

    fn add_to(&self, environment: &mut Vec<(String, String)>) {
        let postgres = self.postgres.proxy.address();
        let redis = self.redis.proxy.address();
        let more = [
            (
                "DATABASE_URL",
                format!("postgres://postgres@{postgres}/postgres"),
            ),
            ("REDIS_URL", format!("redis://{redis}")),
            ("KEYWAY_ENCRYPTION_KEYS", format!("k1:{}", "ab".repeat(32))),
        ];
        environment.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
}
