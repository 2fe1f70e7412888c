//! What happened, for people.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::check::Past;
use crate::database::RunRow;
use crate::faults::{Fault, Injected};
use crate::ledger::Wrong;

#[derive(Default)]
struct Line {
    times: usize,
    jobs: usize,
    lost: usize,
    wrong: usize,
    recoveries: Vec<TimeDelta>,
}

/// The table: each fault, how often, how many jobs it met, what became of them, and how long it took
/// until they went on.
pub(crate) fn print(past: &Past, wrong: &[Wrong]) {
    let mut lines: BTreeMap<Fault, Line> = BTreeMap::new();
    let runs = by_job(&past.runs);
    for (at, injected) in past.injected.iter().enumerate() {
        let until = past.injected.get(at + 1).map(|next| next.from);
        let line = lines.entry(injected.fault).or_default();
        line.times += 1;
        line.wrong += wrong
            .iter()
            .filter(|one| one.at >= injected.from && until.is_none_or(|until| one.at < until))
            .count();
        for job in &past.jobs {
            let none = Vec::new();
            let runs = runs.get(&job.id).unwrap_or(&none);
            let Some(recovery) = recovery(injected, job.created_at, job.finished_at, runs) else {
                continue;
            };
            line.jobs += 1;
            line.lost += usize::from(!job.is_final());
            line.recoveries.push(recovery);
        }
    }
    println!(
        "{:<36}{:>6}{:>7}{:>6}{:>7}{:>10}{:>10}",
        "fault", "times", "jobs", "lost", "wrong", "median", "worst"
    );
    for (fault, mut line) in lines {
        line.recoveries.sort_unstable();
        let show = |time: Option<&TimeDelta>| {
            time.map_or("-".to_owned(), |time| {
                format!("{:.2} s", time.num_milliseconds() as f64 / 1000.0)
            })
        };
        println!(
            "{:<36}{:>6}{:>7}{:>6}{:>7}{:>10}{:>10}",
            fault.name(),
            line.times,
            line.jobs,
            line.lost,
            line.wrong,
            show(line.recoveries.get(line.recoveries.len() / 2)),
            show(line.recoveries.last()),
        );
    }
}

fn by_job(runs: &[RunRow]) -> BTreeMap<Uuid, Vec<&RunRow>> {
    let mut jobs: BTreeMap<Uuid, Vec<&RunRow>> = BTreeMap::new();
    for run in runs {
        jobs.entry(run.job_id).or_default().push(run);
    }
    jobs
}

/// How long a job that the fault met took to go on; none when it did not meet it. What killed or
/// stopped its worker: until its next run began. Redis away: jobs accepted meanwhile, from its
/// return until their first run. Else, for what was unfinished when it was over: until anything
/// became of it.
fn recovery(
    injected: &Injected,
    created: DateTime<Utc>,
    finished: Option<DateTime<Utc>>,
    runs: &[&RunRow],
) -> Option<TimeDelta> {
    let Injected { from, over, .. } = *injected;
    match injected.fault {
        Fault::KillWorker | Fault::StopWorker | Fault::KillServe => {
            let at = runs.iter().position(|run| {
                run.outcome == "lost"
                    && (run.started_at..=run.finished_at).contains(&from)
                    && injected
                        .worker
                        .as_ref()
                        .is_none_or(|worker| *worker == run.worker)
            })?;
            let next = runs.get(at + 1).map(|run| run.started_at);
            Some(next.or(finished)? - from)
        }
        Fault::RedisDown => {
            (from..=over).contains(&created).then_some(())?;
            let first = runs.first()?.started_at;
            Some((first - over).max(TimeDelta::zero()))
        }
        _ => {
            let unfinished = created <= over && finished.is_none_or(|finished| finished > over);
            unfinished.then_some(())?;
            let ends = runs.iter().filter(|run| run.outcome != "lost");
            let signs: BTreeSet<_> = ends
                .map(|run| run.finished_at)
                .chain(runs.iter().map(|run| run.started_at))
                .chain(finished)
                .filter(|at| *at >= over)
                .collect();
            Some(*signs.first()? - over)
        }
    }
}
