//! What our own side knows of a place: the vault, what is remembered of the provider's values, and
//! what other jobs do there.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use keyway_shared::domain::job::JobKind;
use keyway_shared::domain::vault::VaultSnapshot;
use keyway_shared::store::{SplitRecord, Tx};
use keyway_shared::sync::options::Direction;
use keyway_shared::sync::remote::{Destination, Fingerprint};
use keyway_shared::sync::saved::SavedPlan;
use keyway_shared::sync::warnings::Warning;

use super::Run;
use super::learnt::Place;
use super::refusal::gone;
use crate::engine::Failure;

/// All of it, of one moment.
pub(super) struct Memory {
    pub(super) destination: Destination,
    pub(super) place: Place,
    pub(super) open_splits: Vec<SplitRecord>,
    pub(super) vault: VaultSnapshot,
    pub(super) fingerprints: BTreeMap<String, Fingerprint>,
    pub(super) managed: BTreeSet<String>,
    pub(super) foreign: BTreeSet<String>,
    pub(super) synced_before: bool,
    pub(super) rollout_due: bool,
    pub(super) saved: Option<SavedPlan>,
    /// For readers: a job of ours writes to the project, and when that was looked up.
    pub(super) is_written: bool,
    pub(super) recalled_at: DateTime<Utc>,
}

impl Memory {
    /// Why what a reader sees may not be what a sync will find.
    pub(super) fn caveats(&self) -> Vec<Warning> {
        let mut caveats = Vec::new();
        if self.is_written {
            caveats.push(Warning::sync_running());
        } else if !self.open_splits.is_empty() {
            let splits = self.open_splits.iter();
            let here = splits.filter(|record| record.split.destination == self.destination);
            let keys: BTreeSet<_> = here.map(|record| record.split.key.clone()).collect();
            if !keys.is_empty() {
                caveats.push(Warning::open_split(keys.into_iter().collect()));
            }
        }
        caveats
    }
}

/// The slot under which what a pull wrote to the vault is remembered: not the destination's own,
/// where it would count as written to the provider.
pub(super) fn pulled_slot(slot: &str) -> String {
    format!("pull:{slot}")
}

impl Run<'_> {
    /// The vault and what we remember of the place.
    pub(super) async fn recall(
        &self,
        tx: &mut Tx,
        destination: Destination,
        place: Place,
    ) -> Result<Memory, Failure> {
        let job = self.job;
        let (environment, key, slot) = (job.environment_id, &place.project_key, &place.slot);
        let (is_written, recalled_at) = match job.kind {
            JobKind::Sync => (false, job.created_at),
            JobKind::Preview | JobKind::Diff | JobKind::Status | JobKind::Webhook => {
                let now = tx.now().await?;
                (tx.is_project_written(key).await?, now)
            }
        };
        let open_splits = tx.open_splits(key).await?;
        let vault = tx.read_environment(job.vault_id, environment).await?;
        let known = tx.known_destination(environment, key, slot).await?;
        let (synced_at, rollout_due) = (known.synced_at(), known.rollout_due);
        // Whose a key is matters to deletes only.
        let (managed, foreign) = match (job.request.allow_delete, job.request.direction) {
            (false, _) => Default::default(),
            (true, Direction::Push) => (
                known.written,
                tx.foreign_keys(key, slot, environment).await?,
            ),
            (true, Direction::Pull) => {
                let pulled = tx
                    .known_destination(environment, key, &pulled_slot(slot))
                    .await?;
                let foreign = tx.foreign_keys(key, slot, environment).await?;
                (pulled.written, foreign)
            }
        };
        let saved = match job.request.plan_id {
            None => None,
            Some(id) => {
                let plan = tx.find_plan(job.user_id, id).await?;
                Some(plan.ok_or_else(|| gone("The plan is gone."))?.plan)
            }
        };
        Ok(Memory {
            destination,
            place,
            open_splits,
            vault,
            fingerprints: known.fingerprints,
            managed,
            foreign,
            synced_before: synced_at.is_some(),
            rollout_due,
            saved,
            is_written,
            recalled_at,
        })
    }

    /// The same, in a unit of work of its own.
    pub(super) async fn recall_alone(
        &self,
        destination: Destination,
        place: Place,
    ) -> Result<Memory, Failure> {
        let mut tx = self.engine.store().begin_read().await?;
        let memory = self.recall(&mut tx, destination, place).await?;
        tx.commit().await?;
        Ok(memory)
    }
}
