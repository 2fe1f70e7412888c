//! What must be true when everything is over.

use std::collections::{BTreeMap, BTreeSet};

use crate::database::{JobRow, RunRow};
use crate::deployment::Deployment;
use crate::faults::{Fault, Injected};
use crate::ledger::Ledger;
use crate::simulator::Call;

/// Why a sync may fail while a provider does not work. Anything else would be our own doing.
const PASSING: [&str; 6] = [
    "unavailable",
    "provider-error",
    "conflict",
    "outcome-unknown",
    "rate-limited",
    "not-attempted",
];

/// Everything that is known of the past.
pub(crate) struct Past {
    pub(crate) jobs: Vec<JobRow>,
    pub(crate) runs: Vec<RunRow>,
    pub(crate) calls: Vec<Call>,
    pub(crate) injected: Vec<Injected>,
}

impl Past {
    pub(crate) async fn read(deployment: &Deployment, injected: Vec<Injected>) -> Self {
        Self {
            jobs: deployment.database.jobs().await.unwrap(),
            runs: deployment.database.runs().await.unwrap(),
            calls: deployment.simulator.calls().await,
            injected,
        }
    }

    /// Nothing that was accepted is lost, and nothing failed by a fault of ours.
    pub(crate) fn jobs_are_final(&self, ledger: &Ledger) {
        let known: BTreeSet<_> = self.jobs.iter().map(|job| job.id).collect();
        for told in ledger.all_told() {
            if !known.contains(&told) {
                ledger.wrong(format!("job {told} was accepted and is not there"));
            }
        }
        for job in &self.jobs {
            if !job.is_final() {
                ledger.wrong(format!("job {} is {} for ever", job.id, job.state));
            }
            let code = job.error_code.as_deref();
            let is_passing = code.is_none_or(|code| PASSING.contains(&code));
            let lost = self.runs_of(job).filter(|run| run.outcome == "lost");
            let is_poison = code == Some("poison") && lost.count() >= 3;
            if !is_passing && !is_poison {
                ledger.wrong(format!("job {} {}: {code:?}", job.id, job.state));
            }
        }
    }

    fn runs_of(&self, job: &JobRow) -> impl Iterator<Item = &RunRow> {
        let id = job.id;
        self.runs.iter().filter(move |run| run.job_id == id)
    }

    /// The writes that each project got: as soon as another run has written, the one before does
    /// not write any more. Gives how many came late from a worker that had been stopped, which no
    /// lease can prevent.
    pub(crate) fn one_writer_at_a_time(&self, ledger: &Ledger) -> usize {
        let mut projects: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for call in self.calls.iter().filter(|call| call.writes()) {
            if let (Some(project), Some(run)) = (&call.project, call.run()) {
                projects.entry(project).or_default().push(run);
            }
        }
        let mut late = 0;
        for (project, writes) in projects {
            let mut over = BTreeSet::new();
            let mut last = None;
            for run in writes {
                if last == Some(run) {
                    continue;
                }
                over.extend(last);
                last = Some(run);
                if !over.contains(&run) {
                    continue;
                }
                if self.was_stopped(run) {
                    late += 1;
                } else {
                    let (job, run) = run;
                    ledger.wrong(format!(
                        "run {run} of {job} wrote to {project} after the next"
                    ));
                }
            }
        }
        late
    }

    fn was_stopped(&self, (job, run): (&str, &str)) -> bool {
        let of_run = |row: &&RunRow| row.job_id.to_string() == job && row.run.to_string() == run;
        let Some(row) = self.runs.iter().find(of_run) else {
            return false;
        };
        let mut stops = self
            .injected
            .iter()
            .filter(|one| one.fault == Fault::StopWorker);
        stops.any(|stop| stop.worker.as_ref() == Some(&row.worker) && row.outcome == "lost")
    }

    /// Calls that were made by jobs.
    pub(crate) fn calls_of_jobs(&self) -> usize {
        self.calls
            .iter()
            .filter(|call| call.run().is_some())
            .count()
    }

    /// Of those, the ones that the provider refused because there were too many.
    pub(crate) fn limited(&self) -> usize {
        let limited = |call: &&Call| call.status == Some(429);
        self.calls.iter().filter(limited).count()
    }
}
