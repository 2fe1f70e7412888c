//! The worker: takes jobs, runs them against providers, settles them.
//!
//! `consumer` feeds ids from the bell and from the sweeper into an apalis worker; `engine`
//! claims, runs and settles; `jobs` is what the jobs do; `sweeper` finds in SQL what no bell
//! told of; `scheduler` starts what links ask for; `pruner` removes what was kept long enough;
//! `rotator` seals everything with the first encryption key when somebody asks for it;
//! `manual` is a worker that tests drive step by step.

mod consumer;
mod engine;
mod jobs;
mod manual;
mod pruner;
mod rotator;
mod scheduler;
mod sweeper;

use std::sync::Arc;
use std::time::Duration;

use keyway_shared::ambient::Ambient;
use keyway_shared::config::Retention;
use keyway_shared::crypto::FingerprintKey;
use keyway_shared::github::Roles;
use keyway_shared::lifecycle::Lifecycle;
use keyway_shared::providers::registry::Registry;
use keyway_shared::queue::Queue;
use keyway_shared::store::Store;

pub use engine::retry::{RetryAnswer, RetryPolicy, RetryRule};
pub use manual::ManualWorker;

/// How a worker process works.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Jobs at once, both classes together.
    pub concurrency: usize,
    /// How long a claim is good for without renewal.
    pub lease: Duration,
    /// Longest time of one call to a provider; at most a third of the lease.
    pub provider_timeout: Duration,
    /// How long after the end of a lease another worker waits before it takes over.
    pub takeover_margin: Duration,
    /// Pause between two looks at what is due.
    pub sweep_every: Duration,
    /// Pause between two looks at the links that are due.
    pub schedule_every: Duration,
    /// How long what has ended is kept.
    pub retention: Retention,
    /// How long a job keeps its place while it waits for its next call to a provider; for longer
    /// waits it makes room for another.
    pub patience: Duration,
    /// What happens to jobs that did not succeed.
    pub retry: RetryPolicy,
    /// Whether webhooks may be in networks that are not everybody's, and without TLS.
    pub webhooks_allow_private: bool,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            lease: Duration::from_secs(30),
            provider_timeout: Duration::from_secs(10),
            takeover_margin: Duration::from_secs(3),
            sweep_every: Duration::from_millis(500),
            schedule_every: Duration::from_secs(1),
            retention: Retention::default(),
            patience: Duration::from_secs(3),
            retry: RetryPolicy::default(),
            webhooks_allow_private: false,
        }
    }
}

/// What a worker works with.
#[derive(Debug, Clone)]
pub struct WorkerContext {
    /// Where jobs and secrets are.
    pub store: Store,
    /// Bell and completion signal.
    pub queue: Queue,
    /// Asks GitHub for roles, in GitHub mode.
    pub roles: Option<Arc<Roles>>,
    /// Clients of the providers.
    pub providers: Arc<Registry>,
    /// Key of the hashes by which values are recognised.
    pub fingerprint_key: FingerprintKey,
    /// Time and randomness.
    pub ambient: Ambient,
    /// When to stop.
    pub lifecycle: Lifecycle,
    /// How it works.
    pub options: WorkerOptions,
    /// This process; new with each start.
    pub name: String,
}

/// Runs a worker until the process is to stop. Running jobs are finished; when time is up they are
/// handed back.
pub async fn run(context: WorkerContext) {
    let engine = Arc::new(engine::Engine::new(context));
    consumer::run(engine).await;
}
