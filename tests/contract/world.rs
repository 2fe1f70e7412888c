//! A database with a clock that stands still, and the usual rows.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use keyway_shared::ambient::Ambient;
use keyway_shared::clock::ManualClock;
use keyway_shared::domain::access::EnvironmentRules;
use keyway_shared::domain::account::User;
use keyway_shared::domain::auto_sync::AutoSync;
use keyway_shared::domain::connection::{
    AuthMethod, Connection, ConnectionStatus, ProviderName, TokenState,
};
use keyway_shared::domain::job::{Job, JobClass, JobKind, NewJob};
use keyway_shared::domain::link::Link;
use keyway_shared::domain::upkeep::Upkeep;
use keyway_shared::domain::vault::{Environment, EnvironmentKind, Role, Vault};
use keyway_shared::entropy::SeededEntropy;
use keyway_shared::secret::Secret;
use keyway_shared::store::{Backend, Claim, Store, Tx};
use keyway_shared::sync::options::{DeleteScope, Direction, SyncRequest};
use keyway_tests::database::{Database, Profile};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use uuid::Uuid;

pub(crate) const LEASE: Duration = Duration::from_secs(30);
pub(crate) const MARGIN: Duration = Duration::from_secs(5);

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ambient: Ambient,
    pub(crate) database: Database,
}

/// A vault with one member, one connection and two environments.
pub(crate) struct Place {
    pub(crate) user: User,
    pub(crate) vault: Vault,
    pub(crate) production: Environment,
    pub(crate) staging: Environment,
    pub(crate) connection: Connection,
}

