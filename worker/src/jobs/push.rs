//! Push: the provider becomes equal to the vault.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keyway_shared::domain::job::ErrorCode;
use keyway_shared::domain::report::KeyOutcome;
use keyway_shared::providers::{
    Applied, ApplyOptions, Change, ChangeFailure, ChangeResult, ProviderError, Receipt,
};
use keyway_shared::sync::plan::{Action, Plan, Reason};

use super::finished::{Finished, sentence};
use super::journal::SqlJournal;
use super::outcomes::{Earlier, outcomes, set_out};
use super::refusal::refused;
use super::scene::Scene;
use super::{Learnt, Run};
use crate::engine::Failure;
use crate::engine::guard::Stop;

impl Run<'_> {
    pub(super) async fn push(&self) -> Result<Finished, Failure> {
        self.load_done().await?;
        let scene = self.scene(true).await?;
        let decision = self.decide(&scene);
        let recorded = self.recorded().await?;
        if let Some(refusal) = &decision.refusal {
            return Err(refused(refusal, recorded.is_some()));
        }
        let rest = self.follow(&scene, decision.plan, recorded.is_some())?;
        let plan = rest.plan;
        let set_out = self.record(recorded, &plan, &rest.changed).await?;
        let earlier = Earlier::new(set_out, &plan, scene.view.incomplete.is_some());
        self.learn_from_the_view(&scene, &plan, &earlier);
        let changes: Vec<Change> = plan
            .keys
            .iter()
            .filter(|planned| planned.action != Action::Skip)
            .filter(|planned| !rest.changed.contains(&planned.key))
            // Deletes only when everything before them can succeed.
            .filter(|planned| planned.action != Action::Delete || rest.changed.is_empty())
            .map(|planned| Change {
                key: planned.key.clone(),
                action: planned.action,
                value: scene
                    .vault
                    .values
                    .get(&planned.key)
                    .cloned()
                    .filter(|_| planned.action != Action::Delete),
            })
            .collect();
        let applied = if changes.is_empty() {
            Applied::default()
        } else {
            self.apply(&scene, &changes).await
        };
        self.learn_from(&scene, &applied, &changes);
        let fatal = match applied.stopped.clone() {
            None => None,
            Some(error) => {
                let failure = self
                    .judge(&scene.provider, &scene.session, Failure::Provider(error))
                    .await;
                match failure {
                    // What may pass is tried again; the rest ends the job, which tells what it did.
                    Failure::Provider(error) if !is_final(&error) => return Err(error.into()),
                    Failure::Provider(error) => Some(error),
                    failure => return Err(failure),
                }
            }
        };
        let mut applied = applied;
        applied.results.extend(left_alone(&rest.changed, &plan));
        let outcomes = outcomes(&plan, &earlier, &applied, fatal.as_ref());
        let error = fatal.map(|error| (error.code(), sentence(&error)));
        let error = error.or_else(|| self.undeleted(&scene));
        let rollout = match &error {
            None => self.roll_out(&scene, &outcomes).await?,
            Some(_) => None,
        };
        let error = error.or_else(|| rollout.as_ref()?.error.clone());
        let mut finished = Finished::sync(self.job, outcomes, error);
        finished.redeploy |= self.job.request.rollout && scene.rollout_due;
        if let Some(rollout) = rollout {
            finished.redeploy = rollout.error.is_some();
            finished.rollout = rollout.units;
        }
        if finished.error.is_none() {
            finished.synced = Some((scene.place.clone(), scene.vault.revision));
        }
        Ok(finished)
    }

    /// Whether what is to be deleted could not be known.
    fn undeleted(&self, scene: &Scene) -> Option<(ErrorCode, String)> {
        let is_blind = self.job.request.allow_delete && scene.view.incomplete.is_some();
        is_blind.then(|| {
            let message =
                "The provider showed only a part of its variables, so nothing was deleted.";
            (ErrorCode::IncompleteView, message.to_owned())
        })
    }

    /// Records what the job sets out to do before the write that does it, and gives that for all its
    /// runs so far. A later run adds to it what an earlier one did not see, or found otherwise.
    async fn record(
        &self,
        recorded: Option<Plan>,
        plan: &Plan,
        left_alone: &BTreeSet<String>,
    ) -> Result<Plan, Failure> {
        let set_out = match &recorded {
            Some(recorded) => set_out(recorded, plan, left_alone),
            None if plan.writes() => plan.clone(),
            None => return Ok(Plan::default()),
        };
        // Also when it says nothing new: see `Engine::claim`.
        if plan.writes() {
            let json = serde_json::json!(set_out);
            let mut tx = self.engine.store().begin_statement().await?;
            if !tx.record_plan(self.job.id, self.lease_id, &json).await? {
                return Err(Failure::Stopped(Stop::LeaseLost));
            }
            tx.commit().await?;
        }
        Ok(set_out)
    }

    /// What earlier runs of this job recorded before they wrote.
    async fn recorded(&self) -> Result<Option<Plan>, Failure> {
        if self.job.run <= 1 {
            return Ok(None);
        }
        let mut tx = self.engine.store().begin_read_statement().await?;
        let report = tx.find_report(self.job.id).await?;
        tx.commit().await?;
        let recorded = report.and_then(|report| report.planned);
        Ok(recorded.map(|json| serde_json::from_value(json).unwrap_or_default()))
    }

    /// What earlier runs of this job are known to have done.
    async fn load_done(&self) -> Result<(), Failure> {
        if self.job.run <= 1 {
            return Ok(());
        }
        let mut tx = self.engine.store().begin_read().await?;
        let report = tx.find_report(self.job.id).await?;
        tx.commit().await?;
        let done: Vec<KeyOutcome> = report
            .and_then(|report| report.outcomes)
            .and_then(|json| serde_json::from_value(json).ok())
            .unwrap_or_default();
        self.learn(|learnt| learnt.done = done);
        Ok(())
    }

    /// What this job had planned to write and now finds written is its own doing, as the report says:
    /// the answer, and with it the mark of having written, was lost on the way. A mark whose row is
    /// gone goes too: who makes such a row later makes their own.
    fn learn_from_the_view(&self, scene: &Scene, plan: &Plan, earlier: &Earlier) {
        self.learn(|learnt| {
            let written = plan.keys.iter().filter(|one| earlier.found_written(one));
            learnt.written.extend(written.map(|one| one.key.clone()));
            if scene.view.incomplete.is_none() {
                let rows = scene.view.at(&scene.destination);
                let gone = scene
                    .managed
                    .iter()
                    .filter(|key| !rows.contains_key(key.as_str()));
                learnt.deleted.extend(gone.cloned());
            }
        });
    }

    async fn apply(&self, scene: &Scene, changes: &[Change]) -> Applied {
        self.guard.total.store(changes.len(), Ordering::Relaxed);
        let journal = SqlJournal {
            store: self.engine.store(),
            ambient: &self.engine.context.ambient,
            guard: Arc::clone(&self.guard),
            job: self.job,
            project_key: &scene.place.project_key,
            before: 0,
        };
        let options = ApplyOptions {
            variable_type: self.job.request.variable_type,
        };
        scene
            .provider
            .apply(
                &scene.session,
                &scene.destination,
                &scene.view,
                changes,
                options,
                &journal,
            )
            .await
    }

    /// Fingerprints come from each write's own answer; of a change without an answer nothing is
    /// known any more.
    fn learn_from(&self, scene: &Scene, applied: &Applied, changes: &[Change]) {
        let answered: BTreeMap<&str, _> = applied
            .results
            .iter()
            .map(|result| (result.key.as_str(), &result.result))
            .collect();
        self.learn(|learnt| {
            for change in changes {
                match answered.get(change.key.as_str()) {
                    Some(Ok(receipt)) => {
                        if self.job.request.rollout {
                            learnt.rollout_due = Some(true);
                        }
                        self.learn_write(learnt, scene, change, receipt.as_ref());
                    }
                    Some(Err(_)) | None => learnt.forget(&change.key),
                }
            }
        });
    }

    fn learn_write(
        &self,
        learnt: &mut Learnt,
        scene: &Scene,
        change: &Change,
        receipt: Option<&Receipt>,
    ) {
        let key = &change.key;
        learnt.done.retain(|done| done.key != *key);
        learnt.done.push(KeyOutcome {
            key: key.clone(),
            action: change.action,
            reason: match change.action {
                Action::Create => Reason::Missing,
                Action::Delete => Reason::Extra,
                _ => Reason::Changed,
            },
            variable_type: receipt.and_then(|receipt| receipt.kind.clone()),
            code: None,
            message: None,
        });
        let Some(value) = &change.value else {
            learnt.deleted.insert(key.clone());
            return;
        };
        learnt.written.insert(key.clone());
        learnt.deleted.remove(key);
        let stamped = receipt.and_then(|receipt| Some((receipt, receipt.stamp.as_ref()?)));
        match stamped {
            Some((receipt, stamp)) => {
                let print = self.fingerprint(&scene.place, key, &receipt.remote_id, stamp, value);
                learnt.fingerprint(print);
            }
            None => learnt.forget(key),
        }
    }
}

/// Keys of a saved plan that somebody changed after an earlier run of the job had begun.
fn left_alone(changed: &BTreeSet<String>, plan: &Plan) -> Vec<ChangeResult> {
    let keys = plan.keys.iter();
    keys.filter(|planned| changed.contains(&planned.key))
        .map(|planned| ChangeResult {
            key: planned.key.clone(),
            action: planned.action,
            result: Err(ChangeFailure {
                code: ErrorCode::Conflict,
                message: "changed since the preview, and was left alone".to_owned(),
            }),
        })
        .collect()
}

/// Errors that no later run would be spared.
pub(super) const fn is_final(error: &ProviderError) -> bool {
    !error.is_transient() && !matches!(error, ProviderError::Stopped)
}
