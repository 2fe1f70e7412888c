//! Removes what has been kept for long enough. Every worker does, a little at a time.

use std::time::Duration;

use keyway_shared::store::{Kept, StoreError};

use crate::engine::Engine;

/// Rows removed in one statement.
const BATCH: u64 = 200;
/// Statements of a kind in one round: what is left waits for the next.
const STATEMENTS: usize = 10;

/// A gate that was closed longer ago says nothing of today.
const GATES: Duration = Duration::from_hours(24);

/// One round.
pub(crate) async fn prune(engine: &Engine) -> Result<(), StoreError> {
    let retention = engine.options().retention;
    let mut tx = engine.store().begin_read_statement().await?;
    let now = tx.now().await?;
    tx.commit().await?;
    for (kept, time) in [
        (Kept::Jobs, retention.jobs),
        (Kept::Splits, retention.jobs),
        (Kept::Activity, retention.activity),
        (Kept::Plans, retention.plans),
        (Kept::Answers, Duration::ZERO),
        (Kept::ClosedGates, GATES),
        (Kept::Sessions, Duration::ZERO),
        (Kept::Trash, Duration::ZERO),
    ] {
        let before = now - time;
        let mut removed = 0;
        for _ in 0..STATEMENTS {
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
    }
    Ok(())
}
