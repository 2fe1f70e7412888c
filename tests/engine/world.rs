//! A worker, a stand-in and a vault, on one of the two profiles.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keyway_shared::ambient::Ambient;
use keyway_shared::clock::ManualClock;
use keyway_shared::domain::access::EnvironmentRules;
use keyway_shared::domain::account::User;
use keyway_shared::domain::auto_sync::AutoSync;
use keyway_shared::domain::connection::{
    AuthMethod, Connection, ConnectionStatus, ProviderName, TokenPair, TokenState,
};
use keyway_shared::domain::job::{
    ErrorCode, Job, JobClass, JobKind, JobState, NewJob, project_key,
};
use keyway_shared::domain::link::Link;
use keyway_shared::domain::upkeep::Upkeep;
use keyway_shared::domain::vault::{Environment, EnvironmentKind, Vault};
use keyway_shared::entropy::SystemEntropy;
use keyway_shared::lifecycle::Lifecycle;
use keyway_shared::providers::registry::{ProviderSettings, Registry};
use keyway_shared::providers::vercel::VercelSettings;
use keyway_shared::providers::{Descriptor, Provider, Split};
use keyway_shared::queue::{Queue, RedisOptions, RedisQueue};
use keyway_shared::secret::Secret;
use keyway_shared::store::{JobFilter, SplitRecord, Store};
use keyway_shared::sync::options::{DeleteScope, Direction, SyncRequest};
use keyway_shared::sync::remote::Destination;
use keyway_simulator::vercel::{Preset, TOKEN};
use keyway_tests::database::{Database, Profile};
use keyway_tests::posing::Posing;
use keyway_tests::renewing::Renewing;
use keyway_tests::stand_in::StandIn;
use keyway_worker::{ManualWorker, RetryPolicy, WorkerContext, WorkerOptions};
use serde_json::Value;
use uuid::Uuid;

pub(crate) const PROJECT: &str = "prj_myapp";

pub(crate) struct World {
    pub(crate) vercel: StandIn,
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) ambient: Ambient,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) user: Uuid,
    pub(crate) vault: Uuid,
    pub(crate) environment: Uuid,
    pub(crate) connection: Uuid,
    /// Its time, where the test moves it.
    pub(crate) clock: Option<Arc<ManualClock>>,
    settings: ProviderSettings,
    /// In the place of the provider of its name.
    double: Option<Arc<dyn Provider>>,
    pub(crate) database: Database,
}

/// How a job ended.
pub(crate) struct Ended {
    pub(crate) job: Job,
    pub(crate) result: Value,
}

impl World {
    /// With a worker, on the machine's clock.
    pub(crate) async fn start(profile: Profile, preset: Preset) -> Self {
        let world = Self::prepare(profile, preset, None).await;
        world.start_worker("worker").await;
        world
    }

    /// With a worker, and a provider that can do what Vercel cannot.
    pub(crate) async fn start_posing(
        profile: Profile,
        preset: Preset,
        change: impl FnOnce(&mut Descriptor),
    ) -> (Self, Arc<Posing>) {
        let mut world = Self::prepare(profile, preset, None).await;
        let provider = world.pose(change);
        world.start_worker("worker").await;
        (world, provider)
    }

    /// Makes the provider one that can do what Vercel cannot, for workers that are started later.
    pub(crate) fn pose(&mut self, change: impl FnOnce(&mut Descriptor)) -> Arc<Posing> {
        let inner = self.providers().get(ProviderName::Vercel).unwrap();
        let provider = Arc::new(Posing::new(inner, change));
        self.double = Some(Arc::<Posing>::clone(&provider));
        provider
    }

    /// Without a worker, on a clock that stands until the test moves it.
    pub(crate) async fn start_manual(profile: Profile, preset: Preset) -> Self {
        let clock = Arc::new(ManualClock::new(Ambient::system().now()));
        Self::prepare(profile, preset, Some(clock)).await
    }

