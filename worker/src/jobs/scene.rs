//! Both sides of a job, looked at in the order that is safe: who asks, then the provider's place,
//! then the exclusion key, then the vault and the remote side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use keyway_shared::domain::connection::{Connection, ConnectionStatus, Credential};
use keyway_shared::domain::job::{ErrorCode, JobKind, project_key};
use keyway_shared::domain::vault::{Role, VaultSnapshot};
use keyway_shared::providers::{Provider, ProviderError, Session};
use keyway_shared::secret::Secret;
use keyway_shared::sync::options::Direction;
use keyway_shared::sync::planner::{Decision, Inputs, NameRules, Refusal, plan, unverified};
use keyway_shared::sync::remote::{Destination, Fingerprint, RemoteValue, RemoteView};

use super::Run;
use super::learnt::Place;
use crate::engine::Failure;

/// Single values read at the same time.
const READS_AT_ONCE: usize = 8;

pub(super) struct Scene {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) session: Session,
    pub(super) destination: Destination,
    pub(super) place: Place,
    pub(super) vault: VaultSnapshot,
    pub(super) view: RemoteView,
    fingerprints: BTreeMap<String, Fingerprint>,
    managed: BTreeSet<String>,
    foreign: BTreeSet<String>,
    /// This pair was synced with success before.
    pub(super) synced_before: bool,
}

/// The slot under which what a pull wrote to the vault is remembered: not the destination's own,
/// where it would count as written to the provider.
fn managed_slot(slot: &str, direction: Direction) -> String {
    match direction {
        Direction::Push => slot.to_owned(),
        Direction::Pull => format!("pull:{slot}"),
    }
}

