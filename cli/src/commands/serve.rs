//! `keyway serve`

use clap::Args;
use keyway_shared::ambient::Ambient;
use keyway_shared::config::{
    self, ApiArgs, AuthArgs, MetricsArgs, ProvidersArgs, RedisArgs, WebhooksArgs, WorkerArgs,
    check_lease,
};
use keyway_shared::domain::account::{KeyEnvironment, Scope, User};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Store, StoreError};

use super::keys::{Wanted, insert_key};
use crate::args::StorageArgs;
use crate::compose::{self, Parts};
use crate::failure::Outcome;
use crate::heartbeat::Role;
use crate::output;
use crate::process::Process;

/// The user of a new installation.
const FIRST_USER: &str = "admin";

const EXAMPLES: &str = "\
Examples:
  keyway serve
  KEYWAY_LISTEN=127.0.0.1:0 KEYWAY_DATA_DIR=/var/lib/keyway keyway serve
  DATABASE_URL=postgres://… REDIS_URL=redis://… KEYWAY_ENCRYPTION_KEYS_FILE=keys keyway serve

Without any configuration it keeps its data in ./keyway-data. The first start prints an API key with all
scopes, once.";

/// Run everything in one process: the API and a worker
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    auth: AuthArgs,
    #[command(flatten)]
    providers: ProvidersArgs,
    #[command(flatten)]
    webhooks: WebhooksArgs,
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    storage: StorageArgs,
}

pub(crate) async fn run(args: &ServeArgs) -> Outcome {
    args.storage.log.init(None)?;
    let ambient = Ambient::system();
    let api = args.api.resolve();
    let metrics = args.metrics.resolve(Some(&api))?;
    let worker = args.worker.resolve()?;
    let providers = args.providers.resolve(&config::environment)?;
    let github = args.auth.resolve(providers.timeout, &config::environment)?;
    check_lease(&worker, &providers)?;
    let redis = args.redis.resolve(&config::environment)?;
    let storage = args.storage.prepare(&ambient)?;
    if redis.is_none() && !storage.database.url.is_sqlite() {
        tracing::warn!("without REDIS_URL this must be the only keyway process on its database");
    }
    let embedded = storage.database.url.is_sqlite();
    // Held until the end. Without it a second process would release leases that are not its own.
    let lock = if embedded {
        Some(storage.data.lock(&storage.database.url)?)
    } else {
        None
    };
    let listener = compose::bind("KEYWAY_LISTEN", api.listen).await?;

    let patience = storage.database.startup_timeout;
    let store = compose::connect(&storage.database, &storage.keys, &ambient).await?;
    store.migrate().await?;
    let mut process = Process::new();
    let parts = Parts::assemble(
        store,
        redis.as_ref().map(|redis| (redis, patience)),
        &providers,
        github,
        ambient,
        &process,
        true,
    )
    .await?;
    if embedded {
        release_leases(&parts.store).await?;
    }
    // It exists nowhere else, so it is told before anything can fail.
    if let Some(token) = first_key(&parts.store, &parts.ambient).await? {
        output::line(format!("API key: {}", token.expose()))?;
    }
    if let Some(address) = metrics {
        compose::start_metrics(&mut process, &parts, address, true).await?;
    }
    let bound = parts.start_api(
        &mut process,
        listener,
        &api,
        args.webhooks,
        metrics.is_none(),
    )?;
    parts.start_worker(&mut process, &worker, args.webhooks, providers.timeout);
    // While the API answers its last callers it is no worker any more.
    let role = Role {
        first: "worker",
        then: "api",
    };
    parts
        .run(process, role, || {
            Ok(output::line(format!("Listening on http://{bound}"))?)
        })
        .await?;
    parts.store.close().await;
    drop(lock);
    Ok(())
}

async fn release_leases(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let released = tx.release_worker_leases(None).await?;
    tx.release_rotation(None).await?;
    tx.commit().await?;
    if released > 0 {
        tracing::info!(jobs = released, "taking up the jobs of the last run");
    }
    Ok(())
}

/// On an empty database: a user who may do everything, and a key for it.
pub(crate) async fn first_key(
    store: &Store,
    ambient: &Ambient,
) -> Result<Option<Secret>, StoreError> {
    let mut tx = store.begin().await?;
    if tx.any_user().await? {
        return Ok(None);
    }
    let user = User {
        id: ambient.new_id(),
        username: FIRST_USER.to_owned(),
        operator: true,
        created_at: ambient.now(),
    };
    tx.insert_user(&user).await?;
    let wanted = Wanted {
        name: "first start",
        scopes: Scope::ALL,
        environment: KeyEnvironment::Live,
        expires_at: None,
    };
    let token = insert_key(&mut tx, ambient, &user, wanted).await?;
    tx.commit().await?;
    Ok(Some(token))
}