    async fn prepare(profile: Profile, preset: Preset, clock: Option<Arc<ManualClock>>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let vercel = StandIn::start(preset).await.unwrap();
        let ambient = match clock.clone() {
            Some(clock) => Ambient::new(clock, Arc::new(SystemEntropy)),
            None => Ambient::system(),
        };
        let database = Database::create(profile).await;
        let mut store = database.open(ambient.clone()).await;
        if clock.is_some() {
            store = store.with_manual_time();
        }
        let lifecycle = Lifecycle::new();
        let queue = connect(profile, &lifecycle).await;
        let settings = ProviderSettings {
            timeout: Duration::from_secs(2),
            vercel: VercelSettings {
                api_url: vercel.url(),
                web_url: vercel.url(),
                client_id: None,
                client_secret: None,
                integration_slug: None,
            },
            ..ProviderSettings::default()
        };
        let now = ambient.now();
        let user = User {
            id: ambient.new_id(),
            username: "ada".into(),
            operator: false,
            created_at: now,
        };
        let vault = Vault {
            id: ambient.new_id(),
            created_by: user.id,
            repo_owner: "acme".into(),
            repo_name: "my-app".into(),
            created_at: now,
            updated_at: now,
        };
        let environment = Environment {
            id: ambient.new_id(),
            vault_id: vault.id,
            name: "production".into(),
            kind: EnvironmentKind::Protected,
            rules: EnvironmentRules::default(),
            display_order: 0,
            revision: 0,
            created_at: now,
        };
        let connection = Connection {
            id: ambient.new_id(),
            user_id: user.id,
            provider: ProviderName::Vercel,
            provider_account_id: "usr_simulated".into(),
            provider_user_id: "usr_simulated".into(),
            provider_team_id: None,
            installation_id: None,
            token_kind: None,
            account_name: "ada".into(),
            auth_method: AuthMethod::Token,
            status: ConnectionStatus::Active,
            status_reason: None,
            token: TokenState::default(),
            created_at: now,
            updated_at: now,
        };
        let mut tx = store.begin().await.unwrap();
        tx.insert_user(&user).await.unwrap();
        tx.insert_vault(&vault, std::slice::from_ref(&environment))
            .await
            .unwrap();
        tx.upsert_connection(&connection, &Secret::new(TOKEN))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self {
            vercel,
            store,
            queue,
            ambient,
            lifecycle,
            user: user.id,
            vault: vault.id,
            environment: environment.id,
            connection: connection.id,
            clock,
            settings,
            double: None,
            database,
        }
    }

    fn providers(&self) -> Registry {
        let registry = Registry::new(&self.settings, self.ambient.clone()).unwrap();
        match self.double.clone() {
            Some(double) => registry.with(double),
            None => registry,
        }
    }

    /// Gives the vault's user a connection whose token ends in an hour and is renewed.
    pub(crate) async fn renew_tokens(&mut self) -> Arc<Renewing> {
        let inner = self.providers().get(ProviderName::Vercel).unwrap();
        let renewing = Arc::new(Renewing::new(inner, self.ambient.clone()));
        self.double = Some(Arc::<Renewing>::clone(&renewing));
        let mut tx = self.store.begin().await.unwrap();
        let ours = tx.find_connection(self.user, self.connection).await;
        let connection = Connection {
            id: self.ambient.new_id(),
            provider: ProviderName::Railway,
            ..ours.unwrap().unwrap()
        };
        let pair = renewing.authorize();
        let saved = tx.upsert_connection_with(&connection, &pair).await;
        self.connection = saved.unwrap().id;
        tx.commit().await.unwrap();
        renewing
    }

