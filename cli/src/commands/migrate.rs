//! `keyway migrate`

use clap::Args;
use keyway_shared::ambient::Ambient;

use crate::args::StorageArgs;
use crate::failure::Outcome;
use crate::{compose, output};

/// Bring the database's schema up to date
///
/// Safe to run from several places at once, and while older processes are running. `keyway serve`
/// does it by itself; with `keyway api` and `keyway worker` it is a step of its own before they start.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  DATABASE_URL=postgres://keyway@db/keyway KEYWAY_ENCRYPTION_KEYS_FILE=/run/secrets/keys keyway migrate"
)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    storage: StorageArgs,
}

pub(crate) async fn run(args: &MigrateArgs) -> Outcome {
    args.storage.log.init(Some("warn"))?;
    let ambient = Ambient::system();
    let storage = args.storage.prepare(&ambient)?;
    let store = compose::connect(&storage.database, &storage.keys, &ambient).await?;
    let pending = store.pending_migrations().await?;
    store.migrate().await?;
    // The keys are tried here already, so that a wrong one shows before anything starts with it.
    store.unlock().await?;
    store.close().await;
    for name in &pending {
        output::line(format!("applied {name}"))?;
    }
    output::line(if pending.is_empty() {
        "the schema was up to date"
    } else {
        "the schema is up to date"
    })?;
    Ok(())
}
