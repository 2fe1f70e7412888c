//! Both sides of a job, looked at in the order that is safe: who asks, then the provider's place,
//! then the exclusion key, then the vault and the remote side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt};
use keyway_shared::domain::job::{ErrorCode, JobKind, project_key};
use keyway_shared::domain::report::KeyOutcome;
use keyway_shared::domain::vault::VaultSnapshot;
use keyway_shared::providers::capabilities::{Effect, Reading};
use keyway_shared::providers::{Provider, ProviderError, Session, Target};
use keyway_shared::secret::Secret;
use keyway_shared::sync::filter::KeyFilter;
use keyway_shared::sync::options::Direction;
use keyway_shared::sync::plan::{Action, Plan, Reason};
use keyway_shared::sync::planner::{Decision, Inputs, Rules, plan, unverified};
use keyway_shared::sync::remote::{Destination, Fingerprint, RemoteValue, RemoteView};
use keyway_shared::sync::saved::{Remainder, SavedPlan, remainder, save, stale};
use keyway_shared::sync::warnings::Warning;

use super::Run;
use super::authority::{Granted, Standing};
use super::learnt::Place;
use super::memory::Memory;
use super::refusal::{denied, gone, plan_stale};
use crate::engine::Failure;

/// How long a reader waits for jobs that write to its project: less than its caller waits for it.
const READER_PATIENCE: TimeDelta = TimeDelta::seconds(15);
/// Refusals of one value after which a pull starts over later.
const REFUSALS: usize = 5;
/// Single values read at the same time.
const READS_AT_ONCE: usize = 8;

pub(super) struct Scene {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) session: Session,
    pub(super) destination: Destination,
    pub(super) place: Place,
    pub(super) vault: VaultSnapshot,
    pub(super) view: RemoteView,
    filter: KeyFilter,
    /// Why what a reader saw may not be what a sync will find.
    pub(super) caveats: Vec<Warning>,
    fingerprints: BTreeMap<String, Fingerprint>,
    pub(super) managed: BTreeSet<String>,
    foreign: BTreeSet<String>,
    /// This pair was synced with success before.
    pub(super) synced_before: bool,
    /// An earlier job wrote what was to be put into effect, and did not get so far.
    pub(super) rollout_due: bool,
    /// The revision of the vault that the link last synced, for an automatic run.
    synced_revision: Option<i64>,
    /// Calls made to see what there is, before any value was read.
    pub(super) calls_to_see: usize,
    /// Values that a job which comes right after this one has to read once more; for a preview.
    pub(super) reads_to_come: usize,
    /// The plan that the request names.
    pub(super) saved: Option<SavedPlan>,
}

fn place(provider: &dyn Provider, destination: &Destination) -> Place {
    Place {
        project_key: project_key(
            provider.descriptor().name,
            provider.api_origin(),
            &destination.project_id,
        ),
        slot: destination.slot(),
        scope: destination.scope.clone(),
    }
}