    /// Connects again.
    pub(crate) async fn give(&self, pair: &TokenPair) {
        let mut tx = self.store.begin().await.unwrap();
        let ours = tx.find_connection(self.user, self.connection).await;
        let ours = ours.unwrap().unwrap();
        tx.upsert_connection_with(&ours, pair).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn start_worker(&self, name: &str) {
        let context = self.worker(name).await;
        self.lifecycle.tracker.spawn(keyway_worker::run(context));
    }

    /// The same world, of which nothing but the database is left.
    pub(crate) async fn with_new_queue(self, profile: Profile) -> Self {
        let queue = connect(profile, &self.lifecycle).await;
        Self { queue, ..self }
    }

    /// A worker that the test drives.
    pub(crate) async fn manual_worker(&self, name: &str) -> ManualWorker {
        let mut context = self.worker(name).await;
        // The clock stands: whoever waits makes room, and comes back when it is moved.
        context.options.patience = Duration::ZERO;
        ManualWorker::new(context)
    }

    /// The same, with a lease of its own.
    pub(crate) async fn manual_worker_leasing(&self, name: &str, lease: Duration) -> ManualWorker {
        let mut context = self.worker(name).await;
        context.options.patience = Duration::ZERO;
        context.options.lease = lease;
        ManualWorker::new(context)
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.as_ref().unwrap().advance(by);
    }

    async fn worker(&self, name: &str) -> WorkerContext {
        WorkerContext {
            store: self.store.clone(),
            queue: self.queue.clone(),
            roles: None,
            providers: Arc::new(self.providers()),
            fingerprint_key: self.store.unlock().await.unwrap(),
            ambient: self.ambient.clone(),
            lifecycle: self.lifecycle.clone(),
            options: WorkerOptions {
                concurrency: 8,
                provider_timeout: Duration::from_secs(2),
                sweep_every: Duration::from_millis(20),
                retry: RetryPolicy {
                    first: Duration::from_millis(5),
                    ..RetryPolicy::default()
                },
                ..WorkerOptions::default()
            },
            name: format!("{name}-{}", self.ambient.new_id()),
        }
    }

    /// A job as it stands.
    pub(crate) async fn job(&self, id: Uuid) -> Job {
        let mut tx = self.store.begin_read().await.unwrap();
        tx.job_snapshot(id).await.unwrap().unwrap()
    }

    /// Adds a connection of the same user with another account.
    pub(crate) async fn connect(&self, account: &str, token: &str) -> Uuid {
        let now = self.ambient.now();
        let mut tx = self.store.begin().await.unwrap();
        let ours = tx.find_connection(self.user, self.connection).await;
        let other = Connection {
            id: self.ambient.new_id(),
            provider_account_id: account.into(),
            provider_user_id: account.into(),
            created_at: now,
            updated_at: now,
            ..ours.unwrap().unwrap()
        };
        let saved = tx.upsert_connection(&other, &Secret::new(token)).await;
        tx.commit().await.unwrap();
        saved.unwrap().id
    }

    /// Records a split of a row as begun, with production taken off it.
    pub(crate) async fn leave_split_open(&self, connection: Uuid, key: &str, row: &str) {
        let job = self.ambient.new_id();
        self.leave_split_of(job, connection, key, row).await;
    }

    /// The same, of a job that is known.
    pub(crate) async fn leave_split_of(&self, job: Uuid, connection: Uuid, key: &str, row: &str) {
        let destination = Destination {
            project_id: PROJECT.into(),
            owner_id: None,
            service_id: None,
            scope: "production".into(),
            custom: false,
            branch: None,
        };
        let record = SplitRecord {
            split: Split {
                id: self.ambient.new_id(),
                key: key.into(),
                row_id: row.into(),
                destination,
                kind: "encrypted".into(),
                prior: serde_json::json!({"target": ["production", "preview"]}),
            },
            project_key: project_key(ProviderName::Vercel, &self.vercel.url(), PROJECT),
            job_id: job,
            user_id: self.user,
            vault_id: self.vault,
            environment_id: self.environment,
            connection_id: connection,
        };
        let mut tx = self.store.begin().await.unwrap();
        tx.open_split(&record, self.ambient.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Makes the vault's environment hold exactly these.
    pub(crate) async fn set_vault(&self, secrets: &[(&str, &str)]) {
        let values: BTreeMap<String, Secret> = secrets
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Secret::new(*value)))
            .collect();
        let now = self.ambient.now();
        let mut tx = self.store.begin().await.unwrap();
        tx.replace_secrets(
            self.vault,
            self.environment,
            &values,
            true,
            Some(self.user),
            now,
            now,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// The vault's values now.
    pub(crate) async fn vault_values(&self) -> BTreeMap<String, String> {
        let mut tx = self.store.begin_read().await.unwrap();
        let snapshot = tx
            .read_environment(self.vault, self.environment)
            .await
            .unwrap();
        let values = snapshot.values.into_iter();
        values
            .map(|(key, value)| (key, value.expose().to_owned()))
            .collect()
    }

    /// A link with the project's production, as it is to be saved.
    pub(crate) fn link(&self, auto_sync: AutoSync) -> Link {
        let now = self.ambient.now();
        Link {
            id: self.ambient.new_id(),
            vault_id: self.vault,
            environment_id: self.environment,
            keyway_environment: "production".into(),
            connection_id: self.connection,
            provider: ProviderName::Vercel,
            project_id: PROJECT.into(),
            project_name: None,
            service_id: None,
            provider_environment: "production".into(),
            scope: "production".into(),
            git_branch: None,
            direction: Direction::Push,
            allow_delete: false,
            delete_scope: DeleteScope::Managed,
            allow_references: false,
            rollout: false,
            include: None,
            exclude: None,
            prefix: None,
            auto_sync,
            upkeep: Upkeep::default(),
            shared: false,
            api_key_id: None,
            last_synced_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    pub(crate) async fn save_link(&self, link: &Link) {
        let key = project_key(ProviderName::Vercel, &self.vercel.url(), PROJECT);
        let mut tx = self.store.begin().await.unwrap();
        tx.upsert_link(link, &key).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn find_link(&self, id: Uuid) -> Link {
        let mut tx = self.store.begin_read().await.unwrap();
        tx.find_link(self.vault, id).await.unwrap().unwrap()
    }

    /// The vault's jobs, oldest first.
    pub(crate) async fn jobs(&self) -> Vec<Job> {
        let mut tx = self.store.begin_read().await.unwrap();
        let filter = JobFilter::default();
        let (jobs, _) = tx.list_jobs(self.user, &filter, 100, 0).await.unwrap();
        jobs.into_iter().rev().map(|view| view.job).collect()
    }

    #[expect(clippy::unused_self, reason = "reads like its siblings")]
    pub(crate) fn request(&self, direction: Direction) -> SyncRequest {
        SyncRequest::new(PROJECT, "production", "production", direction)
    }

    /// Accepts a job and gives its id.
    pub(crate) async fn submit(&self, kind: JobKind, request: SyncRequest) -> Uuid {
        self.submit_with(kind, request, None).await
    }

    /// The same, with an API key.
    pub(crate) async fn submit_with(
        &self,
        kind: JobKind,
        request: SyncRequest,
        api_key_id: Option<Uuid>,
    ) -> Uuid {
        let id = self.ambient.new_id();
        let now = self.ambient.now();
        let canonical = request.project_id.starts_with("prj_") && kind == JobKind::Sync;
        let key = project_key(
            ProviderName::Vercel,
            &self.vercel.url(),
            &request.project_id,
        );
        let job = NewJob {
            id,
            kind,
            class: JobClass::Interactive,
            user_id: self.user,
            vault_id: self.vault,
            environment_id: self.environment,
            connection_id: self.connection,
            project_key: canonical.then_some(key),
            request,
            retry_of: None,
            api_key_id,
            asked: None,
            created_at: now,
            deadline_at: now + Duration::from_hours(1),
        };
        let mut tx = self.store.begin().await.unwrap();
        tx.insert_job(&job).await.unwrap();
        tx.commit().await.unwrap();
        self.queue.ring(id, JobClass::Interactive).await;
        id
    }

    /// Waits for a job's end.
    pub(crate) async fn ended(&self, id: Uuid) -> Ended {
        let waiter = self.queue.waiter(id);
        loop {
            let mut tx = self.store.begin_read().await.unwrap();
            let job = tx.job_snapshot(id).await.unwrap().unwrap();
            let report = tx.find_report(id).await.unwrap();
            drop(tx);
            if job.state.is_final() {
                let result = report.and_then(|report| report.result);
                return Ended {
                    job,
                    result: result.unwrap_or_default(),
                };
            }
            let _ = tokio::time::timeout(Duration::from_millis(200), waiter.changed()).await;
        }
    }

    /// Waits until a job was put aside.
    pub(crate) async fn waits(&self, id: Uuid) {
        self.reaches(id, |job| {
            job.state == JobState::Waiting && job.error_code == Some(ErrorCode::RateLimited)
        })
        .await;
    }

    /// Waits until a job runs.
    pub(crate) async fn runs(&self, id: Uuid) {
        self.reaches(id, |job| job.state == JobState::Running).await;
    }

    async fn reaches(&self, id: Uuid, is: impl Fn(&Job) -> bool) {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        loop {
            looks.tick().await;
            let mut tx = self.store.begin_read().await.unwrap();
            let job = tx.job_snapshot(id).await.unwrap().unwrap();
            drop(tx);
            assert!(!job.state.is_final(), "it ended before: {job:?}");
            if is(&job) {
                return;
            }
        }
    }

    pub(crate) async fn run(&self, kind: JobKind, request: SyncRequest) -> Ended {
        let id = self.submit(kind, request).await;
        self.ended(id).await
    }

    pub(crate) async fn push(&self) -> Ended {
        self.run(JobKind::Sync, self.request(Direction::Push)).await
    }

    pub(crate) fn production(&self, key: &str) -> Option<String> {
        self.vercel.value(PROJECT, key, "production", None)
    }

    pub(crate) async fn stop(self) {
        self.lifecycle.stop(std::future::pending()).await;
    }
}

/// A queue as a process has it that has just started. In Redis it is a new one.
async fn connect(profile: Profile, lifecycle: &Lifecycle) -> Queue {
    match profile {
        Profile::Embedded => Queue::local(),
        Profile::Production => {
            let redis = RedisQueue::connect(&RedisOptions {
                url: Secret::new(keyway_tests::database::redis_url()),
                prefix: format!("kwtest:{}:", Ambient::system().new_id()),
                startup_timeout: Duration::from_secs(5),
            })
            .await
            .unwrap();
            let listen = Some((&lifecycle.tracker, lifecycle.soft.clone()));
            Queue::redis(redis, listen)
        }
    }
}