impl Run<'_> {
    /// Looks at both sides. With `values`, remote values that matter and are not known are read.
    pub(super) async fn scene(&self, values: bool) -> Result<Scene, Failure> {
        let (connection, credential) = self.authorise().await?;
        let provider = self
            .engine
            .context
            .providers
            .get(connection.provider)
            .ok_or_else(|| gone("The connection's provider is not available here."))?;
        let session = self.session(credential);
        match self.look(&*provider, &session, values).await {
            Ok((destination, place, rest)) => Ok(Scene {
                provider,
                session,
                destination,
                place,
                ..rest
            }),
            Err(failure) => Err(self.judge(&*provider, &session, failure).await),
        }
    }

    /// A 403 may mean a missing right or a dead credential; who the credential belongs to tells.
    pub(super) async fn judge(
        &self,
        provider: &dyn Provider,
        session: &Session,
        failure: Failure,
    ) -> Failure {
        let dead = match &failure {
            Failure::Provider(ProviderError::Unauthorized) => true,
            Failure::Provider(ProviderError::Forbidden) => matches!(
                provider.account(session).await,
                Err(ProviderError::Unauthorized)
            ),
            _ => false,
        };
        if dead {
            self.learn(|learnt| learnt.credential_dead = true);
            return Failure::Provider(ProviderError::Unauthorized);
        }
        failure
    }

    /// Whoever asked must still be allowed to, at every start.
    async fn authorise(&self) -> Result<(Connection, Credential), Failure> {
        let job = self.job;
        let mut tx = self.engine.store().begin_read().await?;
        let access = tx.find_vault_by_id(job.user_id, job.vault_id).await?;
        let environment = tx
            .find_environment_by_id(job.vault_id, job.environment_id)
            .await?;
        let connection = tx
            .connection_credential(job.user_id, job.connection_id)
            .await?;
        tx.commit().await?;
        let writes_vault = job.kind == JobKind::Sync && job.request.direction == Direction::Pull;
        let deletes = job.kind == JobKind::Sync && job.request.allow_delete;
        let needed = if writes_vault || deletes {
            Role::Write
        } else {
            Role::Read
        };
        if access.is_none_or(|access| access.role < needed) {
            return Err(gone(
                "The one who asked may no longer do this in the vault.",
            ));
        }
        if environment.is_none() {
            return Err(gone("The vault's environment is gone."));
        }
        let (connection, credential) = connection.ok_or_else(|| gone("The connection is gone."))?;
        if connection.status == ConnectionStatus::NeedsReconnect {
            return Err(Failure::Provider(ProviderError::Unauthorized));
        }
        Ok((connection, credential))
    }

    async fn look(
        &self,
        provider: &dyn Provider,
        session: &Session,
        values: bool,
    ) -> Result<(Destination, Place, Scene), Failure> {
        let request = &self.job.request;
        let project_id = if provider.is_canonical_project(&request.project_id) {
            request.project_id.clone()
        } else {
            provider.project(session, &request.project_id).await?.id
        };
        let key = project_key(
            provider.descriptor().name,
            provider.api_origin(),
            &project_id,
        );
        if self.job.kind == JobKind::Sync {
            self.take(&key).await?;
            self.close_open_splits(provider, session, &key).await?;
        }
        let destination = provider
            .destination(
                session,
                &project_id,
                request.service_id.as_deref(),
                &request.provider_environment,
                request.git_branch.as_deref(),
            )
            .await?;
        let place = Place {
            project_key: key,
            slot: destination.slot(),
        };
        self.learn(|learnt| learnt.place = Some(place.clone()));
        let mut scene = self
            .read_vault(provider, session, &destination, &place)
            .await?;
        scene.view = provider.list(session, &destination).await?;
        if values {
            self.read_values(provider, session, &destination, &mut scene)
                .await?;
        }
        Ok((destination, place, scene))
    }

    /// A project that was given by name has its key from here on.
    async fn take(&self, key: &str) -> Result<(), Failure> {
        if self.job.project_key.as_deref() == Some(key) {
            return Ok(());
        }
        let mut tx = self.engine.store().begin().await?;
        if !tx.take_project(self.job.id, self.lease_id, key).await? {
            return Err(Failure::Busy);
        }
        tx.commit().await?;
        Ok(())
    }

    /// The vault and what we remember of the place, in one snapshot taken after the claim.
    async fn read_vault(
        &self,
        provider: &dyn Provider,
        session: &Session,
        destination: &Destination,
        place: &Place,
    ) -> Result<Scene, Failure> {
        let job = self.job;
        let (environment, key, slot) = (job.environment_id, &place.project_key, &place.slot);
        let managed_slot = managed_slot(slot, job.request.direction);
        let mut tx = self.engine.store().begin_read().await?;
        let vault = tx.read_environment(job.vault_id, environment).await?;
        let fingerprints = tx.fingerprints(environment, key, slot).await?;
        let managed = tx.written_keys(environment, key, &managed_slot).await?;
        let foreign = tx.foreign_keys(key, slot, environment).await?;
        let synced = tx.last_sync(environment, key, slot, None).await?;
        tx.commit().await?;
        let provider = self
            .engine
            .context
            .providers
            .get(provider.descriptor().name);
        Ok(Scene {
            provider: provider.ok_or_else(|| gone("The provider is not available here."))?,
            session: session.clone(),
            destination: destination.clone(),
            place: place.clone(),
            vault,
            view: RemoteView::default(),
            fingerprints: fingerprints
                .into_iter()
                .map(|print| (print.key.clone(), print))
                .collect(),
            managed,
            foreign,
            synced_before: synced.is_some(),
        })
    }

    /// Reads what no fingerprint answers for, several at a time.
    async fn read_values(
        &self,
        provider: &dyn Provider,
        session: &Session,
        destination: &Destination,
        scene: &mut Scene,
    ) -> Result<(), Failure> {
        let wanted: Vec<(String, String)> = self.with_inputs(scene, |inputs| {
            unverified(inputs)
                .into_iter()
                .map(|row| (row.id.clone(), row.key.clone()))
                .collect()
        });
        let reads = wanted.into_iter().map(|(id, key)| async move {
            let read = provider.read(session, destination, &id).await?;
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
        Ok(())
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
        let provider = &scene.provider;
        f(&Inputs {
            request: &self.job.request,
            automatic: false,
            vault: &scene.vault,
            view: &scene.view,
            destination: &scene.destination,
            fingerprints: &scene.fingerprints,
            mac: &|key, value| self.mac(&scene.place, key, value),
            managed: &scene.managed,
            foreign: &scene.foreign,
            rules: NameRules {
                is_reserved: &|key| provider.is_reserved(key),
                allows: &|key| provider.allows_name(key),
                max_variables: provider.descriptor().max_variables,
            },
        })
    }

    /// The plan, or why there is none.
    pub(super) fn decide(&self, scene: &Scene) -> Decision {
        self.with_inputs(scene, plan)
    }
}

/// A refusal as the end of a job: nothing was written.
pub(super) fn refused(refusal: &Refusal) -> Failure {
    let (code, message) = match refusal {
        Refusal::VaultCorrupt(keys) => (
            ErrorCode::VaultCorrupt,
            format!(
                "These secrets of the vault cannot be decrypted: {}. Nothing was written.",
                keys.join(", ")
            ),
        ),
        Refusal::EmptySource => (
            ErrorCode::EmptySource,
            "The source has no secrets, and deletion is allowed: that would delete everything. \
             Confirm with confirmEmptySource. Nothing was written."
                .to_owned(),
        ),
        Refusal::TooManyDeletes { planned, allowed } => (
            ErrorCode::TooManyDeletes,
            format!(
                "An automatic sync would delete {planned} keys, and may delete {allowed}. \
                 Nothing was written."
            ),
        ),
        Refusal::TooManySecrets { planned, allowed } => (
            ErrorCode::TooManySecrets,
            format!(
                "The target would hold {planned} variables, and takes at most {allowed}. \
                 Nothing was written."
            ),
        ),
    };
    Failure::Ended(code, message)
}

fn gone(message: &str) -> Failure {
    Failure::Ended(ErrorCode::AuthorityGone, message.to_owned())
}
