//! `keyway migrate`

use clap::Args;
use keyway_shared::ambient::Ambient;

use crate::args::StorageArgs;
use crate::failure::{Failure, Outcome};
use crate::{compose, output};

/// Bring the database's schema up to date
///
/// Safe to run from several places at once. `keyway serve` does it by itself; with `keyway api` and
/// `keyway worker` it is a step of its own, after the older ones were stopped and before the new ones
/// start: what a migration takes away, older processes cannot do without.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  DATABASE_URL=postgres://keyway@db/keyway KEYWAY_ENCRYPTION_KEYS_FILE=/run/secrets/keys keyway migrate"
)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    storage: StorageArgs,
    /// Migrate although older processes are running: what they do from then on may fail
    #[arg(long)]
    while_running: bool,
}

pub(crate) async fn run(args: &MigrateArgs) -> Outcome {
    args.storage.log.init(Some("warn"))?;
    let ambient = Ambient::system();
    let storage = args.storage.prepare(&ambient)?;
    let store = compose::connect(&storage.database, &storage.keys, &ambient).await?;
    let pending = store.pending_migrations().await?;
    if !pending.is_empty() && !args.while_running {
        let running = store.running_processes().await?;
        if running > 0 {
            return Err(Failure::new(format!(
                "{running} older processes are running, or were a few seconds ago, and may not get on \
                 with the new schema"
            ))
            .hint("stop them first, or say --while-running"));
        }
    }
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