impl Run<'_> {
    /// Looks at both sides. With `values`, remote values that matter and are not known are read.
    pub(super) async fn scene(&self, values: bool) -> Result<Scene, Failure> {
        self.ask_for_role(self.job.user_id, self.job.vault_id)
            .await?;
        let mut tx = self.engine.store().begin_read().await?;
        let Granted {
            standing,
            connection,
            credential,
        } = self.authorise(&mut tx).await?;
        self.learn(|learnt| learnt.provider = Some(connection.provider));
        let provider = self
            .engine
            .context
            .providers
            .get(connection.provider)
            .ok_or_else(|| gone("The connection's provider is not available here."))?;
        // Most places are known without a call: then one snapshot, taken after the claim, tells it all.
        let team_id = connection.provider_team_id.as_deref();
        let memory = match self.known_place(&*provider, team_id) {
            Some((destination, place)) => Some(self.recall(&mut tx, destination, place).await?),
            None => None,
        };
        tx.commit().await?;
        let (connection, credential) = self.usable(&provider, connection, credential).await?;
        self.learn(|learnt| learnt.connection = Some(connection.clone()));
        let session = self.session(&*provider, &connection, credential);
        let looked = self.look(&provider, &session, &standing, memory, values);
        match looked.await {
            Ok(scene) => {
                self.proved(&provider, &connection).await;
                Ok(scene)
            }
            Err(failure) => Err(self.judge(&provider, &session, failure).await),
        }
    }

    /// The destination, when it is known without a call and, where the job writes, the project is
    /// already this job's.
    fn known_place(
        &self,
        provider: &dyn Provider,
        team_id: Option<&str>,
    ) -> Option<(Destination, Place)> {
        let request = &self.job.request;
        let target = Target::of(request, &request.project_id);
        let destination = provider.known_destination(team_id, &target)?;
        let place = place(provider, &destination);
        let taken = self.job.kind != JobKind::Sync
            || self.job.project_key.as_ref() == Some(&place.project_key);
        taken.then_some((destination, place))
    }

    async fn look(
        &self,
        provider: &Arc<dyn Provider>,
        session: &Session,
        standing: &Standing,
        memory: Option<Memory>,
        values: bool,
    ) -> Result<Scene, Failure> {
        let mut memory = if let Some(memory) = memory {
            memory
        } else {
            let (destination, place) = self.resolve(provider, session, standing).await?;
            self.recall_alone(destination, place).await?
        };
        let is_writer = self.job.kind == JobKind::Sync;
        if is_writer && !memory.open_splits.is_empty() {
            let open = std::mem::take(&mut memory.open_splits);
            self.close_splits(provider, session, open).await?;
            // What was remembered of their keys is not true any more.
            memory = self.recall_alone(memory.destination, memory.place).await?;
        }
        self.learn(|learnt| learnt.place = Some(memory.place.clone()));
        let view = if is_writer {
            provider.list(session, &memory.destination).await?
        } else {
            self.view_between_writes(&**provider, session, &mut memory)
                .await?
        };
        let filter = KeyFilter::of(&self.job.request).map_err(|error| {
            let message = format!("The request's filter cannot be used: it {error}.");
            Failure::Ended(ErrorCode::Rejected, message)
        })?;
        let caveats = memory.caveats();
        let mut scene = Scene {
            provider: Arc::clone(provider),
            session: session.clone(),
            destination: memory.destination,
            place: memory.place,
            vault: memory.vault,
            view,
            filter,
            caveats,
            fingerprints: memory.fingerprints,
            managed: memory.managed,
            foreign: memory.foreign,
            synced_before: memory.synced_before,
            rollout_due: memory.rollout_due,
            synced_revision: standing.synced_revision,
            calls_to_see: self.calls_made() as usize,
            reads_to_come: 0,
            saved: memory.saved,
        };
        if values {
            self.read_values(&mut scene).await?;
        }
        Ok(scene)
    }

    /// A list of a moment at which no job of ours was writing to the project: it waits for one that
    /// does, and looks again when one did meanwhile. Whoever has waited long enough is told instead.
    async fn view_between_writes(
        &self,
        provider: &dyn Provider,
        session: &Session,
        memory: &mut Memory,
    ) -> Result<RemoteView, Failure> {
        let waited = self.engine.context.ambient.now() - self.job.created_at;
        let is_patient = waited < READER_PATIENCE;
        if memory.is_written && is_patient {
            return Err(Failure::Busy);
        }
        let view = provider.list(session, &memory.destination).await?;
        if !memory.is_written {
            let mut tx = self.engine.store().begin_read_statement().await?;
            let since = memory.recalled_at;
            let key = &memory.place.project_key;
            memory.is_written = tx.was_project_written(key, since).await?;
            tx.commit().await?;
            if memory.is_written && is_patient {
                return Err(Failure::Busy);
            }
        }
        Ok(view)
    }

    /// Asks the provider for what the request only names. A writing job has the project from here on,
    /// and what was left half done there is closed whatever becomes of the rest.
    async fn resolve(
        &self,
        provider: &Arc<dyn Provider>,
        session: &Session,
        standing: &Standing,
    ) -> Result<(Destination, Place), Failure> {
        let request = &self.job.request;
        let project_id = if provider.is_canonical_project(&request.project_id) {
            request.project_id.clone()
        } else {
            provider.project(session, &request.project_id).await?.id
        };
        if self.job.kind == JobKind::Sync {
            let key = project_key(
                provider.descriptor().name,
                provider.api_origin(),
                &project_id,
            );
            self.take(&key).await?;
            let mut tx = self.engine.store().begin_read().await?;
            let open = tx.open_splits(&key).await?;
            tx.commit().await?;
            self.close_splits(provider, session, open).await?;
        }
        let destination = provider
            .destination(session, &Target::of(request, &project_id))
            .await?;
        if destination.is_unnamed_in(request) {
            let Standing {
                asker, environment, ..
            } = standing;
            asker
                .may_run_unnamed(self.job.kind, request, environment)
                .map_err(|why| denied(&why))?;
        }
        let place = place(&**provider, &destination);
        Ok((destination, place))
    }

    /// A project that was given by name has its key from here on.
    async fn take(&self, key: &str) -> Result<(), Failure> {
        if self.job.project_key.as_deref() == Some(key) {
            return Ok(());
        }
        let mut tx = self.engine.store().begin().await?;
        if !tx.take_project(self.job.id, self.lease_id, key).await? {
            // Kept, or it would come back at once and ask the provider for the name again and again.
            self.learn(|learnt| learnt.busy_project = Some(key.to_owned()));
            return Err(Failure::Busy);
        }
        tx.commit().await?;
        self.learn(|learnt| learnt.project_key = Some(key.to_owned()));
        Ok(())
    }

    /// Reads what no fingerprint answers for, several at a time.
    async fn read_values(&self, scene: &mut Scene) -> Result<(), Failure> {
        let wanted: Vec<(String, String)> = self.with_inputs(scene, |inputs| {
            unverified(inputs)
                .into_iter()
                .map(|row| (row.id.clone(), row.key.clone()))
                .collect()
        });
        let listed = (self.job.kind == JobKind::Preview).then(|| scene.view.rows.clone());
        let (provider, session) = (Arc::clone(&scene.provider), scene.session.clone());
        let destination = scene.destination.clone();
        let (provider, session, destination) = (&provider, &session, &destination);
        let reads = wanted.into_iter().map(|(id, key)| async move {
            let read = self.read(provider, session, destination, &id).await?;
            Ok::<_, ProviderError>((id, key, read))
        });
        let mut reads = futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        while let Some((id, key, (value, stamp))) = reads.try_next().await? {
            // Remembered at once: should a later read meet a limit, this one need not be repeated.
            if let (RemoteValue::Known(value), Some(stamp)) = (&value, &stamp) {
                let print = self.fingerprint(&scene.place, &key, &id, stamp, value);
                self.learn(|learnt| learnt.fingerprint(print.clone()));
                scene.fingerprints.insert(key, print);
            }
            if let Some(row) = scene.view.rows.iter_mut().find(|row| row.id == id) {
                row.value = value;
                row.stamp = stamp.or(row.stamp.take());
            }
        }
        if let Some(listed) = listed {
            let seen = std::mem::replace(&mut scene.view.rows, listed);
            scene.reads_to_come = self.with_inputs(scene, |inputs| unverified(inputs).len());
            scene.view.rows = seen;
        }
        Ok(())
    }

    /// Reads one value. A pull that meets a limit goes on from there once it may: the gate makes it wait.
    async fn read(
        &self,
        provider: &Arc<dyn Provider>,
        session: &Session,
        destination: &Destination,
        id: &str,
    ) -> Result<(RemoteValue, Option<String>), ProviderError> {
        let request = &self.job.request;
        let pulls = self.job.kind == JobKind::Sync && request.direction == Direction::Pull;
        let mut refusals = 0;
        loop {
            match provider.read(session, destination, id).await {
                Err(ProviderError::RateLimited { .. }) if pulls && refusals < REFUSALS => {
                    refusals += 1;
                }
                read => return read,
            }
        }
    }

    pub(super) fn fingerprint(
        &self,
        place: &Place,
        key: &str,
        remote_id: &str,
        stamp: &str,
        value: &Secret,
    ) -> Fingerprint {
        Fingerprint {
            key: key.to_owned(),
            remote_id: remote_id.to_owned(),
            stamp: stamp.to_owned(),
            mac: self.mac(place, key, value).to_vec(),
        }
    }

    fn mac(&self, place: &Place, key: &str, value: &Secret) -> [u8; 32] {
        self.engine.context.fingerprint_key.mac(
            self.job.vault_id,
            &place.project_key,
            &place.slot,
            key,
            value,
        )
    }

    pub(super) fn with_inputs<T>(&self, scene: &Scene, f: impl FnOnce(&Inputs<'_>) -> T) -> T {
        let is = scene.provider.descriptor();
        f(&Inputs {
            request: &self.job.request,
            filter: &scene.filter,
            automatic: self.is_automatic(),
            vault: &scene.vault,
            view: &scene.view,
            destination: &scene.destination,
            fingerprints: &scene.fingerprints,
            mac: &|key, value| self.mac(&scene.place, key, value),
            managed: &scene.managed,
            foreign: &scene.foreign,
            rules: Rules {
                reserved: is.reserved,
                allows: is.allows_name,
                reference: is.values.reference,
                delete_deploys: is.writes.delete_effect == Effect::Deploys,
                limits: is.limits,
            },
        })
    }

    /// Nobody changed the vault since the link's last success: what is written again is written because it
    /// cannot be read. A digest is of the value itself, and one that differs is somebody's change.
    pub(super) fn has_nothing_new(&self, scene: &Scene, outcomes: &[KeyOutcome]) -> bool {
        let written = outcomes.iter().filter(|one| one.action != Action::Skip);
        let values = scene.provider.descriptor().values;
        self.is_automatic()
            && values.reading != Reading::Digest
            && scene.synced_revision == Some(scene.vault.revision)
            && written
                .into_iter()
                .all(|one| one.reason == Reason::Unverifiable)
    }

    /// The plan, or why there is none.
    pub(super) fn decide(&self, scene: &Scene) -> Decision {
        self.with_inputs(scene, plan)
    }

    /// What a sync that names a saved plan does: exactly that, or nothing. A run that `resumes` finds
    /// effects of an earlier one and does the rest.
    pub(super) fn follow(
        &self,
        scene: &Scene,
        plan: Plan,
        resumes: bool,
    ) -> Result<Remainder, Failure> {
        let Some(saved) = &scene.saved else {
            return Ok(Remainder {
                plan,
                ..Remainder::default()
            });
        };
        let now = self.with_inputs(scene, |inputs| save(inputs, &plan));
        if resumes {
            return Ok(remainder(saved, &plan, &now));
        }
        let stale = stale(saved, &now);
        if stale.is_empty() {
            return Ok(Remainder {
                plan,
                ..Remainder::default()
            });
        }
        Err(plan_stale(&stale))
    }
}
