//! A user with a vault and a connection with a stand-in of Vercel, and a worker that does what the
//! test says.

use std::sync::Arc;
use std::time::Duration;

use keyway_shared::domain::connection::{AuthMethod, Connection};
use keyway_shared::domain::job::{ErrorCode, Job, JobClass, JobState};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Claim, Settlement};
use keyway_simulator::vercel::{
    CLIENT_ID, CLIENT_SECRET, Preset, SIGNATURE, SLUG, Signed, TOKEN, USER,
};
use keyway_tests::app::{Account, AppBuilder, TestApp};
use keyway_tests::client::{Answer, Client};
use keyway_tests::database::Profile;
use keyway_tests::stand_in::StandIn;
use keyway_worker::{ManualWorker, RetryPolicy, WorkerContext, WorkerOptions};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Base of the vault's syncs.
pub(crate) const SYNC: &str = "/v1/integrations/vaults/acme/my-app/sync";
/// Where Vercel tells of removed installations.
const NOTICES: &str = "/v1/integrations/vercel/webhook";

pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) vercel: StandIn,
    /// The vault's admin.
    pub(crate) account: Account,
    pub(crate) me: Client,
    /// Of that user.
    pub(crate) connection: Uuid,
}

impl World {
    pub(crate) async fn start(profile: Profile) -> Self {
        Self::start_with(profile, |_| {}).await
    }

    pub(crate) async fn start_with(profile: Profile, change: impl FnOnce(&mut AppBuilder)) -> Self {
        let vercel = StandIn::start(Preset::LivedIn).await.expect("a stand-in");
        let mut builder = TestApp::builder(profile);
        let settings = &mut builder.providers.vercel;
        settings.api_url = vercel.url();
        settings.web_url = vercel.url();
        settings.client_id = Some(CLIENT_ID.to_owned());
        settings.client_secret = Some(Secret::new(CLIENT_SECRET));
        settings.integration_slug = Some(SLUG.to_owned());
        change(&mut builder);
        let app = builder.start().await;
        let account = app.account("ada").await;
        let me = app.client(&account.token);
        me.post("/v1/vaults", json!({ "repoFullName": "acme/my-app" }))
            .await
            .data(201);
        let connection = connect(&me).await;
        Self {
            app,
            vercel,
            account,
            me,
            connection,
        }
    }

    /// A sync's fields.
    pub(crate) fn fields(&self) -> Value {
        json!({ "connectionId": self.connection, "projectId": "prj_myapp" })
    }

    /// The same as a query.
    pub(crate) fn query(&self, call: &str) -> String {
        format!(
            "{SYNC}/{call}?connectionId={}&projectId=prj_myapp",
            self.connection
        )
    }

    /// What a browser does at the provider: it agrees for the user's own account, and is told where
    /// to go next.
    pub(crate) async fn through_the_provider(&self, path: &str, callback: &str) -> String {
        self.allowing(path, callback, USER).await
    }

    /// The same for an account of one's choice; for none, it declines.
    #[expect(clippy::disallowed_methods, reason = "the test is the browser")]
    pub(crate) async fn allowing(&self, path: &str, callback: &str, scope: &str) -> String {
        let browser = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a browser");
        let callback = format!("{}{callback}", self.app.url());
        browser
            .post(format!("{}/_simulator/settings", self.vercel.url()))
            .json(&json!({ "callback": callback }))
            .send()
            .await
            .expect("settings");
        let answer = browser
            .get(format!("{}{path}&scope={scope}", self.vercel.url()))
            .send()
            .await
            .expect("an answer");
        let location = answer.headers().get("location").expect("a redirect");
        location.to_str().expect("text").to_owned()
    }

    /// Makes the connection one by OAuth, and gives the installation.
    pub(crate) async fn install(&self) -> String {
        let (token, installation) = self.vercel.install();
        self.connect_installation(&installation, &token).await;
        installation
    }

    /// Connects the same account again, with an installation.
    pub(crate) async fn connect_installation(&self, installation: &str, token: &str) {
        let mut tx = self.app.store.begin().await.expect("begins");
        let known = tx.find_connection(self.account.user.id, self.connection);
        let connection = Connection {
            installation_id: Some(installation.to_owned()),
            token_kind: None,
            auth_method: AuthMethod::OAuth,
            ..known.await.expect("an answer").expect("a connection")
        };
        let saved = tx.upsert_connection(&connection, &Secret::new(token)).await;
        assert_eq!(saved.expect("is saved").id, self.connection);
        tx.commit().await.expect("commits");
    }

