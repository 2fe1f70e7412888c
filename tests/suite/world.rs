//! A user with a vault and a connection with a provider's stand-in, and a worker that the test drives.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use keyway_shared::domain::connection::ProviderName;
use keyway_tests::app::TestApp;
use keyway_tests::client::{Answer, Client};
use keyway_tests::database::Profile;
use keyway_tests::leaks;
use keyway_worker::{ManualWorker, WorkerContext, WorkerOptions};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::stage::{self, Stage};

pub(crate) const REPO: &str = "acme/my-app";
pub(crate) const SYNC: &str = "/v1/integrations/vaults/acme/my-app/sync";

pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) stage: Box<dyn Stage>,
    pub(crate) provider: ProviderName,
    pub(crate) me: Client,
    user: Uuid,
    pub(crate) connection: String,
    worker: ManualWorker,
}

impl World {
    pub(crate) async fn start(profile: Profile, provider: ProviderName) -> Self {
        let stage = stage::start(provider).await;
        let mut builder = TestApp::builder(profile);
        stage.configure(&mut builder.providers);
        let app = builder.start().await;
        let account = app.account("ada").await;
        let me = app.client(&account.token);
        me.post("/v1/vaults", json!({ "repoFullName": REPO }))
            .await
            .data(201);
        let mut world = Self {
            worker: worker(&app, "one").await,
            app,
            stage,
            provider,
            me,
            user: account.user.id,
            connection: String::new(),
        };
        world.connection = world.connect().await;
        world.stage.reset_calls();
        world
    }

    /// Connects with the token that may do everything, and gives the connection.
    async fn connect(&self) -> String {
        leaks::plant(self.stage.token());
        let connected = self.try_connect(self.stage.token()).await.data(200);
        let id = connected["connection"]["id"].as_str();
        id.expect("a connection").to_owned()
    }

    pub(crate) async fn try_connect(&self, token: &str) -> Answer {
        let path = format!("/v1/integrations/{}/connect", self.provider);
        let body = json!({ "token": token, "teamId": self.stage.team() });
        self.me.post(&path, body).await
    }

    /// What the provider can do, as `GET /v1/integrations` tells it.
    pub(crate) async fn capabilities(&self) -> Value {
        let data = self.app.anonymous().get("/v1/integrations").await.data(200);
        let providers = data["providers"].as_array().expect("providers").iter();
        let mut mine = providers.filter(|one| one["name"] == self.provider.as_str());
        mine.next().expect("this provider")["capabilities"].clone()
    }

    /// The vault has exactly these.
    pub(crate) async fn set_vault(&self, secrets: &[(&str, &str)]) {
        let secrets: Map<String, Value> = secrets
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let body = json!({ "repoFullName": REPO, "environment": "production", "secrets": secrets });
        self.me.post("/v1/secrets/push", body).await.data(200);
    }

    /// The values of the vault.
    pub(crate) async fn vault(&self) -> stage::Values {
        let mut tx = self.app.store.begin_read().await.expect("begins");
        let vault = tx.find_vault(self.user, "acme", "my-app").await;
        let vault = vault.expect("an answer").expect("a vault").vault.id;
        let environments = tx.list_environments(vault).await.expect("environments");
        let mut environments = environments.into_iter();
        let production = environments.find(|one| one.name == "production");
        let production = production.expect("production").id;
        let snapshot = tx.read_environment(vault, production).await;
        tx.commit().await.expect("commits");
        let values = snapshot.expect("a snapshot").values.into_iter();
        values
            .map(|(key, value)| (key, value.expose().to_owned()))
            .collect()
    }

    /// The fields of a sync, with some more.
    pub(crate) fn fields(&self, more: &Value) -> Value {
        let mut fields = self.stage.target();
        fields["connectionId"] = json!(self.connection);
        for (name, value) in more.as_object().expect("an object") {
            fields[name] = value.clone();
        }
        fields
    }

    /// Accepts a job, and gives its id.
    pub(crate) async fn submit(&self, more: &Value) -> Uuid {
        let later = self.me.clone().with("prefer", "respond-async");
        let accepted = later.post(SYNC, self.fields(more)).await.data(202);
        accepted["id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an id")
    }

    /// The document of a job.
    pub(crate) async fn job(&self, id: Uuid) -> Value {
        let path = format!("/v1/integrations/jobs/{id}");
        self.me.get(&path).await.data(200)
    }

    /// A run of a job by the worker that is there from the start.
    pub(crate) fn run(&self, id: Uuid) -> Pin<Box<impl Future<Output = ()>>> {
        Box::pin(self.worker.run(id))
    }

    /// Another worker, as after a crash.
    pub(crate) async fn another_worker(&self, name: &str) -> ManualWorker {
        worker(&self.app, name).await
    }

    /// Runs a job to its end; the clock is moved when it waits.
    pub(crate) async fn finish(&self, id: Uuid) -> Value {
        finish(self, &self.worker, id, || {}).await
    }

    /// The same; after each run it is looked at what there is.
    pub(crate) async fn finish_with(&self, id: Uuid, look: impl Fn()) -> Value {
        finish(self, &self.worker, id, look).await
    }

    /// A whole sync; gives the job, with its report.
    pub(crate) async fn sync(&self, more: &Value) -> Value {
        let id = self.submit(more).await;
        self.finish(id).await
    }

    /// A sync that succeeds; gives its report.
    pub(crate) async fn synced(&self, more: &Value) -> Value {
        let job = self.sync(more).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        job["result"].clone()
    }

    /// What a sync would do.
    pub(crate) async fn preview(&self, more: &Value) -> Value {
        let fields = self.fields(more);
        let fields = fields.as_object().expect("an object").iter();
        let query = fields.map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        });
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let later = self.me.clone().with("prefer", "respond-async");
        let path = format!("{SYNC}/preview?{query}");
        let accepted = later.get(&path).await.data(202);
        let id = accepted["id"].as_str().expect("an id").parse();
        let job = self.finish(id.expect("an id")).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        job["result"].clone()
    }
}

/// Runs a job to its end; the clock is moved when it waits.
pub(crate) async fn finish(
    world: &World,
    worker: &ManualWorker,
    id: Uuid,
    look: impl Fn(),
) -> Value {
    for _ in 0..20 {
        worker.run(id).await;
        look();
        let job = world.job(id).await;
        if job["finishedAt"].is_string() {
            return job;
        }
        world.app.advance(TimeDelta::minutes(2));
        worker.sweep().await.expect("sweeps");
    }
    panic!("it does not end: {}", world.job(id).await);
}

async fn worker(app: &TestApp, name: &str) -> ManualWorker {
    ManualWorker::new(WorkerContext {
        store: app.store.clone(),
        queue: app.queue.clone(),
        roles: None,
        providers: Arc::clone(&app.state.providers),
        fingerprint_key: app.store.unlock().await.expect("a key"),
        ambient: app.ambient.clone(),
        lifecycle: app.lifecycle.clone(),
        options: WorkerOptions {
            // What waits is handed back at once: the clock is the test's.
            patience: Duration::ZERO,
            ..WorkerOptions::default()
        },
        name: name.to_owned(),
    })
}
