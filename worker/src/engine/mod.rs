//! Claim, run, settle. The row is the job: whatever happens here, it says what is true.

pub(crate) mod gatekeeper;
pub(crate) mod guard;
mod redelivery;
pub(crate) mod retry;
mod settle;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::SecondsFormat;
use futures::FutureExt;
use keyway_shared::domain::job::{ErrorCode, Job};
use keyway_shared::guarded::{CallError, GuardedClient};
use keyway_shared::lifecycle::Lifecycle;
use keyway_shared::providers::ProviderError;
use keyway_shared::queue::{Queue, Waiter};
use keyway_shared::store::{Claim, Renewal, Store, StoreError};
use tokio::sync::Semaphore;
use tracing::Instrument;
use uuid::Uuid;

use crate::jobs::{self, Learnt};
use crate::{WorkerContext, WorkerOptions};
use guard::{Guard, Stop};
pub(crate) use redelivery::Undelivered;

/// Takeovers from dead processes, without progress in between, after which a job is not run again.
const POISON: i64 = 3;
/// How often progress is written to the row.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// How a run ended.
pub(crate) enum Outcome {
    /// For good; what is to be written is in there.
    Done(Box<jobs::Finished>),
    /// Before it was done. The policy decides what happens next.
    Again(Failure),
}

/// Why a run did not come to its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A provider's error, already told apart by what can be done about it.
    Provider(ProviderError),
    /// The job itself cannot be done: it ends here, and this is why.
    Ended(ErrorCode, String),
    /// Another job has the project, or there is no room for one more delivery right now.
    Busy,
    /// GitHub cannot be asked who may do this, for so long.
    Unasked(Duration),
    /// The connection's token was just renewed, or somebody is at it for so long.
    Renewing(Duration),
    /// A webhook did not take what it was sent.
    Undelivered(Undelivered),
    /// Our own side said stop.
    Stopped(Stop),
    /// The database is away.
    Store(StoreError),
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self::Provider(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A worker's engine. One for each process.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) context: WorkerContext,
    /// Calls webhooks; made when there is the first to call.
    outward: OnceLock<GuardedClient>,
    /// Room for deliveries: receivers that are slow must not hold up the other background jobs.
    pub(crate) deliveries: Semaphore,
}

impl Engine {
    pub(crate) fn new(context: WorkerContext) -> Self {
        let deliveries = Semaphore::new((context.options.concurrency / 8).max(1));
        Self {
            context,
            outward: OnceLock::new(),
            deliveries,
        }
    }

    /// The client for addresses that users gave.
    pub(crate) fn outward(&self) -> Result<&GuardedClient, CallError> {
        if let Some(client) = self.outward.get() {
            return Ok(client);
        }
        let options = self.options();
        let client = GuardedClient::new(options.webhooks_allow_private, options.provider_timeout)?;
        Ok(self.outward.get_or_init(|| client))
    }

    pub(crate) fn name(&self) -> &str {
        &self.context.name
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.context.store
    }

    pub(crate) const fn queue(&self) -> &Queue {
        &self.context.queue
    }

    pub(crate) const fn options(&self) -> &WorkerOptions {
        &self.context.options
    }

    pub(crate) const fn lifecycle(&self) -> &Lifecycle {
        &self.context.lifecycle
    }

    /// Runs the job, if it can be claimed. A job that cannot is somebody else's, or has a later
    /// time; the sweeper comes back to it.
    pub(crate) async fn handle(&self, id: Uuid) {
        // Before the claim: who cancels a running job tells its worker, once.
        let signals = self.queue().waiter(id);
        let lease_id = self.context.ambient.new_id();
        // Reckoned from before the claim is sent: our view of the lease must not outlive the
        // database's.
        let lease_end = self.context.ambient.elapsed() + self.options().lease;
        let job = match self.claim(id, lease_id).await {
            Ok(Claim::Taken(job)) => *job,
            Ok(Claim::Busy | Claim::Gone) => return,
            Err(error) => {
                tracing::warn!(job = %id, %error, "a job could not be claimed");
                return;
            }
        };
        let span = tracing::info_span!(
            "job",
            id = %job.id,
            kind = %job.kind,
            class = %job.class,
            project = job.project_key.as_deref(),
            run = job.run,
            attempt = job.attempt,
        );
        // On the heap: its state is large, and every future around it would hold it.
        Box::pin(self.run(job, lease_id, lease_end, signals))
            .instrument(span)
            .await;
    }

    /// The claim is not waited for to reach the disk. Should the database lose it, the job is somebody
    /// else's while this run goes on; so whatever this run writes to a provider comes after a lasting
    /// record under its lease (the plan, a taken project, a confirmed lease before a repair or a rollout), which
    /// takes the claim to the disk too or finds the lease gone.
    async fn claim(&self, id: Uuid, lease_id: Uuid) -> Result<Claim, StoreError> {
        let mut tx = self.store().begin_fleeting_statement().await?;
        let claim = tx
            .claim_job(id, self.name(), lease_id, self.options().lease)
            .await?;
        tx.commit().await?;
        Ok(claim)
    }

