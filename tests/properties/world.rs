//! The code under test around the model: store, client, planner and engine are the real ones; time
//! moves only when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use keyway_shared::ambient::Ambient;
use keyway_shared::clock::ManualClock;
use keyway_shared::domain::access::EnvironmentRules;
use keyway_shared::domain::account::User;
use keyway_shared::domain::connection::{
    AuthMethod, Connection, ConnectionStatus, ProviderName, TokenState,
};
use keyway_shared::domain::job::{
    ErrorCode, Job, JobClass, JobKind, JobState, NewJob, project_key,
};
use keyway_shared::domain::report::KeyOutcome;
use keyway_shared::domain::vault::{Environment, EnvironmentKind, Vault};
use keyway_shared::entropy::SeededEntropy;
use keyway_shared::lifecycle::Lifecycle;
use keyway_shared::providers::registry::{ProviderSettings, Registry};
use keyway_shared::providers::vercel::VercelSettings;
use keyway_shared::queue::Queue;
use keyway_shared::secret::Secret;
use keyway_shared::store::Store;
use keyway_shared::sync::options::SyncRequest;
use keyway_tests::database::{Database, Profile};
use keyway_worker::{ManualWorker, WorkerContext, WorkerOptions};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::case::Value;
use crate::provider::{Provider, TOKEN};
use crate::server;

/// Rounds of claim, run and wait after which a job should have ended.
const ROUNDS: usize = 100;

pub(crate) struct World {
    pub(crate) provider: Provider,
    pub(crate) store: Store,
    ambient: Ambient,
    clock: Arc<ManualClock>,
    context: WorkerContext,
    worker: ManualWorker,
    origin: String,
    user: Uuid,
    connection: Uuid,
    projects: usize,
    _database: Database,
}

/// A vault and a project of one case.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) vault: Uuid,
    /// The environment that is synced.
    pub(crate) ours: Uuid,
    /// One that pushes to the same destination.
    pub(crate) rival: Uuid,
    pub(crate) project: String,
    pub(crate) project_key: String,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) state: JobState,
    pub(crate) code: Option<&'static str>,
    pub(crate) outcomes: Vec<KeyOutcome>,
    pub(crate) result: Json,
}

