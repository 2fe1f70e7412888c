//! Starts the runs of links that are due. Every worker looks; none leads: a link belongs to whoever
//! locks its row first, and is moved on in the transaction that adds its job.

use std::sync::Arc;
use std::time::Duration;

use keyway_shared::domain::job::JobClass;
use keyway_shared::store::StoreError;

use crate::engine::Engine;

/// Links started in one transaction.
const BATCH: i64 = 200;
/// How long an automatic job may take until it fails.
const TIME: Duration = Duration::from_hours(24);

pub(crate) async fn run(engine: Arc<Engine>) {
    let soft = engine.lifecycle().soft.clone();
    let mut ticks = tokio::time::interval(engine.options().schedule_every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = soft.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match schedule(&engine).await {
            Ok(()) => {
                if failing {
                    tracing::info!("links are started again");
                }
                failing = false;
            }
            // Told once: the next tick tries again, and what was due still is.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "links that are due could not be started");
            }
            Err(_) => {}
        }
    }
}

/// Starts everything that is due.
pub(crate) async fn schedule(engine: &Engine) -> Result<(), StoreError> {
    // Mostly nothing is: then nobody is kept from writing.
    let mut tx = engine.store().begin_read_statement().await?;
    let due = tx.oldest_due_link().await?;
    tx.commit().await?;
    let mut more = due.is_some();
    while more && !engine.lifecycle().soft.is_cancelled() {
        let mut tx = engine.store().begin().await?;
        let started = tx.start_due_links(BATCH, TIME).await?;
        tx.commit().await?;
        if started.links > 0 {
            let jobs = started.jobs.len() as u64;
            metrics::counter!("keyway_link_runs_total").increment(jobs);
            tracing::debug!(links = started.links, jobs, "links that were due");
        }
        let class = JobClass::Background;
        engine.queue().ring_all(&started.jobs, class).await;
        more = started.links as i64 == BATCH;
    }
    Ok(())
}
