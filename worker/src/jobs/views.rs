//! Jobs that only look: preview, diff, status.

use std::collections::BTreeSet;

use keyway_shared::domain::report::{DiffReport, PreviewReport, StatusReport};
use keyway_shared::providers::{CallFamily, Cost};
use keyway_shared::sync::options::Direction;
use keyway_shared::sync::plan::{Action, Reason};
use keyway_shared::sync::planner::{Decision, Refusal};
use keyway_shared::sync::remote::RowOwner;
use keyway_shared::sync::saved::save;
use keyway_shared::sync::warnings::warnings;

use super::Run;
use super::finished::{Answer, Finished};
use super::refusal::refused;
use super::scene::Scene;
use crate::engine::Failure;

impl Run<'_> {
    /// What a sync would do. A sync that would be refused for its extent is still shown; a damaged
    /// vault cannot be.
    pub(super) async fn preview(&self) -> Result<Finished, Failure> {
        let scene = self.scene(true).await?;
        let decision = self.decide(&scene);
        if let Some(refusal @ Refusal::VaultCorrupt(_)) = &decision.refusal {
            return Err(refused(refusal, false));
        }
        let (warnings, saved) = self.with_inputs(&scene, |inputs| {
            let refusal = decision.refusal.as_ref();
            // Nobody could name the plan of a look that nobody asked for.
            let saved =
                (refusal.is_none() && !self.is_automatic()).then(|| save(inputs, &decision.plan));
            (warnings(inputs, &decision.plan, refusal), saved)
        });
        let cost = self.cost(&scene, &decision);
        let told = scene.session.calls.told();
        let budget = cost.warning(&scene.provider.descriptor().budgets, told);
        let warnings = scene.caveats.iter().cloned().chain(warnings).chain(budget);
        let mut report = PreviewReport {
            provider_calls: cost.total() as u64,
            warnings: warnings.collect(),
            plan_id: saved
                .is_some()
                .then(|| self.engine.context.ambient.new_id()),
            ..PreviewReport::default()
        };
        for planned in decision.plan.keys {
            let list = match planned.action {
                Action::Create => &mut report.to_create,
                Action::Update => &mut report.to_update,
                Action::Delete => &mut report.to_delete,
                Action::Skip => &mut report.to_skip,
            };
            list.push(planned.key.clone());
            report.reasons.insert(planned.key, planned.reason);
        }
        Ok(Finished {
            saved,
            ..Finished::view(Answer::Preview(report))
        })
    }

    /// What a sync costs that comes right after this preview. One that is refused only looks; a pull writes
    /// to the vault.
    fn cost(&self, scene: &Scene, decision: &Decision) -> Cost {
        let writes = self.job.request.direction == Direction::Push && decision.refusal.is_none();
        let (view, destination) = (&scene.view, &scene.destination);
        let mut cost = if writes {
            scene.provider.cost(view, destination, &decision.plan)
        } else {
            Cost::default()
        };
        cost.add(CallFamily::Read, scene.calls_to_see + scene.reads_to_come);
        cost
    }

    /// How the two sides differ. Names of the platform are on neither side.
    pub(super) async fn diff(&self) -> Result<Finished, Failure> {
        let scene = self.scene(true).await?;
        let decision = self.decide(&scene);
        if let Some(refusal @ Refusal::VaultCorrupt(_)) = &decision.refusal {
            return Err(refused(refusal, false));
        }
        let theirs = self.remote_keys(&scene);
        let reserved = scene.provider.descriptor().reserved;
        let is_ours = |key: &str| !reserved.has(key);
        let ours: BTreeSet<&str> = scene.vault.values.keys().map(String::as_str).collect();
        let mut report = DiffReport {
            keyway_count: ours.len() as u64,
            provider_count: theirs.len() as u64,
            only_in_keyway: ours
                .iter()
                .filter(|key| is_ours(key) && !theirs.contains(**key))
                .map(ToString::to_string)
                .collect(),
            only_in_provider: theirs
                .iter()
                .filter(|key| !ours.contains(**key))
                .map(ToString::to_string)
                .collect(),
            ..DiffReport::default()
        };
        // The job's direction is push: each key that both have is compared by the plan.
        for planned in &decision.plan.keys {
            let key = planned.key.as_str();
            if !ours.contains(key) || !theirs.contains(key) {
                continue;
            }
            let list = match planned.reason {
                Reason::Unchanged => &mut report.same,
                Reason::Changed => &mut report.different,
                _ => &mut report.unverifiable,
            };
            list.push(planned.key.clone());
        }
        Ok(Finished::view(Answer::Diff(report)))
    }

    /// What is on either side, without reading a single value.
    pub(super) async fn status(&self) -> Result<Finished, Failure> {
        let scene = self.scene(false).await?;
        let count = self.remote_keys(&scene).len() as u64;
        Ok(Finished::view(Answer::Status(StatusReport {
            is_first_sync: !scene.synced_before,
            vault_is_empty: scene.vault.values.is_empty() && scene.vault.corrupt.is_empty(),
            provider_has_secrets: count > 0,
            provider_secret_count: count,
        })))
    }

    /// Keys at the destination that are not the platform's.
    #[expect(clippy::unused_self, reason = "reads like its siblings")]
    fn remote_keys<'s>(&self, scene: &'s Scene) -> BTreeSet<&'s str> {
        let reserved = scene.provider.descriptor().reserved;
        let rows = scene.view.at(&scene.destination);
        rows.into_iter()
            .filter(|(key, row)| row.owner != RowOwner::Platform && !reserved.has(key))
            .map(|(key, _)| key)
            .collect()
    }
}
