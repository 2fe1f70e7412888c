//! Shows that a process lives, and its keys: `keyway rotate-keys` and `keyway doctor` ask which key each seals
//! with. A process that is stopping may still write, so it shows itself until nothing of it runs.

use std::time::Duration;

use keyway_shared::store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// Several within the time for which it counts as alive.
const EVERY: Duration = Duration::from_secs(5);
/// How long one write may take: the end of the process waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a process is, to those that count workers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Role {
    pub(crate) first: &'static str,
    /// When its worker has ended.
    pub(crate) then: &'static str,
}

/// Beats until the process has ended.
pub(crate) async fn show(
    store: &Store,
    name: &str,
    role: Role,
    worked: &CancellationToken,
    ended: &CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut current = role.first;
    loop {
        tokio::select! {
            biased;
            () = ended.cancelled() => return,
            () = worked.cancelled(), if current != role.then => current = role.then,
            _ = ticks.tick() => {}
        }
        attempt(beat(store, name, current)).await;
    }
}

/// After an orderly end: nobody needs to wait for the heartbeat to grow old.
pub(crate) async fn forget(store: &Store, name: &str) {
    attempt(async {
        let mut tx = store.begin().await?;
        tx.forget_process(name).await?;
        tx.commit().await
    })
    .await;
}

async fn beat(store: &Store, name: &str, role: &str) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let now = tx.now().await?;
    tx.beat(name, role, now).await?;
    tx.commit().await
}

/// One that fails is made good by the next, or by age.
async fn attempt(writing: impl Future<Output = Result<(), StoreError>>) {
    match tokio::time::timeout(PATIENCE, writing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the heartbeat is not written"),
        Err(_) => tracing::debug!("the heartbeat is not written: the store is slow"),
    }
}
