//! Removes what has been kept for long enough. Every worker does, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_shared::providers::notice::NOTICE_COUNTS;
use keyway_shared::store::{Kept, StoreError};

use crate::engine::Engine;

/// Rows removed in one statement.
const BATCH: u64 = 200;
/// Statements of a kind in one round: what is left waits for the next.
const STATEMENTS: usize = 10;

/// A gate that was closed longer ago says nothing of today.
const GATES: Duration = Duration::from_hours(24);

/// Looks of the sweeper between two rounds.
const LOOKS: u32 = 20;

/// A task of its own: while it removes, due jobs are handed out all the same.
pub(crate) async fn run(engine: Arc<Engine>) {
    let soft = engine.lifecycle().soft.clone();
    let mut ticks = tokio::time::interval(engine.options().sweep_every * LOOKS);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = soft.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let pruned = prune(&engine).await;
        if let Err(error) = &pruned
            && !failing
        {
            // Told once: the next round tries again.
            tracing::warn!(%error, "what was kept long enough could not be removed");
        }
        failing = pruned.is_err();
    }
}

/// One round. What cannot be removed does not keep the rest from it.
pub(crate) async fn prune(engine: &Engine) -> Result<(), StoreError> {
    let retention = engine.options().retention;
    let mut tx = engine.store().begin_read_statement().await?;
    let now = tx.now().await?;
    tx.commit().await?;
    let mut failed = Ok(());
    for (kept, time) in [
        (Kept::Jobs, retention.jobs),
        (Kept::Splits, retention.jobs),
        (Kept::Activity, retention.activity),
        (Kept::Plans, retention.plans),
        (Kept::Answers, Duration::ZERO),
        (Kept::ClosedGates, GATES),
        (Kept::Sessions, Duration::ZERO),
        (Kept::PendingConnections, Duration::ZERO),
        (Kept::Trash, Duration::ZERO),
        (Kept::Disconnected, Duration::ZERO),
        // Longer than they count: the clocks of provider and database differ.
        (Kept::ReceivedEvents, NOTICE_COUNTS * 2),
    ] {
        if let Err(error) = prune_kind(engine, kept, now - time).await
            && failed.is_ok()
        {
            failed = Err(error);
        }
    }
    failed
}

async fn prune_kind(engine: &Engine, kept: Kept, before: DateTime<Utc>) -> Result<(), StoreError> {
    let mut removed = 0;
    for _ in 0..STATEMENTS {
        if engine.lifecycle().soft.is_cancelled() {
            break;
        }
        let mut tx = engine.store().begin().await?;
        let rows = tx.prune(kept, before, BATCH as i64).await?;
        tx.commit().await?;
        removed += rows;
        if rows < BATCH {
            break;
        }
    }
    if removed > 0 {
        tracing::debug!(?kept, rows = removed, "removed what was kept long enough");
    }
    Ok(())
}
