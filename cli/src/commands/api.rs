//! `keyway api`

use clap::Args;
use keyway_shared::ambient::Ambient;
use keyway_shared::config::{
    self, ApiArgs, AuthArgs, MetricsArgs, ProvidersArgs, RedisArgs, WebhooksArgs,
};

use crate::args::StorageArgs;
use crate::compose::{self, Parts};
use crate::failure::Outcome;
use crate::heartbeat::Role;
use crate::output;
use crate::process::Process;

/// Run the API alone; workers run elsewhere
///
/// Any number of them, on one Postgres and one Redis. Run `keyway migrate` before.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  DATABASE_URL=postgres://… REDIS_URL=redis://… KEYWAY_ENCRYPTION_KEYS_FILE=keys \\\n    KEYWAY_LISTEN=0.0.0.0:8080 KEYWAY_PUBLIC_URL=https://keyway.example.com keyway api"
)]
pub(crate) struct ApiCommand {
    #[command(flatten)]
    api: ApiArgs,
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

pub(crate) async fn run(args: &ApiCommand) -> Outcome {
    args.storage.log.init(None)?;
    let ambient = Ambient::system();
    let (_, database) = args.storage.check()?;
    database.url.require_postgres("api")?;
    let redis = args.redis.require("api", &config::environment)?;
    let api = args.api.resolve();
    let metrics = args.metrics.resolve(Some(&api))?;
    let providers = args.providers.resolve(&config::environment)?;
    let github = args.auth.resolve(providers.timeout, &config::environment)?;
    let storage = args.storage.prepare(&ambient)?;
    let listener = compose::bind("KEYWAY_LISTEN", api.listen).await?;

    let store = compose::connect_migrated(&storage.database, &storage.keys, &ambient).await?;
    let mut process = Process::new();
    let redis = Some((&redis, storage.database.startup_timeout));
    let parts = Parts::assemble(store, redis, &providers, github, ambient, &process, true).await?;
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
    let role = Role {
        first: "api",
        then: "api",
    };
    parts
        .run(process, role, || {
            Ok(output::line(format!("Listening on http://{bound}"))?)
        })
        .await?;
    parts.store.close().await;
    Ok(())
}
