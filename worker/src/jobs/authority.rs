//! With what right a run goes on. It is looked at anew at each start: roles, rules, keys and
//! connections change while a job waits.

use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_shared::domain::access::Asker;
use keyway_shared::domain::connection::{Connection, ConnectionStatus, Credential};
use keyway_shared::domain::job::JobClass;
use keyway_shared::domain::vault::Environment;
use keyway_shared::github::RoleError;
use keyway_shared::providers::ProviderError;
use keyway_shared::secret::Secret;
use keyway_shared::store::{JobOwner, SplitRecord, StoreError, Tx};
use uuid::Uuid;

use super::Run;
use super::refusal::{denied, gone};
use crate::engine::Failure;
use crate::engine::guard::Stop;

/// Who asks, and for which environment of the vault.
pub(super) struct Standing {
    pub(super) asker: Asker,
    pub(super) environment: Environment,
    /// The revision of it that the last full success of the link was about, for an automatic run.
    pub(super) synced_revision: Option<i64>,
}

/// What a run may work with.
pub(super) struct Granted {
    pub(super) standing: Standing,
    pub(super) connection: Connection,
    pub(super) credential: Credential,
}

impl Run<'_> {
    /// In GitHub mode: sees to it that a user's role is what GitHub says. Nobody is here to send a
    /// token: the one of the user's last sign-in is asked with.
    pub(super) async fn ask_for_role(&self, user: Uuid, vault: Uuid) -> Result<(), Failure> {
        let Some(roles) = &self.engine.context.roles else {
            return Ok(());
        };
        roles.of_vault(user, None, vault).await.map_err(|error| match error {
            RoleError::SignInAgain | RoleError::BadToken => gone(
                "GitHub has to be asked whether the one who asked may still do this, and takes no \
                 token of theirs. They have to sign in through GitHub again.",
            ),
            RoleError::NotNow { retry_after } => {
                Failure::Unasked(Duration::from_secs(retry_after))
            }
            RoleError::Store(error) => Failure::Store(error),
        })
    }

    /// Whoever asked must still be allowed to.
    pub(super) async fn authorise(&self, tx: &mut Tx) -> Result<Granted, Failure> {
        let job = self.job;
        let owner = JobOwner {
            user_id: job.user_id,
            vault_id: job.vault_id,
            environment_id: job.environment_id,
            connection_id: job.connection_id,
            api_key_id: job.api_key_id,
        };
        let authority = tx.job_authority(owner, self.now()).await?;
        let (asker, environment) = authority.standing.ok_or_else(|| {
            gone(
                "The one who asked may no longer do this in the vault, or its environment is gone.",
            )
        })?;
        // A link is its owner's, whatever becomes of the key that it was saved with.
        if authority.key_ended && !self.is_automatic() {
            return Err(gone(
                "The API key that it was asked for with was revoked, or has expired.",
            ));
        }
        asker
            .may_run(job.kind, &job.request, &environment)
            .map_err(|why| denied(&why))?;
        let (connection, credential) = authority
            .connection
            .ok_or_else(|| gone("The connection is gone."))?;
        if connection.status == ConnectionStatus::NeedsReconnect {
            return Err(Failure::Provider(ProviderError::Unauthorized));
        }
        let mut synced_revision = None;
        if let Some(id) = job.request.link_id.filter(|_| self.is_automatic()) {
            // Its owner may have forbidden since what the job was accepted for.
            let link = tx.find_link(job.vault_id, id).await?;
            let link = link.filter(|link| link.agrees(&job.request));
            let link = link.ok_or(Failure::Stopped(Stop::Cancelled))?;
            synced_revision = link.upkeep.synced_revision;
        }
        Ok(Granted {
            standing: Standing {
                asker,
                environment,
                synced_revision,
            },
            connection,
            credential,
        })
    }

    /// The credential and the value of whoever began a split, if they may still use them.
    pub(super) async fn authority_of(
        &self,
        record: &SplitRecord,
    ) -> Result<Option<(Connection, Credential, Option<Secret>)>, StoreError> {
        let mut tx = self.engine.store().begin_read().await?;
        // It may be gone, after as long as jobs are kept.
        let job = tx.job_snapshot(record.job_id).await?;
        let owner = JobOwner {
            user_id: record.user_id,
            vault_id: record.vault_id,
            environment_id: record.environment_id,
            connection_id: record.connection_id,
            api_key_id: job.as_ref().and_then(|job| job.api_key_id),
        };
        let authority = tx.job_authority(owner, self.now()).await?;
        let of_link = job
            .as_ref()
            .is_some_and(|job| job.class == JobClass::Background);
        let may = authority.standing.is_some_and(|(asker, environment)| {
            // Nobody knows any more what was asked for, or with which key.
            let Some(job) = &job else { return false };
            let destination = &record.split.destination;
            let right = if destination.is_unnamed_in(&job.request) {
                asker.may_run_unnamed(job.kind, &job.request, &environment)
            } else {
                asker.may_run(job.kind, &job.request, &environment)
            };
            right.is_ok()
        });
        let granted = match authority.connection {
            Some((connection, credential)) if may && (of_link || !authority.key_ended) => {
                let mut snapshot = tx
                    .read_environment(record.vault_id, record.environment_id)
                    .await?;
                let value = snapshot.values.remove(&record.split.key);
                Some((connection, credential, value))
            }
            _ => None,
        };
        tx.commit().await?;
        Ok(granted)
    }

    fn now(&self) -> DateTime<Utc> {
        self.engine.context.ambient.now()
    }
}
