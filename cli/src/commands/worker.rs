//! `keyway worker`

use clap::Args;
use keyway_shared::ambient::Ambient;
use keyway_shared::config::{
    self, AuthArgs, MetricsArgs, ProvidersArgs, RedisArgs, WebhooksArgs, WorkerArgs, check_lease,
};

use crate::args::StorageArgs;
use crate::compose::{self, Parts};
use crate::failure::Outcome;
use crate::heartbeat::Role;
use crate::output;
use crate::process::Process;

/// Run a worker alone; the API runs elsewhere
///
/// Any number of them, on one Postgres and one Redis. Run `keyway migrate` before.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  DATABASE_URL=postgres://… REDIS_URL=redis://… KEYWAY_ENCRYPTION_KEYS_FILE=keys keyway worker"
)]
pub(crate) struct WorkerCommand {
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
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

pub(crate) async fn run(args: &WorkerCommand) -> Outcome {
    args.storage.log.init(None)?;
    let ambient = Ambient::system();
    let (_, database) = args.storage.check()?;
    database.url.require_postgres("worker")?;
    let redis = args.redis.require("worker", &config::environment)?;
    let worker = args.worker.resolve()?;
    let providers = args.providers.resolve(&config::environment)?;
    let github = args.auth.resolve(providers.timeout, &config::environment)?;
    check_lease(&worker, &providers)?;
    let metrics = args.metrics.resolve(None)?;
    let storage = args.storage.prepare(&ambient)?;

    let store = compose::connect_migrated(&storage.database, &storage.keys, &ambient).await?;
    let mut process = Process::new();
    let redis = Some((&redis, storage.database.startup_timeout));
    let parts = Parts::assemble(store, redis, &providers, github, ambient, &process, false).await?;
    if let Some(address) = metrics {
        compose::start_metrics(&mut process, &parts, address, false).await?;
    }
    parts.start_worker(&mut process, &worker, args.webhooks, providers.timeout);
    let role = Role {
        first: "worker",
        then: "worker",
    };
    parts
        .run(process, role, || {
            Ok(output::line(format!("Working as {}", parts.name))?)
        })
        .await?;
    parts.store.close().await;
    Ok(())
}
