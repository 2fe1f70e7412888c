//! Writing down how a run ended: in one transaction, and only while the lease is still held.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::job::{ErrorCode, Job, JobClass, JobKind, JobState};
use keyway_shared::providers::ProviderError;
use keyway_shared::store::{Handback, Settlement, StoreError, Tx};
use uuid::Uuid;

use super::guard::Stop;
use super::retry::Decision;
use super::{Engine, Failure, Outcome, Undelivered};
use crate::jobs::{Finished, Learnt};

/// Tries of a settle that fails because the database is away. Between them the lease runs on; when
/// it ends, another worker starts over, which is safe.
const TRIES: usize = 5;

/// How long a reader leaves a project alone that a job writes to.
const LOOK_AGAIN: TimeDelta = TimeDelta::milliseconds(500);

/// What is written.
enum Entry {
    End(Box<Finished>),
    Back {
        state: JobState,
        due_at: DateTime<Utc>,
        reason: String,
        code: Option<ErrorCode>,
        counts: bool,
        waited_ms: i64,
    },
}

/// What was written.
struct Written {
    at: DateTime<Utc>,
    /// The project's next job, which is free to go.
    next: Option<(Uuid, JobClass)>,
    /// Deliveries that tell of it.
    told: Vec<Uuid>,
}

impl Engine {
    pub(super) async fn settle(
        &self,
        job: &Job,
        lease_id: Uuid,
        outcome: Outcome,
        learnt: Learnt,
        calls: u64,
    ) {
        let mut learnt = learnt;
        let project_key = learnt
            .project_key
            .take()
            .or_else(|| job.project_key.clone());
        let project_key = project_key.as_deref();
        let mut entry = match outcome {
            Outcome::Done(finished) => Entry::End(finished),
            Outcome::Again(Failure::Stopped(Stop::LeaseLost)) => {
                self.suspect(project_key).await;
                return;
            }
            Outcome::Again(failure) => self.decide(job, failure, &learnt).await,
        };
        for left in (0..TRIES).rev() {
            let written = self
                .write(job, lease_id, &entry, &learnt, calls, project_key)
                .await;
            match written {
                Ok(Some(written)) => {
                    self.tell(job, &entry, &written).await;
                    return;
                }
                Ok(None) => {
                    self.suspect(project_key).await;
                    return;
                }
                Err(error) if left > 0 && error.is_transient() => {
                    tracing::warn!(%error, "a job could not be settled yet");
                    pause().await;
                }
                Err(error) if left > 0 && !error.is_transient() => {
                    // It would fail again and again: end the job with a text that cannot be at
                    // fault, and without what could not be written.
                    tracing::error!(%error, "a job could not be settled as it ended");
                    let message = "What the job found out could not be stored.".to_owned();
                    learnt = Learnt::default();
                    entry = Entry::End(Box::new(Finished::failed(
                        job,
                        ErrorCode::Internal,
                        message,
                        &learnt,
                    )));
                }
                Err(error) => {
                    tracing::error!(%error, "a job could not be settled; it starts over later");
                    return;
                }
            }
        }
    }