impl World {
    pub(crate) async fn start() -> Self {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let clock = Arc::new(ManualClock::new(now));
        let ambient = Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1)));
        let lifecycle = Lifecycle::new();
        let provider = Provider::default();
        let origin = server::listen(&provider, &lifecycle.tracker).await.unwrap();
        let database = Database::create(Profile::Embedded).await;
        let store = database.open(ambient.clone()).await.with_manual_time();
        let settings = ProviderSettings {
            timeout: Duration::from_secs(10),
            vercel: VercelSettings {
                api_url: origin.clone(),
                ..VercelSettings::default()
            },
            ..ProviderSettings::default()
        };
        let context = WorkerContext {
            store: store.clone(),
            queue: Queue::local(),
            roles: None,
            providers: Arc::new(Registry::new(&settings, ambient.clone()).unwrap()),
            fingerprint_key: store.unlock().await.unwrap(),
            ambient: ambient.clone(),
            lifecycle,
            options: WorkerOptions {
                // The clock stands: whoever waits makes room, and comes back when it is moved.
                patience: Duration::ZERO,
                ..WorkerOptions::default()
            },
            name: "first".to_owned(),
        };
        let user = User {
            id: ambient.new_id(),
            username: "ada".into(),
            operator: false,
            created_at: now,
        };
        let connection = Connection {
            id: ambient.new_id(),
            user_id: user.id,
            provider: ProviderName::Vercel,
            provider_account_id: "usr_1".into(),
            provider_user_id: "usr_1".into(),
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
        tx.upsert_connection(&connection, &Secret::new(TOKEN))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self {
            worker: ManualWorker::new(context.clone()),
            provider,
            store,
            ambient,
            clock,
            context,
            origin,
            user: user.id,
            connection: connection.id,
            projects: 0,
            _database: database,
        }
    }

    /// A new vault and a new project, both empty.
    pub(crate) async fn place(&mut self) -> Place {
        self.projects += 1;
        let project = format!("prj_{}", self.projects);
        let now = self.ambient.now();
        let vault = Vault {
            id: self.ambient.new_id(),
            created_by: self.user,
            repo_owner: "acme".into(),
            repo_name: project.clone(),
            created_at: now,
            updated_at: now,
        };
        let environment = |name: &str| Environment {
            id: self.ambient.new_id(),
            vault_id: vault.id,
            name: name.into(),
            kind: EnvironmentKind::Standard,
            rules: EnvironmentRules::default(),
            display_order: 0,
            revision: 0,
            created_at: now,
        };
        let environments = [environment("ours"), environment("rival")];
        let mut tx = self.store.begin().await.unwrap();
        tx.insert_vault(&vault, &environments).await.unwrap();
        tx.commit().await.unwrap();
        self.provider.state().project.clone_from(&project);
        Place {
            vault: vault.id,
            ours: environments[0].id,
            rival: environments[1].id,
            project_key: project_key(ProviderName::Vercel, &self.origin, &project),
            project,
        }
    }

    /// Makes an environment of the vault hold exactly these.
    pub(crate) async fn set_vault(
        &self,
        place: &Place,
        environment: Uuid,
        values: &BTreeMap<String, Value>,
    ) {
        let secrets = values
            .iter()
            .map(|(key, value)| (key.clone(), Secret::new(value.text())));
        let (secrets, now) = (secrets.collect(), self.ambient.now());
        let mut tx = self.store.begin().await.unwrap();
        tx.replace_secrets(
            place.vault,
            environment,
            &secrets,
            true,
            Some(self.user),
            now,
            now,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn vault(&self, place: &Place) -> BTreeMap<String, String> {
        let mut tx = self.store.begin_read().await.unwrap();
        let snapshot = tx.read_environment(place.vault, place.ours).await.unwrap();
        assert!(
            snapshot.corrupt.is_empty(),
            "damaged: {:?}",
            snapshot.corrupt
        );
        let values = snapshot.values.into_iter();
        values
            .map(|(key, value)| (key, value.expose().to_owned()))
            .collect()
    }

    /// Keys of splits that are on record as open.
    pub(crate) async fn open_splits(&self, place: &Place) -> BTreeSet<String> {
        let mut tx = self.store.begin_read().await.unwrap();
        let open = tx.open_splits(&place.project_key).await.unwrap();
        open.into_iter().map(|record| record.split.key).collect()
    }

    /// Accepts a job.
    pub(crate) async fn submit(
        &self,
        place: &Place,
        environment: Uuid,
        kind: JobKind,
        request: SyncRequest,
    ) -> Uuid {
        let now = self.ambient.now();
        let canonical = kind == JobKind::Sync && request.project_id == place.project;
        let job = NewJob {
            id: self.ambient.new_id(),
            kind,
            class: JobClass::Interactive,
            user_id: self.user,
            vault_id: place.vault,
            environment_id: environment,
            connection_id: self.connection,
            project_key: canonical.then(|| place.project_key.clone()),
            request,
            retry_of: None,
            api_key_id: None,
            asked: None,
            created_at: now,
            deadline_at: now + Duration::from_hours(24),
        };
        let mut tx = self.store.begin().await.unwrap();
        tx.insert_job(&job).await.unwrap();
        tx.commit().await.unwrap();
        job.id
    }

    /// Runs jobs until all have ended. When the model says that the worker dies, what runs is dropped
    /// where it stands, and another process takes over once the lease has run out.
    pub(crate) async fn drive(&mut self, ids: &[Uuid]) -> Result<Vec<Ended>, String> {
        for _ in 0..ROUNDS {
            self.worker.sweep().await.unwrap();
            let mut open = Vec::new();
            for id in ids {
                let job = self.job(*id).await;
                if !job.state.is_final() {
                    open.push(job);
                }
            }
            if open.is_empty() {
                let mut ended = Vec::new();
                for id in ids {
                    ended.push(self.ended(*id).await);
                }
                return Ok(ended);
            }
            let now = self.ambient.now();
            let due = open
                .iter()
                .filter(|job| job.state != JobState::Running && job.due_at <= now);
            let due: Vec<Uuid> = due.map(|job| job.id).collect();
            let stuck = open.iter().any(|job| job.state == JobState::Running);
            if due.is_empty() || stuck {
                self.wait(&open);
                continue;
            }
            let runs = futures::future::join_all(due.iter().map(|id| self.worker.run(*id)));
            let crashed = tokio::select! {
                biased;
                () = self.provider.crashed.notified() => true,
                _ = runs => false,
            };
            if crashed {
                self.context.name = format!("worker-{}", self.ambient.new_id());
                self.worker = ManualWorker::new(self.context.clone());
            }
        }
        Err(format!("jobs did not end within {ROUNDS} rounds"))
    }

    pub(crate) async fn run(
        &mut self,
        place: &Place,
        environment: Uuid,
        kind: JobKind,
        request: SyncRequest,
    ) -> Result<Ended, String> {
        let id = self.submit(place, environment, kind, request).await;
        let mut ended = self.drive(&[id]).await?;
        Ok(ended.remove(0))
    }

    /// Moves the clock to where a dead worker's job is taken over, or where the next one is due.
    fn wait(&self, open: &[Job]) {
        let margin = self.context.options.takeover_margin;
        let now = self.ambient.now();
        let leases = open.iter().filter_map(|job| job.lease_until);
        let next = leases.map(|end| end + margin).max();
        let next = next.or_else(|| open.iter().map(|job| job.due_at).min());
        let pause = (next.unwrap_or(now) - now).to_std().unwrap_or_default();
        self.clock.advance(pause.max(Duration::from_millis(1)));
    }

    async fn job(&self, id: Uuid) -> Job {
        let mut tx = self.store.begin_read().await.unwrap();
        tx.job_snapshot(id).await.unwrap().unwrap()
    }

    async fn ended(&self, id: Uuid) -> Ended {
        let job = self.job(id).await;
        let mut tx = self.store.begin_read().await.unwrap();
        let report = tx.find_report(id).await.unwrap().unwrap_or_default();
        let outcomes = report.outcomes.unwrap_or(Json::Array(Vec::new()));
        Ended {
            state: job.state,
            code: job.error_code.map(ErrorCode::as_str),
            outcomes: serde_json::from_value(outcomes).unwrap(),
            result: report.result.unwrap_or_default(),
        }
    }
}