    /// What Vercel sends to the integration's webhook.
    pub(crate) async fn notice(&self, signed: &Signed) -> Answer {
        let vercel = self.app.anonymous().with(SIGNATURE, &signed.signature);
        let vercel = vercel.with("content-type", "application/json");
        let body = signed.body.clone().into_bytes();
        vercel.send(Method::POST, NOTICES, Some(body)).await
    }

    /// The next job of a class that the bell rings for.
    pub(crate) async fn rung(&self, class: JobClass) -> Uuid {
        loop {
            if let Some(rung) = self.app.queue.pop(class).await {
                return rung;
            }
        }
    }

    /// Takes the next job that the bell rings for.
    pub(crate) async fn take(&self) -> Job {
        let id = self.rung(JobClass::Interactive).await;
        let mut tx = self.app.store.begin().await.expect("begins");
        let lease = self.app.ambient.new_id();
        let claim = tx
            .claim_job(id, "test", lease, Duration::from_secs(30))
            .await
            .expect("claims");
        tx.commit().await.expect("commits");
        match claim {
            Claim::Taken(job) => *job,
            other => panic!("{other:?}"),
        }
    }

    /// Starts a real worker, for an app on the machine's clock. Pauses between attempts are short.
    pub(crate) async fn work(&self) {
        let context = self.worker().await;
        self.app
            .lifecycle
            .tracker
            .spawn(keyway_worker::run(context));
    }

    /// A worker that the test drives, for an app whose clock the test moves.
    pub(crate) async fn manual_worker(&self) -> ManualWorker {
        ManualWorker::new(self.worker().await)
    }

    async fn worker(&self) -> WorkerContext {
        let app = &self.app;
        WorkerContext {
            store: app.store.clone(),
            queue: app.queue.clone(),
            roles: app.state.roles.clone(),
            providers: Arc::clone(&app.state.providers),
            fingerprint_key: app.store.unlock().await.expect("a key"),
            ambient: app.ambient.clone(),
            lifecycle: app.lifecycle.clone(),
            options: WorkerOptions {
                sweep_every: Duration::from_millis(20),
                // A job that meets a limit is seen to wait, however fast or slow the machine is.
                patience: Duration::from_millis(100),
                retry: RetryPolicy {
                    first: Duration::from_millis(5),
                    ..RetryPolicy::default()
                },
                ..WorkerOptions::default()
            },
            name: format!("worker-{}", app.ambient.new_id()),
        }
    }

    /// The document of a job, once a worker has ended it.
    pub(crate) async fn ended(&self, path: &str) -> Value {
        let id = path.rsplit('/').next().unwrap_or_default();
        let waiter = self.app.queue.waiter(id.parse().expect("an id"));
        loop {
            let job = self.me.get(path).await.data(200);
            if job["finishedAt"].is_string() {
                return job;
            }
            let _ = tokio::time::timeout(Duration::from_millis(200), waiter.changed()).await;
        }
    }

    /// Ends a job that was taken.
    pub(crate) async fn settle(
        &self,
        job: &Job,
        state: JobState,
        error: Option<(ErrorCode, &str)>,
        result: Option<Value>,
    ) {
        let outcome = json!([{ "key": "A", "action": "create", "reason": "missing",
            "code": null, "message": null }]);
        let mut tx = self.app.store.begin().await.expect("begins");
        let settled = tx
            .settle_job(&Settlement {
                id: job.id,
                lease_id: job.lease_id.expect("a lease"),
                state,
                error_code: error.map(|(code, _)| code),
                error: error.map(|(_, text)| text.to_owned()),
                provider_calls_add: 1,
                rate_limited_ms_add: 0,
                progress_done: 1,
                progress_total: 1,
            })
            .await
            .expect("settles");
        assert!(settled.is_some());
        let outcomes = (state == JobState::Succeeded).then_some(&outcome);
        tx.write_report(job.id, outcomes, result.as_ref())
            .await
            .expect("is written");
        tx.commit().await.expect("commits");
        self.app.queue.announce(job.id).await;
    }
}

/// Connects the user with the stand-in.
pub(crate) async fn connect(client: &Client) -> Uuid {
    let connected = client
        .post("/v1/integrations/vercel/connect", json!({ "token": TOKEN }))
        .await
        .data(200);
    id(&connected["connection"]["id"])
}

pub(crate) fn id(value: &Value) -> Uuid {
    value.as_str().unwrap_or_default().parse().expect("an id")
}
