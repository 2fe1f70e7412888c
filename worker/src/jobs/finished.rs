//! How a job ended, and what is written with that.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use keyway_shared::domain::activity::{Action as Deed, Activity, Platform};
use keyway_shared::domain::job::{ErrorCode, Job, JobClass, JobKind, JobState};
use keyway_shared::domain::report::{
    DiffReport, KeyOutcome, PreviewReport, RolloutUnit, StatusReport, SyncReport, SyncStatus,
};
use keyway_shared::domain::webhook::Event;
use keyway_shared::providers::ProviderError;
use keyway_shared::secret::Secret;
use keyway_shared::store::{DestinationNews, StoreError, StoredPlan, Tx};
use keyway_shared::sync::options::Direction;
use keyway_shared::sync::plan::Action;
use keyway_shared::sync::saved::SavedPlan;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Learnt;
use super::learnt::Place;
use super::link_run::end_overdue_run;
use super::memory::pulled_slot;

/// How long a sync may name the plan of a preview.
const PLAN_VALID: TimeDelta = TimeDelta::minutes(15);

/// How long the trash keeps what a pull deletes.
const TRASH_DAYS: i64 = 30;

/// What a caller is answered, by kind of job.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Sync,
    Preview(PreviewReport),
    Diff(DiffReport),
    Status(StatusReport),
    /// A job that answers with its error only.
    Nothing,
}

/// What a pull writes to the vault.
#[derive(Debug, Default)]
pub(crate) struct VaultWrites {
    /// Where it comes from.
    pub(crate) place: Option<Place>,
    pub(crate) values: BTreeMap<String, Secret>,
    pub(crate) deletes: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) state: JobState,
    pub(crate) error: Option<(ErrorCode, String)>,
    pub(crate) outcomes: Vec<KeyOutcome>,
    pub(crate) answer: Answer,
    pub(crate) progress: (i64, i64),
    pub(crate) vault: VaultWrites,
    /// Set when everything succeeded: the place, and the vault's revision that it has now.
    pub(crate) synced: Option<(Place, i64)>,
    /// Running deployments still have the old values.
    pub(crate) redeploy: bool,
    /// Each part of the destination to which the values were rolled out, if that was tried.
    pub(crate) rollout: Option<Vec<RolloutUnit>>,
    /// What a preview showed, for a sync that is to do exactly that.
    pub(crate) saved: Option<SavedPlan>,
}

impl Finished {
    /// A sync that came to its end, with what became of each key, and why it is not all that was asked
    /// for where no key tells that.
    pub(crate) fn sync(
        job: &Job,
        outcomes: Vec<KeyOutcome>,
        error: Option<(ErrorCode, String)>,
    ) -> Self {
        let report = SyncReport::new(job.id, &outcomes, error.as_ref());
        let state = match report.status {
            SyncStatus::Success => JobState::Succeeded,
            SyncStatus::Partial => JobState::Partial,
            SyncStatus::Error => JobState::Failed,
        };
        let done = outcomes.iter().filter(|outcome| !outcome.failed()).count() as i64;
        Self {
            state,
            error: error.or_else(|| report.error_code.zip(report.error.clone())),
            progress: (done, outcomes.len() as i64),
            redeploy: report.stats.total > 0,
            rollout: None,
            outcomes,
            answer: Answer::Sync,
            vault: VaultWrites::default(),
            synced: None,
            saved: None,
        }
    }

    /// A reader's answer.
    pub(crate) fn view(answer: Answer) -> Self {
        Self {
            state: JobState::Succeeded,
            error: None,
            outcomes: Vec::new(),
            answer,
            progress: (0, 0),
            vault: VaultWrites::default(),
            synced: None,
            redeploy: false,
            rollout: None,
            saved: None,
        }
    }

    /// A job that cannot be done. What it did before it found out is told.
    pub(crate) fn failed(job: &Job, code: ErrorCode, message: String, learnt: &Learnt) -> Self {
        let outcomes = learnt.done.clone();
        let is_sync = job.kind == JobKind::Sync;
        Self {
            state: if outcomes.is_empty() {
                JobState::Failed
            } else {
                JobState::Partial
            },
            error: Some((code, message)),
            progress: (outcomes.len() as i64, job.progress_total),
            redeploy: !outcomes.is_empty(),
            rollout: None,
            outcomes,
            answer: if is_sync {
                Answer::Sync
            } else {
                Answer::Nothing
            },
            vault: VaultWrites::default(),
            synced: None,
            saved: None,
        }
    }

