//! From the bell and the sweeper to the engine: permits first, then an id, so that nothing is taken
//! that cannot be started.

mod permits;
mod source;

use std::sync::Arc;

use apalis::prelude::{Data, WorkerBuilder, WorkerBuilderExt};
use futures::FutureExt;
use keyway_shared::domain::job::JobClass;
use tokio::sync::mpsc;

use crate::engine::Engine;
use crate::{pruner, rotator, scheduler, sweeper};
pub(crate) use permits::Permits;
pub(crate) use source::Delivery;
use source::Source;

pub(crate) async fn run(engine: Arc<Engine>) {
    let concurrency = engine.options().concurrency.max(2);
    let permits = Permits::new(concurrency);
    // Each delivery holds a permit, so the channel never has more than there are permits.
    let (deliveries, receiver) = mpsc::channel(concurrency);
    let lifecycle = engine.lifecycle().clone();

    for class in [JobClass::Interactive, JobClass::Background] {
        let feed = feed(
            Arc::clone(&engine),
            class,
            permits.clone(),
            deliveries.clone(),
        );
        lifecycle.tracker.spawn(feed);
    }
    let sweeps = sweeper::run(Arc::clone(&engine), permits, deliveries);
    let sweeping = lifecycle.tracker.spawn(sweeps);
    lifecycle.tracker.spawn(scheduler::run(Arc::clone(&engine)));
    lifecycle.tracker.spawn(pruner::run(Arc::clone(&engine)));
    lifecycle.tracker.spawn(rotator::run(Arc::clone(&engine)));

    let stop = lifecycle.soft.clone();
    let worker = WorkerBuilder::new(engine.name())
        .backend(Source::new(receiver))
        .concurrency(concurrency)
        .catch_panic()
        .data(Arc::clone(&engine))
        .build(handle);
    let ended = worker
        .run_until(async move {
            stop.cancelled().await;
            Ok::<(), std::io::Error>(())
        })
        // Without a box the compiler does not see that the layers' futures may move between threads.
        .boxed()
        .await;
    if let Err(error) = ended {
        tracing::error!(%error, "the worker ended early");
        // A process without its worker is of no use: let the supervisor start a new one.
        lifecycle.soft.cancel();
    }
    // Whoever forgets this process does so after us: a heartbeat that is under way would bring it back. How the
    // sweeper ended does not matter.
    let _ = sweeping.await;
}

/// One delivery. It never fails: what becomes of a job is written to its row.
async fn handle(delivery: Delivery, engine: Data<Arc<Engine>>) {
    // What a job keeps over its calls is not worth moving about.
    Box::pin(engine.handle(delivery.job)).await;
    drop(delivery);
}

/// Takes ids of a class off the bell, for which there is room.
async fn feed(
    engine: Arc<Engine>,
    class: JobClass,
    permits: Permits,
    deliveries: mpsc::Sender<Delivery>,
) {
    let taken = async {
        loop {
            // Not kept while the bell is silent: the sweeper may find work that nobody rings for.
            permits.room(class).await;
            let Some(job) = engine.queue().pop(class).await else {
                continue;
            };
            let permit = permits.wait(class).await;
            if deliveries.send(Delivery::new(job, permit)).await.is_err() {
                return;
            }
        }
    };
    // A ring that this cuts off is lost, and another worker's sweeper makes it good.
    tokio::select! {
        () = engine.lifecycle().soft.cancelled() => {}
        () = taken => {}
    }
}
