//! Finds in SQL what no bell told of: rings that were lost, waits that are over, leases that ran
//! out, jobs that are past their time. Every worker sweeps; none leads. Independent of Redis.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::job::JobClass;
use keyway_shared::store::StoreError;
use tokio::sync::mpsc;

use crate::consumer::{Delivery, Permits};
use crate::engine::Engine;
use crate::jobs::tell_overdue;

/// Jobs taken over or failed in one transaction.
const BATCH: i64 = 50;
/// When the next look follows one that found as much as there was room for: thousands whose rings were
/// lost must not go a handful a tick.
const SOON: Duration = Duration::from_millis(50);
/// Looks at what is due between two looks at leases, deadlines and heartbeats.
const SLOW: u32 = 4;

pub(crate) async fn run(engine: Arc<Engine>, permits: Permits, deliveries: mpsc::Sender<Delivery>) {
    let soft = engine.lifecycle().soft.clone();
    let mut ticks = tokio::time::interval(engine.options().sweep_every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut soon = tokio::time::interval(SOON);
    soon.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut failing, mut more) = (false, false);
    let mut count = 0_u32;
    loop {
        let regular = tokio::select! {
            () = soft.cancelled() => return,
            _ = ticks.tick() => true,
            _ = soon.tick(), if more => false,
        };
        let swept = async {
            if regular && count.is_multiple_of(SLOW) {
                maintain(&engine).await?;
            }
            hand_out(&engine, &permits, &deliveries).await
        };
        match swept.await {
            Ok(full) => {
                more = full;
                if failing {
                    tracing::info!("the sweeper reaches the database again");
                }
                failing = false;
            }
            // Told once: the next tick tries again.
            Err(error) if !failing => {
                (failing, more) = (true, false);
                tracing::warn!(%error, "the sweeper cannot reach the database");
            }
            Err(_) => {}
        }
        count = count.wrapping_add(u32::from(regular));
    }
}

/// Hands due jobs to this process, at most as many as it has room for. Whether there may be more.
async fn hand_out(
    engine: &Engine,
    permits: &Permits,
    deliveries: &mpsc::Sender<Delivery>,
) -> Result<bool, StoreError> {
    let mut more = false;
    for class in [JobClass::Interactive, JobClass::Background] {
        let free = permits.free(class);
        if free == 0 {
            more = true;
            continue;
        }
        let mut tx = engine.store().begin_fleeting().await?;
        let due = tx.due_jobs(class, free as i64).await?;
        tx.commit().await?;
        more |= due.len() >= free;
        for job in due {
            let Some(permit) = permits.take(class) else {
                break;
            };
            metrics::counter!("keyway_jobs_swept_total", "class" => class.as_str()).increment(1);
            if deliveries.send(Delivery::new(job, permit)).await.is_err() {
                return Ok(false);
            }
        }
    }
    Ok(more)
}

/// Says that this process lives, takes back what dead ones held, and ends what is past its time.
pub(crate) async fn maintain(engine: &Engine) -> Result<(), StoreError> {
    let options = engine.options();
    let mut tx = engine.store().begin().await?;
    let now = tx.now().await?;
    tx.beat(engine.name(), "worker", now).await?;
    tx.prune_processes(now - FORGET_AFTER).await?;
    let returned = tx.expired_jobs(BATCH, options.takeover_margin).await?;
    for job in &returned {
        tracing::warn!(job = %job.id, "took over a job whose worker let its lease run out");
        metrics::counter!("keyway_lease_takeovers_total").increment(1);
    }
    let overdue = tx.overdue_jobs(BATCH).await?;
    let mut told = Vec::new();
    for job in &overdue {
        let activity_id = engine.context.ambient.new_id();
        told.extend(tell_overdue(&mut tx, *job, activity_id, now).await?);
    }
    tx.commit().await?;
    measure_circuits(engine, now).await;
    let queue = engine.queue();
    let ended = returned.iter().filter(|job| job.state.is_final());
    let ended: Vec<_> = ended.map(|job| job.id).chain(overdue).collect();
    queue.announce_all(&ended).await;
    for class in [JobClass::Interactive, JobClass::Background] {
        let queued = returned.iter().filter(|job| !job.state.is_final());
        let queued = queued.filter(|job| job.class == class);
        let mut rings: Vec<_> = queued.map(|job| job.id).collect();
        if class == JobClass::Background {
            rings.append(&mut told);
        }
        queue.ring_all(&rings, class).await;
    }
    Ok(())
}

/// Which providers nobody calls now: the same from each worker.
async fn measure_circuits(engine: &Engine, now: DateTime<Utc>) {
    let (providers, gates) = (&engine.context.providers, engine.queue().gates());
    for name in ProviderName::ALL {
        let Some(provider) = providers.get(*name) else {
            continue;
        };
        let held = gates.outage(*name, provider.api_origin(), now.timestamp_millis());
        let open = if held.await.is_some() { 1.0 } else { 0.0 };
        metrics::gauge!("keyway_circuit_open", "provider" => name.as_str()).set(open);
    }
}

/// How long a dead process is remembered.
const FORGET_AFTER: Duration = Duration::from_hours(24);