    /// The same, for a provider's error.
    pub(crate) fn from_error(job: &Job, error: &ProviderError, learnt: &Learnt) -> Self {
        Self::failed(job, error.code(), sentence(error), learnt)
    }

    /// A job that somebody stopped.
    pub(crate) fn cancelled(job: &Job, message: String, learnt: &Learnt) -> Self {
        Self {
            state: JobState::Cancelled,
            ..Self::failed(job, ErrorCode::Cancelled, message, learnt)
        }
    }

    /// What the caller is answered, and what became of each key.
    pub(crate) async fn write_report(
        &self,
        tx: &mut Tx,
        job: &Job,
        calls: u64,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let outcomes = (!self.outcomes.is_empty()).then(|| json!(self.outcomes));
        let result = self.result_json(job, calls, now);
        if outcomes.is_none() && result.is_none() {
            return Ok(());
        }
        tx.write_report(job.id, outcomes.as_ref(), result.as_ref())
            .await
    }

    fn result_json(&self, job: &Job, calls: u64, now: DateTime<Utc>) -> Option<Value> {
        match &self.answer {
            Answer::Sync => Some(json!(self.report(job, calls))),
            Answer::Preview(report) => {
                let mut report = report.clone();
                report.plan_expires_at = report.plan_id.map(|_| now + PLAN_VALID);
                Some(json!(report))
            }
            Answer::Diff(report) => Some(json!(report)),
            Answer::Status(report) => Some(json!(report)),
            Answer::Nothing => None,
        }
    }

    fn report(&self, job: &Job, calls: u64) -> SyncReport {
        // The keys' failures speak for themselves unless the whole job failed.
        let failed: BTreeSet<ErrorCode> = self
            .outcomes
            .iter()
            .filter_map(|outcome| outcome.code)
            .collect();
        let fatal = self
            .error
            .as_ref()
            .filter(|(code, _)| !failed.contains(code) || self.outcomes.is_empty());
        let mut report = SyncReport::new(job.id, &self.outcomes, fatal);
        if self.state == JobState::Cancelled {
            report = report.cancelled();
        }
        report.redeploy_required = self.redeploy && job.request.direction == Direction::Push;
        report.rollout.clone_from(&self.rollout);
        report.provider_calls = job.provider_calls.unsigned_abs() + calls;
        report.rate_limited_ms = job.rate_limited_ms.unsigned_abs();
        report
    }

    /// What belongs into the transaction that settles the job. Gives the deliveries that its end is
    /// told with.
    pub(crate) async fn write(
        &self,
        tx: &mut Tx,
        job: &Job,
        activity_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let (vault, environment) = (job.vault_id, job.environment_id);
        let (by, until) = (Some(job.user_id), now + TimeDelta::days(TRASH_DAYS));
        if !self.vault.values.is_empty() {
            tx.replace_secrets(
                vault,
                environment,
                &self.vault.values,
                false,
                by,
                now,
                until,
            )
            .await?;
        }
        if !self.vault.deletes.is_empty() {
            tx.delete_keys(vault, environment, &self.vault.deletes, now, until)
                .await?;
        }
        if let Some(place) = &self.vault.place {
            // What a pull wrote is what a later one may delete where it is confined to that.
            let news = DestinationNews {
                written: self.vault.values.keys().cloned().collect(),
                removed: self.vault.deletes.clone(),
                ..DestinationNews::default()
            };
            let (key, slot) = (&place.project_key, pulled_slot(&place.slot));
            tx.note_destination(environment, key, &slot, &news, now)
                .await?;
        }
        let request = &job.request;
        if let Some((place, _)) = &self.synced {
            tx.touch_links(
                environment,
                &place.project_key,
                request.service_id.as_deref(),
                &[&place.scope, &request.provider_environment],
                request.git_branch.as_deref(),
                now,
            )
            .await?;
        }
        if let (Answer::Preview(report), Some(saved)) = (&self.answer, &self.saved)
            && let Some(id) = report.plan_id
        {
            tx.insert_plan(&StoredPlan {
                id,
                user_id: job.user_id,
                vault_id: vault,
                environment_id: environment,
                connection_id: job.connection_id,
                request: request.clone(),
                plan: saved.clone(),
                created_at: now,
                expires_at: now + PLAN_VALID,
                job_id: None,
            })
            .await?;
        }
        // An automatic sync that found nothing to do is not worth an entry, nor the telling.
        let idle = job.class == JobClass::Background
            && self.state == JobState::Succeeded
            && self.rollout.is_none()
            && self.outcomes.iter().all(|one| one.action == Action::Skip);
        let mut told = Vec::new();
        if job.kind == JobKind::Sync && !idle {
            let report = self.report(job, 0);
            if write_activity(tx, job, &report, activity_id, now).await?
                && let Some(event) = Event::sync_ended(job, self.state, &self.outcomes, &report)
            {
                told = tx.publish(vault, &event).await?;
            }
        }
        told.extend(self.end_link_run(tx, job, now).await?);
        Ok(told)
    }
}

