//! What a run found out about a destination. It is true whether or not the run comes to its end, so
//! a job that hands itself back does not lose it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use keyway_shared::domain::connection::{Connection, ProviderName, ReconnectReason};
use keyway_shared::domain::job::Job;
use keyway_shared::domain::report::KeyOutcome;
use keyway_shared::domain::webhook::Attempt;
use keyway_shared::store::{DestinationNews, StoreError, Tx};
use keyway_shared::sync::options::Direction;
use keyway_shared::sync::remote::Fingerprint;
use uuid::Uuid;

/// The place that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// `provider|origin|project id`
    pub(crate) project_key: String,
    /// `service|scope|branch`
    pub(crate) slot: String,
    /// The provider's own name of the environment.
    pub(crate) scope: String,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Learnt {
    pub(crate) place: Option<Place>,
    /// Whose it is.
    pub(crate) provider: Option<ProviderName>,
    /// The project that a writing job has, also when it was found out only while it ran.
    pub(crate) project_key: Option<String>,
    /// The project that it was to have, and that another job has.
    pub(crate) busy_project: Option<String>,
    /// Values that were read or written, by key.
    pub(crate) fingerprints: BTreeMap<String, Fingerprint>,
    /// Keys of which nothing is known any more.
    pub(crate) forgotten: BTreeSet<String>,
    /// Keys that we wrote.
    pub(crate) written: BTreeSet<String>,
    /// Keys that we deleted.
    pub(crate) deleted: BTreeSet<String>,
    /// Changes that were confirmed.
    pub(crate) done: Vec<KeyOutcome>,
    /// The connection that the job calls with.
    pub(crate) connection: Option<Connection>,
    /// The provider no longer accepts its token.
    pub(crate) credential_dead: bool,
    /// How a webhook took what it was sent.
    pub(crate) attempt: Option<Attempt>,
    /// Something was written that is to be put into effect, or all of it now is.
    pub(crate) rollout_due: Option<bool>,
}

impl Learnt {
    pub(crate) fn fingerprint(&mut self, print: Fingerprint) {
        self.forgotten.remove(&print.key);
        self.fingerprints.insert(print.key.clone(), print);
    }

    pub(crate) fn forget(&mut self, key: &str) {
        self.fingerprints.remove(key);
        self.forgotten.insert(key.to_owned());
    }

    /// Keeps the confirmed changes of a job that goes on later, whose last run may not get as far as
    /// finding them done.
    pub(crate) async fn keep_done(&self, tx: &mut Tx, job: &Job) -> Result<(), StoreError> {
        if self.done.is_empty() {
            return Ok(());
        }
        tx.note_outcomes(job.id, &serde_json::json!(self.done))
            .await
    }

    /// Notes it, and a sync that came to its end with success. Gives the deliveries that this is told
    /// with.
    pub(crate) async fn write(
        &self,
        tx: &mut Tx,
        job: &Job,
        synced: Option<Direction>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let mut told = Vec::new();
        if let Some(attempt) = self.attempt {
            tx.record_attempt(job.id, attempt).await?;
        }
        if self.credential_dead {
            let version = self.connection.as_ref().map(|had| had.token.version);
            let (id, reason) = (job.connection_id, ReconnectReason::Refused);
            if tx.mark_needs_reconnect(id, version, reason, now).await? {
                let vault = Some(job.vault_id);
                told = tx.publish_needs_reconnect(id, vault).await?;
            }
        }
        let Some(Place {
            project_key, slot, ..
        }) = &self.place
        else {
            return Ok(told);
        };
        let news = DestinationNews {
            fingerprints: self.fingerprints.values().cloned().collect(),
            forgotten: self.forgotten.union(&self.deleted).cloned().collect(),
            written: self.written.difference(&self.deleted).cloned().collect(),
            removed: self.deleted.iter().cloned().collect(),
            synced,
            rollout_due: self.rollout_due,
        };
        tx.note_destination(job.environment_id, project_key, slot, &news, now)
            .await?;
        Ok(told)
    }
}
