//! Shows that a process without a worker lives: `keyway rotate-keys` asks which keys each has.

use std::time::Duration;

use keyway_shared::store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// Several within the time for which it counts as alive.
const EVERY: Duration = Duration::from_secs(5);

/// Until the process is to stop; then it is forgotten, and nobody waits for it to grow old.
pub(crate) async fn run(store: Store, name: String, role: &'static str, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        if let Err(error) = beat(&store, &name, role).await {
            tracing::debug!(%error, "no heartbeat");
        }
    }
    if let Err(error) = forget(&store, &name).await {
        tracing::debug!(%error, "the heartbeat stays behind");
    }
}

async fn beat(store: &Store, name: &str, role: &str) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let now = tx.now().await?;
    tx.beat(name, role, now).await?;
    tx.commit().await
}

async fn forget(store: &Store, name: &str) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.forget_process(name).await?;
    tx.commit().await
}