/// Notes that a sync ended, well or not. Tells whether somebody may want to hear of it.
async fn write_activity(
    tx: &mut Tx,
    job: &Job,
    report: &SyncReport,
    id: Uuid,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let entry = Activity {
        id,
        at,
        action: Deed::SecretsSynced,
        user_id: Some(job.user_id),
        username: String::new(),
        vault_id: Some(job.vault_id),
        repo_full_name: None,
        platform: Platform::Api,
        ip: None,
        api_key_id: None,
        session_id: None,
        request_id: None,
        metadata: json!({
            "jobId": job.id,
            "direction": job.request.direction,
            "environment": job.request.keyway_environment,
            "projectId": job.request.project_id,
            "providerEnvironment": job.request.provider_environment,
            "count": report.stats.total,
            "failed": report.failed,
            "status": report.status,
            "errorCode": report.error_code,
            "rolledOut": report.rollout.as_ref().map(Vec::len),
        }),
    };
    tx.insert_job_activity(&entry, job.id).await
}

/// Tells the log, the link and the webhooks of a job that ended without a run of its own, past its
/// time. Gives the deliveries.
pub(crate) async fn tell_overdue(
    tx: &mut Tx,
    id: Uuid,
    activity_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, StoreError> {
    let Some(job) = tx.job_snapshot(id).await? else {
        return Ok(Vec::new());
    };
    end_overdue_run(tx, &job).await?;
    if job.kind != JobKind::Sync {
        return Ok(Vec::new());
    }
    let why = job.error_code.zip(job.error.clone());
    let report = SyncReport::new(job.id, &[], why.as_ref());
    let listens = write_activity(tx, &job, &report, activity_id, now).await?;
    match Event::sync_ended(&job, job.state, &[], &report) {
        Some(event) if listens => tx.publish(job.vault_id, &event).await,
        _ => Ok(Vec::new()),
    }
}

/// A provider's error for people, who see nothing else of it.
pub(crate) fn sentence(error: &ProviderError) -> String {
    match error {
        ProviderError::Unauthorized => {
            "The provider no longer accepts this connection. Connect again.".to_owned()
        }
        ProviderError::Forbidden => {
            "The connection lacks a right at the provider that this needs.".to_owned()
        }
        ProviderError::NotFound => {
            "The provider does not know the project, or does not show it to this connection."
                .to_owned()
        }
        ProviderError::Invalid { message, code, .. } => format!("{message} ({code})."),
        ProviderError::UnknownEnvironment { .. } => format!("{error}."),
        ProviderError::RateLimited { .. } => "The provider limits requests.".to_owned(),
        ProviderError::Conflict => {
            "Another change was in the way at the provider, again and again.".to_owned()
        }
        ProviderError::Held { .. } => "The provider is unavailable.".to_owned(),
        ProviderError::Unavailable => "The provider did not work, again and again.".to_owned(),
        ProviderError::Timeout => {
            "The provider did not answer in time, again and again.".to_owned()
        }
        ProviderError::OutcomeUnknown => {
            "The provider did not confirm a change, again and again.".to_owned()
        }
        ProviderError::Protocol => {
            "The provider's answers could not be understood, again and again.".to_owned()
        }
        ProviderError::Stopped => "The job was stopped.".to_owned(),
    }
}
