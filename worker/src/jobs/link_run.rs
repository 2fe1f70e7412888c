//! What the end of a link's run means for the link.

use chrono::{DateTime, Utc};
use keyway_shared::domain::job::{Job, JobClass};
use keyway_shared::domain::report::PreviewReport;
use keyway_shared::domain::upkeep::{Ending, LastRun};
use keyway_shared::domain::webhook::Event;
use keyway_shared::store::{StoreError, Tx};
use uuid::Uuid;

use super::Finished;
use super::finished::Answer;

impl Finished {
    /// Tells the link whose run it was, if it was one.
    pub(super) async fn end_link_run(
        &self,
        tx: &mut Tx,
        job: &Job,
        now: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let Some(link) = job.request.link_id else {
            return Ok(Vec::new());
        };
        let drift = match &self.answer {
            Answer::Preview(report) => Some(drifted(report)),
            _ => None,
        };
        let ending = Ending {
            run: LastRun {
                job_id: job.id,
                at: now,
                state: self.state,
                error_code: self.error.as_ref().map(|(code, _)| *code),
            },
            accepted_at: job.created_at,
            automatic: job.class == JobClass::Background,
            synced: self.synced.as_ref().map(|(_, revision)| *revision),
            verified: job.request.verify,
            drift,
        };
        match tx.end_link_run(link, &job.request, ending).await? {
            Some(keys) => {
                let event = Event::drift_detected(job, &keys);
                tx.publish(job.vault_id, &event).await
            }
            None => Ok(Vec::new()),
        }
    }
}

/// Tells the link whose run it was of a job that ended past its time, if it was one's.
pub(super) async fn end_overdue_run(tx: &mut Tx, job: &Job) -> Result<(), StoreError> {
    let (Some(link), Some(at)) = (job.request.link_id, job.finished_at) else {
        return Ok(());
    };
    let ending = Ending {
        run: LastRun {
            job_id: job.id,
            at,
            state: job.state,
            error_code: job.error_code,
        },
        accepted_at: job.created_at,
        automatic: job.class == JobClass::Background,
        synced: None,
        verified: false,
        drift: None,
    };
    tx.end_link_run(link, &job.request, ending).await?;
    Ok(())
}

/// The keys that a sync would write.
fn drifted(report: &PreviewReport) -> Vec<String> {
    let lists = [&report.to_create, &report.to_update, &report.to_delete];
    let mut keys: Vec<String> = lists.into_iter().flatten().cloned().collect();
    keys.sort_unstable();
    keys
}
