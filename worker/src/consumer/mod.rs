//! From the bell and the sweeper to the engine: permits first, then an id, so that nothing is taken
//! that cannot be started.

mod permits;
mod source;

use std::sync::Arc;

use apalis::prelude::{Data, WorkerBuilder, WorkerBuilderExt};
use futures::FutureExt;
use tokio::sync::mpsc;

use crate::engine::Engine;
use crate::{scheduler, sweeper};
pub(crate) use permits::Permits;
pub(crate) use source::Delivery;
use source::Source;

pub(crate) async fn run(engine: Arc<Engine>) {
    let concurrency = engine.options().concurrency.max(2);
    let permits = Permits::new(concurrency);
    // Each delivery holds a permit, so the channel never has more than there are permits.
    let (deliveries, receiver) = mpsc::channel(concurrency);
    let lifecycle = engine.lifecycle().clone();

    let feed = feed(Arc::clone(&engine), permits.clone(), deliveries.clone());
    lifecycle.tracker.spawn(feed);
    let sweeps = sweeper::run(Arc::clone(&engine), permits, deliveries);
    lifecycle.tracker.spawn(sweeps);
    lifecycle.tracker.spawn(scheduler::run(Arc::clone(&engine)));

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
    engine.forget_process().await;
}

/// One delivery. It never fails: what becomes of a job is written to its row.
async fn handle(delivery: Delivery, engine: Data<Arc<Engine>>) {
    // What a job keeps over its calls is not worth moving about.
    Box::pin(engine.handle(delivery.job)).await;
    drop(delivery);
}

/// Takes ids off the bell, for which there is room.
async fn feed(engine: Arc<Engine>, permits: Permits, deliveries: mpsc::Sender<Delivery>) {
    let soft = engine.lifecycle().soft.clone();
    loop {
        let room = tokio::select! {
            () = soft.cancelled() => return,
            room = permits.room() => room,
        };
        let popped = tokio::select! {
            () = soft.cancelled() => return,
            // A permit of the other class came free: ask again for both.
            () = permits.grown(room) => continue,
            popped = engine.queue().pop(room) => popped,
        };
        let Some((job, class)) = popped else { continue };
        if let Some(permit) = permits.take(class) {
            let delivery = Delivery::new(job, permit);
            if deliveries.send(delivery).await.is_err() {
                return;
            }
        }
        // Without a permit (the sweeper was faster) the ring is lost, and the sweeper makes it good.
    }
}