    /// What happens to a job whose run did not come to its end.
    async fn decide(&self, job: &Job, failure: Failure, learnt: &Learnt) -> Entry {
        let now = self.now().await;
        let queued = |reason: &str, due_at: DateTime<Utc>| Entry::Back {
            state: JobState::Queued,
            due_at,
            reason: reason.to_owned(),
            code: None,
            counts: false,
            waited_ms: 0,
        };
        let error = match failure {
            // The project's next writer is rung when this one ends; readers look for themselves.
            Failure::Busy if job.kind == JobKind::Sync => {
                return queued("another job has the project", now);
            }
            Failure::Busy => return queued("a job writes to the project", now + LOOK_AGAIN),
            Failure::Unasked(wait) => {
                return queued("GitHub cannot be asked for roles", now + wait);
            }
            Failure::Renewing(wait) => {
                return queued("the connection's token is renewed", now + wait);
            }
            Failure::Stopped(Stop::Cancelled) => {
                let message = "The job was cancelled.".to_owned();
                return Entry::End(Box::new(Finished::cancelled(job, message, learnt)));
            }
            Failure::Undelivered(undelivered) => {
                return self.redeliver(job, undelivered, now, learnt);
            }
            Failure::Ended(code, message) => {
                return Entry::End(Box::new(Finished::failed(job, code, message, learnt)));
            }
            Failure::Stopped(_) => return queued("handed back by a worker that stopped", now),
            Failure::Store(error) if !error.is_transient() => {
                tracing::error!(%error, "the job failed for a reason of ours");
                let message = "The job failed for a reason of ours.".to_owned();
                let code = ErrorCode::Internal;
                return Entry::End(Box::new(Finished::failed(job, code, message, learnt)));
            }
            // Not the receiver's fault, and so none of the attempts that it has.
            Failure::Store(_) if job.kind == JobKind::Webhook => {
                return queued("the database was away", now + LOOK_AGAIN);
            }
            // The database is away: try again as with a provider that is.
            Failure::Store(_) => ProviderError::Unavailable,
            Failure::Provider(error) => error,
        };
        let jitter = self.context.ambient.fraction();
        let attempt = u32::try_from(job.attempt).unwrap_or(u32::MAX);
        let policy = self.options().retry;
        let (pause, counts) =
            match policy.decide(attempt, &error, self.context.ambient.now(), jitter) {
                Decision::Fail => {
                    return Entry::End(Box::new(Finished::from_error(job, &error, learnt)));
                }
                Decision::Retry(pause) => (pause, true),
                Decision::Wait(pause) => (pause, false),
            };
        let due_at = now + pause;
        if counts {
            metrics::counter!("keyway_job_retries_total",
                "kind" => job.kind.as_str(), "reason" => error.outcome())
            .increment(1);
        } else {
            let provider = learnt.provider.map_or("unknown", ProviderName::as_str);
            metrics::counter!("keyway_job_waits_total",
                "provider" => provider, "reason" => error.outcome())
            .increment(1);
        }
        let reason = error.waiting_reason();
        let until = due_at.to_rfc3339_opts(SecondsFormat::Millis, true);
        tracing::info!(reason, until, "the job waits");
        Entry::Back {
            state: JobState::Waiting,
            due_at,
            reason: reason.to_owned(),
            code: Some(error.code()),
            counts,
            waited_ms: if counts { 0 } else { pause.as_millis() as i64 },
        }
    }

    /// What happens to a delivery that was not taken.
    fn redeliver(
        &self,
        job: &Job,
        undelivered: Undelivered,
        now: DateTime<Utc>,
        learnt: &Learnt,
    ) -> Entry {
        let jitter = self.context.ambient.fraction();
        let Some(pause) = undelivered.pause(job.attempt, jitter) else {
            let Undelivered { code, message, .. } = undelivered;
            return Entry::End(Box::new(Finished::failed(job, code, message, learnt)));
        };
        let due_at = now + pause;
        let code = undelivered.code;
        metrics::counter!("keyway_job_retries_total",
            "kind" => job.kind.as_str(), "reason" => code.as_str())
        .increment(1);
        tracing::info!(reason = code.as_str(), until = %due_at, "the delivery waits");
        Entry::Back {
            state: JobState::Waiting,
            due_at,
            reason: "the webhook did not take it".to_owned(),
            code: Some(code),
            counts: true,
            waited_ms: 0,
        }
    }

