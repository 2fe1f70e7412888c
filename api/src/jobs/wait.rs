//! Waiting for a job that was just accepted. The job does not depend on it: a caller that goes away
//! ends the wait, not the job.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use keyway_shared::domain::job::{Job, JobClass, JobKind, JobState, NewJob};
use keyway_shared::queue::Waiter;
use keyway_shared::store::{Accepted, StoreError, Tx};
use serde_json::Value;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::Patience;
use crate::error::ApiError;
use crate::state::ApiState;

/// A signal may be lost; the row is not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A job that is about to be accepted, and the ear for its end.
#[derive(Debug)]
pub(crate) struct Pending {
    /// The job.
    pub(super) id: Uuid,
    waiter: Waiter,
}

/// How a wait ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The job has ended, with what its caller is answered.
    Finished(Box<Job>, Option<Value>),
    /// It has not. Set when it is known when it will go on.
    Unfinished(Option<DateTime<Utc>>),
    /// It has not, and nobody knows when it will be let go on.
    Paused,
}

impl Pending {
    /// Begins to listen, before anything can happen to the job that could be missed.
    pub(crate) fn new(state: &ApiState, id: Uuid) -> Self {
        Self {
            id,
            waiter: state.queue.waiter(id),
        }
    }

    /// Adds the job to the unit of work, or joins a sync that is equal and has not started. To be
    /// followed by [`Pending::ring`]. Tells whether it is a new one.
    pub(crate) async fn accept(
        state: &ApiState,
        tx: &mut Tx,
        job: &NewJob,
    ) -> Result<(Self, bool), ApiError> {
        let accepted = match job.kind {
            JobKind::Sync => tx.accept_job(job).await?,
            // Who reads wants to see what is there now.
            JobKind::Preview | JobKind::Diff | JobKind::Status | JobKind::Webhook => {
                tx.insert_job(job).await?;
                Accepted::New
            }
        };
        // Until the unit of work ends nobody can start either.
        Ok(match accepted {
            Accepted::New => (Self::new(state, job.id), true),
            Accepted::Joined(id) => (Self::new(state, id), false),
        })
    }

    /// Wakes a worker, once the unit of work was committed.
    pub(crate) async fn ring(&self, state: &ApiState) {
        state.queue.ring(self.id, JobClass::Interactive).await;
    }

    /// The job.
    pub(crate) const fn id(&self) -> Uuid {
        self.id
    }

    /// Waits until the job has ended, but no longer than the caller's patience, and not at all when
    /// the job itself waits for longer than that or this process is to stop.
    pub(super) async fn end(
        &self,
        state: &ApiState,
        patience: &mut Patience,
    ) -> Result<Ending, ApiError> {
        let until = Instant::now() + patience.wait;
        // A job that was accepted a moment ago has not ended: the first thing to do is to listen.
        let mut listened = false;
        loop {
            let last = Instant::now() >= until || state.lifecycle.soft.is_cancelled();
            let seen = if listened || last {
                self.look(state).await.map(Some)
            } else {
                Ok(None)
            };
            listened = true;
            match seen {
                Ok(None) => {}
                Ok(Some(Some((job, result)))) if job.state.is_final() => {
                    return Ok(Ending::Finished(Box::new(job), result));
                }
                Ok(Some(Some((job, _)))) => {
                    let due = (job.state == JobState::Waiting).then_some(job.due_at);
                    let left = until.saturating_duration_since(Instant::now());
                    let patient_until =
                        state.ambient.now() + TimeDelta::from_std(left).unwrap_or_default();
                    if job.state != JobState::Running && self.is_paused(state).await? {
                        return Ok(Ending::Paused);
                    }
                    if last || due.is_some_and(|due| due > patient_until) {
                        return Ok(Ending::Unfinished(due));
                    }
                }
                // The vault went away, and its jobs with it.
                Ok(Some(None)) => return Err(ApiError::not_found("job")),
                // The job was accepted. That storage is away just now does not change that.
                Err(error) if error.is_transient() && !last => {}
                Err(error) => return Err(error.into()),
            }
            patience.held.keep(state).await;
            let left = until.saturating_duration_since(Instant::now());
            tokio::select! {
                _ = timeout(left.min(LOOK_EVERY), self.waiter.changed()) => {}
                () = state.lifecycle.soft.cancelled() => {}
            }
        }
    }

    async fn is_paused(&self, state: &ApiState) -> Result<bool, StoreError> {
        let mut tx = state.store.begin_read_statement().await?;
        let paused = tx.is_job_paused(self.id).await?;
        tx.commit().await?;
        Ok(paused)
    }

    async fn look(&self, state: &ApiState) -> Result<Option<(Job, Option<Value>)>, StoreError> {
        let mut tx = state.store.begin_read_statement().await?;
        let job = tx.job_with_result(self.id).await?;
        tx.commit().await?;
        if job.as_ref().is_some_and(|(job, _)| job.state.is_final()) {
            state.store.settle_on_disk().await?;
        }
        Ok(job)
    }
}
