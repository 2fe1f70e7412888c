//! A worker without loops, timers of its own or a bell: whoever holds it says when it looks and what
//! it runs. It is the same engine and the same sweeper; only the feed is left out, so that a test can
//! place a crash between any two calls to a provider and move the clock in between.

use keyway_shared::store::StoreError;
use uuid::Uuid;

use crate::WorkerContext;
use crate::engine::Engine;
use crate::{pruner, rotator, scheduler, sweeper};

/// A worker that is driven by hand. Stands for one process: give each its own name.
#[derive(Debug)]
pub struct ManualWorker {
    engine: Engine,
}

impl ManualWorker {
    /// A process that has just started.
    pub fn new(context: WorkerContext) -> Self {
        Self {
            engine: Engine::new(context),
        }
    }

    /// One round of the sweeper: says that this process lives, takes back what dead ones held, and
    /// ends what is past its time.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        sweeper::maintain(&self.engine).await
    }

    /// One round of the scheduler: starts the links that are due.
    pub async fn schedule(&self) -> Result<(), StoreError> {
        scheduler::schedule(&self.engine).await
    }

    /// One round of the pruner: removes what was kept long enough.
    pub async fn prune(&self) -> Result<(), StoreError> {
        pruner::prune(&self.engine).await
    }

    /// One round of the rotator: seals what is sealed with another key than the first, if somebody has asked for
    /// it.
    pub async fn rotate(&self) -> Result<(), StoreError> {
        rotator::rotate(&self.engine).await
    }

    /// Claims the job, runs it and settles it, unless it cannot be claimed. To drop the future is to
    /// everybody else what the death of the process is: the claim stands until its lease runs out.
    pub async fn run(&self, job: Uuid) {
        self.engine.handle(job).await;
    }
}
