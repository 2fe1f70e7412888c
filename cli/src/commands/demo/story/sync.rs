//! A sync, and the calls that it made.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{REPO, Story};
use crate::commands::demo::screen::Screen;
use crate::commands::demo::stage;
use crate::commands::demo::wire::{Job, Report, Started};
use crate::failure::{Failure, Outcome};

/// How long one sync may take.
const PATIENCE: Duration = Duration::from_mins(2);

impl Story<'_> {
    pub(super) async fn sync(&mut self, screen: &mut Screen, heading: &str) -> Outcome<Report> {
        screen.step(heading)?;
        self.stage.begin_step();
        let path = format!("/v1/integrations/vaults/{REPO}/sync");
        let begun = self.ambient.elapsed();
        let started: Started = self.client.start(&path, &json!(self.selection())).await?;
        let job = self.follow(screen, &started.job_id).await?;
        let took = self.ambient.elapsed().saturating_sub(begun);
        let Some(report) = job.result else {
            let code = job.error_code.as_deref().unwrap_or("no reason given");
            return Err(Failure::new(format!(
                "the sync ended as {}: {code}",
                job.state
            )));
        };
        if report.status != "success" {
            let error = report.error.as_deref().unwrap_or("no reason given");
            return Err(Failure::new(format!(
                "the sync ended as {}: {error}",
                report.status
            )));
        }
        screen.good(&format!(
            "{} created, {} updated, {} deleted, {} skipped, in {} ms",
            report.created,
            report.updated,
            report.deleted,
            report.skipped,
            took.as_millis()
        ))?;
        self.check_calls(screen, &report)?;
        Ok(report)
    }

    /// Looks at a job until it ends.
    async fn follow(&self, screen: &Screen, job: &str) -> Outcome<Job> {
        let path = format!("/v1/integrations/jobs/{job}");
        let begun = self.ambient.elapsed();
        let bar = screen.progress(self.secrets.len() as u64);
        let job = loop {
            let job: Job = self.client.get(&path, &BTreeMap::new()).await?;
            if job.progress.total > 0 {
                bar.set_length(job.progress.total);
            }
            bar.set_position(job.progress.done);
            bar.set_message(job.state.clone());
            if !matches!(job.state.as_str(), "queued" | "running" | "waiting") {
                break job;
            }
            if self.ambient.elapsed().saturating_sub(begun) > PATIENCE {
                return Err(Failure::new("the sync did not end in time"));
            }
            pause().await;
        };
        bar.finish_and_clear();
        Ok(job)
    }

    fn check_calls(&mut self, screen: &Screen, report: &Report) -> Outcome {
        let seen = self.stage.requests().len() as u64;
        if seen == report.provider_calls {
            self.tell_calls(screen, "as the report says too")
        } else {
            self.wrong += 1;
            screen.bad(&format!(
                "{} saw {seen} calls, the report says {}",
                self.provider.display_name, report.provider_calls
            ))?;
            Ok(())
        }
    }

    /// The calls that the provider saw.
    pub(super) fn tell_calls(&self, screen: &Screen, why: &str) -> Outcome {
        let requests = self.stage.requests();
        let calls = match requests.len() {
            1 => "1 call".to_owned(),
            count => format!("{count} calls"),
        };
        let name = &self.provider.display_name;
        screen.good(&format!("{name} saw {calls}, {why}"))?;
        for (kind, count) in stage::kinds(&requests) {
            screen.quiet(&format!("  {count} x {kind}"))?;
        }
        Ok(())
    }
}

/// Between two looks at a job.
#[expect(
    clippy::disallowed_methods,
    reason = "the demo polls as any client would; no job logic"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
