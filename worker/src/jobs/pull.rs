//! Pull: the vault becomes equal to the provider. Everything is written in the transaction that
//! settles the job.

use keyway_shared::providers::{Applied, ChangeResult};
use keyway_shared::sync::plan::Action;
use keyway_shared::sync::remote::RemoteValue;

use super::Run;
use super::finished::{Finished, VaultWrites};
use super::outcomes::{Earlier, outcomes};
use super::refusal::refused;
use crate::engine::Failure;

impl Run<'_> {
    pub(super) async fn pull(&self) -> Result<Finished, Failure> {
        let scene = self.scene(true).await?;
        let decision = self.decide(&scene);
        if let Some(refusal) = &decision.refusal {
            return Err(refused(refusal, false));
        }
        // Everything is written at the end and at once, so that no run has an earlier one's effects.
        let plan = self.follow(&scene, decision.plan, false)?.plan;
        let rows = scene.view.at(&scene.destination);
        let mut vault = VaultWrites {
            place: Some(scene.place.clone()),
            ..VaultWrites::default()
        };
        let mut applied = Applied::default();
        for planned in &plan.keys {
            let value = rows.get(planned.key.as_str()).map(|row| &row.value);
            match (planned.action, value) {
                (Action::Create | Action::Update, Some(RemoteValue::Known(value))) => {
                    vault.values.insert(planned.key.clone(), value.clone());
                }
                (Action::Delete, None) => vault.deletes.push(planned.key.clone()),
                // A value that was not read is never written as something else: the key is told as
                // not attempted.
                _ => continue,
            }
            applied.results.push(ChangeResult {
                key: planned.key.clone(),
                action: planned.action,
                result: Ok(None),
            });
        }
        let outcomes = outcomes(&plan, &Earlier::default(), &applied, None);
        let mut finished = Finished::sync(self.job, outcomes, None);
        if finished.error.is_none() {
            let changed =
                i64::from(!vault.values.is_empty()) + i64::from(!vault.deletes.is_empty());
            finished.synced = Some((scene.place.clone(), scene.vault.revision + changed));
        }
        finished.vault = vault;
        Ok(finished)
    }
}