impl World {
    pub(crate) async fn new(profile: Profile) -> Self {
        let database = Database::create(profile).await;
        let clock = Arc::new(ManualClock::new(start()));
        let ambient = Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(7)));
        let store = database.open(ambient.clone()).await.with_manual_time();
        Self {
            store,
            clock,
            ambient,
            database,
        }
    }

    pub(crate) async fn close(self) {
        self.store.close().await;
    }

    pub(crate) async fn tx(&self) -> Tx {
        self.store.begin().await.unwrap()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.ambient.now()
    }

    pub(crate) fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        let user = User {
            id: self.ambient.new_id(),
            username: name.to_owned(),
            operator: false,
            created_at: self.now(),
        };
        let mut tx = self.tx().await;
        tx.insert_user(&user).await.unwrap();
        tx.commit().await.unwrap();
        user
    }

    /// A user of that name with a vault `name/app`.
    pub(crate) async fn place(&self, name: &str) -> Place {
        let user = self.user(name).await;
        let vault = self.vault(&user, name, "app");
        let production = self.environment(&vault, "production", 0);
        let staging = self.environment(&vault, "staging", 1);
        let connection = self.connection(&user, &format!("team_{name}"));
        let mut tx = self.tx().await;
        tx.insert_vault(&vault, &[production.clone(), staging.clone()])
            .await
            .unwrap();
        tx.upsert_connection(&connection, &Secret::new("tok-canary"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Place {
            user,
            vault,
            production,
            staging,
            connection,
        }
    }

    pub(crate) fn vault(&self, user: &User, owner: &str, repo: &str) -> Vault {
        Vault {
            id: self.ambient.new_id(),
            created_by: user.id,
            repo_owner: owner.to_owned(),
            repo_name: repo.to_owned(),
            created_at: self.now(),
            updated_at: self.now(),
        }
    }

    pub(crate) fn environment(&self, vault: &Vault, name: &str, order: i64) -> Environment {
        Environment {
            id: self.ambient.new_id(),
            vault_id: vault.id,
            name: name.to_owned(),
            kind: EnvironmentKind::from_name(name),
            rules: EnvironmentRules::default(),
            display_order: order,
            revision: 0,
            created_at: self.now(),
        }
    }

    pub(crate) fn connection(&self, user: &User, account: &str) -> Connection {
        Connection {
            id: self.ambient.new_id(),
            user_id: user.id,
            provider: ProviderName::Vercel,
            provider_account_id: account.to_owned(),
            provider_user_id: "usr_1".to_owned(),
            provider_team_id: Some(account.to_owned()),
            installation_id: None,
            token_kind: None,
            account_name: "Acme".to_owned(),
            auth_method: AuthMethod::Token,
            status: ConnectionStatus::Active,
            status_reason: None,
            token: TokenState::default(),
            created_at: self.now(),
            updated_at: self.now(),
        }
    }

    pub(crate) fn link(&self, place: &Place, project: &str) -> Link {
        Link {
            id: self.ambient.new_id(),
            vault_id: place.vault.id,
            environment_id: place.production.id,
            keyway_environment: place.production.name.clone(),
            connection_id: place.connection.id,
            provider: ProviderName::Vercel,
            project_id: project.to_owned(),
            project_name: Some("web".to_owned()),
            service_id: None,
            provider_environment: "production".to_owned(),
            scope: "production".to_owned(),
            git_branch: None,
            direction: Direction::Push,
            allow_delete: false,
            delete_scope: DeleteScope::All,
            allow_references: false,
            rollout: false,
            include: None,
            exclude: None,
            prefix: None,
            auto_sync: AutoSync::Off,
            upkeep: Upkeep::default(),
            shared: false,
            api_key_id: None,
            last_synced_at: None,
            created_at: self.now(),
            updated_at: self.now(),
        }
    }

    pub(crate) fn new_job(&self, place: &Place, project: Option<&str>) -> NewJob {
        NewJob {
            id: self.ambient.new_id(),
            kind: JobKind::Sync,
            class: JobClass::Background,
            user_id: place.user.id,
            vault_id: place.vault.id,
            environment_id: place.production.id,
            connection_id: place.connection.id,
            project_key: project.map(str::to_owned),
            request: SyncRequest::new("prj_1", "production", "production", Direction::Push),
            retry_of: None,
            api_key_id: None,
            asked: None,
            created_at: self.now(),
            deadline_at: self.now() + Duration::from_hours(24),
        }
    }

    /// Inserts a job and gives its id.
    pub(crate) async fn job(&self, job: NewJob) -> Uuid {
        let mut tx = self.tx().await;
        tx.insert_job(&job).await.unwrap();
        tx.commit().await.unwrap();
        job.id
    }

    /// A job of the project that has just come in.
    pub(crate) async fn queued(&self, place: &Place, project: Option<&str>) -> Uuid {
        self.job(self.new_job(place, project)).await
    }

    pub(crate) async fn claim(&self, id: Uuid, worker: &str) -> Claim {
        let mut tx = self.tx().await;
        let lease_id = self.ambient.new_id();
        let claim = tx.claim_job(id, worker, lease_id, LEASE).await.unwrap();
        tx.commit().await.unwrap();
        claim
    }

    /// Claims a job that can be claimed; gives it and its lease.
    pub(crate) async fn taken(&self, id: Uuid) -> (Job, Uuid) {
        match self.claim(id, "worker-1").await {
            Claim::Taken(job) => {
                let lease_id = job.lease_id.unwrap();
                (*job, lease_id)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn snapshot(&self, id: Uuid) -> Job {
        let mut tx = self.tx().await;
        let job = tx.job_snapshot(id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        job
    }

    /// Meddles with the database past the store.
    pub(crate) async fn meddle(&self, sql: &str, ids: &[Uuid]) {
        macro_rules! run {
            ($connection:ty) => {{
                let mut connection = <$connection>::connect(self.database.url()).await.unwrap();
                let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
                for id in ids {
                    query = query.bind(*id);
                }
                let done = query.execute(&mut connection).await.unwrap();
                assert_eq!(done.rows_affected(), 1, "{sql}");
                connection.close().await.unwrap();
            }};
        }
        match self.store.backend() {
            Backend::Postgres => run!(PgConnection),
            Backend::Sqlite => run!(SqliteConnection),
        }
    }

    /// Looks until a connection to this database waits for a lock (Postgres).
    pub(crate) async fn somebody_waits_for_a_lock(&self) {
        let mut connection = PgConnection::connect(self.database.url()).await.unwrap();
        let mut waits = false;
        while !waits {
            waits = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock')",
            )
            .fetch_one(&mut connection)
            .await
            .unwrap();
        }
        connection.close().await.unwrap();
    }

    pub(crate) async fn join(&self, place: &Place, user: &User, role: Role) {
        let mut tx = self.tx().await;
        tx.upsert_member(place.vault.id, user.id, role, self.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

pub(crate) fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}