    /// Nothing when the lease is lost, and then nothing was written.
    async fn write(
        &self,
        job: &Job,
        lease_id: Uuid,
        entry: &Entry,
        learnt: &Learnt,
        calls: u64,
        project_key: Option<&str>,
    ) -> Result<Option<Written>, StoreError> {
        let mut tx = self.store().begin().await?;
        let mut synced = None;
        let held = match entry {
            Entry::End(finished) => {
                if finished.synced.is_some() {
                    synced = Some(job.request.direction);
                }
                let settlement = Settlement {
                    id: job.id,
                    lease_id,
                    state: finished.state,
                    error_code: finished.error.as_ref().map(|(code, _)| *code),
                    error: finished.error.as_ref().map(|(_, message)| message.clone()),
                    provider_calls_add: calls as i64,
                    rate_limited_ms_add: 0,
                    progress_done: finished.progress.0,
                    progress_total: finished.progress.1,
                };
                tx.settle_job(&settlement).await?
            }
            Entry::Back {
                state,
                due_at,
                reason,
                code,
                counts,
                waited_ms,
            } => {
                tx.wait_job(&Handback {
                    id: job.id,
                    lease_id,
                    due_at: *due_at,
                    reason,
                    counts: *counts,
                    provider_calls_add: calls as i64,
                    rate_limited_ms_add: *waited_ms,
                    state: *state,
                    error_code: *code,
                    project_key: learnt.busy_project.as_deref(),
                })
                .await?
            }
        };
        let Some(now) = held else {
            return Ok(None);
        };
        let mut told = learnt.write(&mut tx, job, synced, now).await?;
        match entry {
            Entry::End(finished) => {
                finished.write_report(&mut tx, job, calls, now).await?;
                let activity = self.context.ambient.new_id();
                told.extend(finished.write(&mut tx, job, activity, now).await?);
            }
            Entry::Back { .. } => learnt.keep_done(&mut tx, job).await?,
        }
        // With the settle, or not at all: a ring may be lost, and so may we before we ring.
        let next = match project_key {
            Some(key) => tx.next_in_project(key, now).await?,
            None => None,
        };
        tx.commit().await?;
        Ok(Some(Written {
            at: now,
            next,
            told,
        }))
    }

    /// The one write of a worker whose lease is gone: a call of ours may have landed after the next
    /// worker looked, so nothing that is remembered of the project can be relied on.
    async fn suspect(&self, project_key: Option<&str>) {
        tracing::warn!("the lease was lost; the project's fingerprints are dropped");
        metrics::counter!("keyway_lease_losses_total").increment(1);
        let Some(project_key) = project_key else {
            return;
        };
        for left in (0..TRIES).rev() {
            match self.mark_suspect(project_key).await {
                Ok(()) => return,
                // Nobody else knows of it: what kept the lease from being renewed may still last.
                Err(error) if left > 0 && error.is_transient() => {
                    tracing::warn!(%error, "a suspect project could not be marked yet");
                    pause().await;
                }
                Err(error) => {
                    tracing::error!(%error, "a suspect project could not be marked");
                    return;
                }
            }
        }
    }

    async fn mark_suspect(&self, project_key: &str) -> Result<(), StoreError> {
        let mut tx = self.store().begin().await?;
        tx.drop_project_fingerprints(project_key).await?;
        let now = tx.now().await?;
        tx.suspect_links(project_key, now).await?;
        tx.commit().await
    }

    /// After the commit: wakes the caller, and the project's next job.
    async fn tell(&self, job: &Job, entry: &Entry, written: &Written) {
        if let Entry::End(finished) = entry {
            let state = finished.state.as_str();
            metrics::counter!(
                "keyway_jobs_total", "kind" => job.kind.as_str(), "outcome" => state
            )
            .increment(1);
            metrics::histogram!("keyway_job_duration_seconds",
                "kind" => job.kind.as_str(), "class" => job.class.as_str())
            .record((written.at - job.created_at).as_seconds_f64().max(0.0));
            tracing::info!(
                state,
                code = finished.error.as_ref().map(|(code, _)| code.as_str()),
                "the job ended"
            );
        }
        // A job that waits concerns its caller too, who may not want to.
        self.queue().announce(job.id).await;
        if let Some((id, class)) = written.next {
            self.queue().ring(id, class).await;
        }
        self.queue()
            .ring_all(&written.told, JobClass::Background)
            .await;
    }

    async fn now(&self) -> DateTime<Utc> {
        let now = async {
            let mut tx: Tx = self.store().begin_read().await?;
            tx.now().await
        };
        // The database is away, and with it its clock; ours does for a pause.
        now.await.unwrap_or_else(|_| self.context.ambient.now())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "between tries of one write that ends a run"
)]
async fn pause() {
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
}