    async fn run(&self, job: Job, lease_id: Uuid, lease_end: Duration, signals: Waiter) {
        let started = self.context.ambient.elapsed();
        let guard = Arc::new(Guard::new(
            self.context.ambient.clone(),
            lease_end,
            self.options().provider_timeout,
            self.lifecycle().hard.clone(),
        ));
        let run = jobs::Run::new(self, &job, lease_id, Arc::clone(&guard));
        let outcome = if job.takeovers >= POISON {
            let message = self.evidence(job.id).await;
            tracing::error!(%message, "the job is poison");
            Outcome::Done(Box::new(jobs::Finished::failed(
                &job,
                ErrorCode::Poison,
                message,
                &Learnt::default(),
            )))
        } else {
            let work = AssertUnwindSafe(run.execute()).catch_unwind();
            tokio::select! {
                worked = work => worked.unwrap_or_else(|_| {
                    tracing::error!("the job panicked");
                    let message = "The job failed for a reason of ours.".to_owned();
                    let failed = jobs::Finished::failed(
                        &job, ErrorCode::Internal, message, &Learnt::default());
                    Outcome::Done(Box::new(failed))
                }),
                // Ends only when the lease is lost.
                () = self.keep(&job, lease_id, &guard, &signals) => Outcome::Again(Failure::Stopped(Stop::LeaseLost)),
                () = self.out_of_time(&guard) => Outcome::Again(Failure::Stopped(Stop::Shutdown)),
            }
        };
        drop(signals);
        let outcome = match outcome {
            // Whatever else stood against it: nobody wants it any more.
            Outcome::Again(_) if guard.stop(false) == Some(Stop::Cancelled) => {
                Outcome::Again(Failure::Stopped(Stop::Cancelled))
            }
            outcome => outcome,
        };
        let calls = run.calls_made();
        let learnt = run.into_learnt();
        self.settle(&job, lease_id, outcome, learnt, calls).await;
        metrics::histogram!("keyway_job_run_seconds", "kind" => job.kind.as_str()).record(
            self.context
                .ambient
                .elapsed()
                .saturating_sub(started)
                .as_secs_f64(),
        );
    }

    /// Which workers a job stopped, and when: for its error. Its history has the rest.
    async fn evidence(&self, id: Uuid) -> String {
        let attempts = async {
            let mut tx = self.store().begin_read_statement().await?;
            let attempts = tx.list_attempts(id).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(attempts)
        };
        // Without the names it is poison all the same.
        let attempts = attempts.await.unwrap_or_default();
        let lost = attempts.iter().rev().filter(|run| run.outcome == "lost");
        let mut lost: Vec<_> = lost
            .take(POISON as usize)
            .map(|run| {
                let at = run.started_at.to_rfc3339_opts(SecondsFormat::Secs, true);
                format!("run {} on {}, begun at {at}", run.run, run.worker)
            })
            .collect();
        lost.reverse();
        format!(
            "The job stopped {POISON} workers in a row without getting on, and is not run again: {}.",
            lost.join("; ")
        )
    }

    /// Renews the lease and writes progress for as long as the job runs. Returns when the lease is
    /// somebody else's, or so near its end that it might be.
    ///
    /// A renewal also tells whether the job is to stop. A signal brings it forward, so that a person
    /// who cancels does not wait for a third of the lease; a signal that is lost costs no more than
    /// that, and a job that nobody cancels no statement.
    async fn keep(&self, job: &Job, lease_id: Uuid, guard: &Guard, signals: &Waiter) {
        let every = (self.options().lease / 3).max(Duration::from_millis(10));
        let mut renewals = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        let mut told = 0;
        loop {
            tokio::select! {
                _ = renewals.tick() => self.keep_lease(job.id, lease_id, guard).await,
                () = signals.changed() => self.keep_lease(job.id, lease_id, guard).await,
                _ = ticks.tick() => {
                    let (done, total) = (
                        guard.done.load(Ordering::Relaxed),
                        guard.total.load(Ordering::Relaxed),
                    );
                    if (done, total) != (told, 0) && total > 0 && done != told {
                        told = done;
                        let written = self.write_progress(job.id, lease_id, done, total).await;
                        if let Err(error) = written {
                            tracing::debug!(%error, "progress could not be written");
                        }
                    }
                }
            }
            if guard.stop(false) == Some(Stop::LeaseLost) {
                return;
            }
        }
    }

    /// Renews the lease and lets the guard know.
    async fn keep_lease(&self, id: Uuid, lease_id: Uuid, guard: &Guard) {
        let end = self.context.ambient.elapsed() + self.options().lease;
        match self.renew(id, lease_id).await {
            Ok(Renewal::Held { cancel_requested }) => guard.renewed(end, cancel_requested),
            Ok(Renewal::Lost) => guard.lose(),
            Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
        }
    }

    /// Waited for: a holder may rely on a renewal that the database must not forget.
    pub(crate) async fn renew(&self, id: Uuid, lease_id: Uuid) -> Result<Renewal, StoreError> {
        let mut tx = self.store().begin().await?;
        let renewal = tx.renew_lease(id, lease_id, self.options().lease).await?;
        tx.commit().await?;
        Ok(renewal)
    }

    async fn write_progress(
        &self,
        id: Uuid,
        lease_id: Uuid,
        done: usize,
        total: usize,
    ) -> Result<(), StoreError> {
        let mut tx = self.store().begin_fleeting().await?;
        tx.set_progress(id, lease_id, done as i64, total as i64)
            .await?;
        tx.commit().await
    }

    /// The process ends: running calls are given up, except between the two calls of a split.
    async fn out_of_time(&self, guard: &Guard) {
        self.lifecycle().hard.cancelled().await;
        while guard.stop(false).is_none() {
            tokio::time::interval_at(tokio::time::Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY)
                .tick()
                .await;
        }
    }
}
