//! Secrets: living ones, old versions, the trash.
//!
//! Every change raises the revision of its environment and notes the change of the vault, in the same
//! unit of work. Locks are taken in one order, environment, secrets, vault, so that two writers never
//! wait for each other.

mod bulk;
mod read;
mod trash;
mod write;

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::tx::{on, open_text};
use super::{StoreError, Tx};
use crate::crypto::{Aad, CryptoError, KeyRing};
use crate::secret::Secret;

/// What a put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// There was none of that name.
    Created(Uuid),
    /// The value was another; it is kept as a version.
    Updated(Uuid),
    /// The value was the same; nothing was written.
    Unchanged(Uuid),
}

/// What a bulk replacement did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PushStats {
    /// Keys that were not there.
    pub created: u64,
    /// Keys with another value.
    pub updated: u64,
    /// Keys that went to the trash.
    pub deleted: u64,
    /// Keys with the same value; not written.
    pub unchanged: u64,
}

/// An old value of a secret, without the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVersion {
    /// Identity.
    pub id: Uuid,
    /// Its number.
    pub version: i64,
    /// When this value was written.
    pub created_at: DateTime<Utc>,
    /// Login name of who wrote it.
    pub created_by: Option<String>,
}

/// A sealed value as it lies in its row.
#[derive(sqlx::FromRow)]
struct SealedRow {
    id: Uuid,
    key: String,
    version: i64,
    ciphertext: Vec<u8>,
    key_id: String,
    written_at: DateTime<Utc>,
    written_by: Option<Uuid>,
}

impl SealedRow {
    fn open(&self, ring: &KeyRing, vault: Uuid, environment: Uuid) -> Result<Secret, CryptoError> {
        let aad = Aad::secret(vault, environment, &self.key, self.version);
        open_text(ring, &self.key_id, &self.ciphertext, &aad)
    }

    /// Whether `value` is what the row holds. A damaged row holds nothing that could be equal.
    fn holds(
        &self,
        ring: &KeyRing,
        vault: Uuid,
        environment: Uuid,
        value: &Secret,
    ) -> Result<bool, StoreError> {
        match self.open(ring, vault, environment) {
            Ok(held) => Ok(held == *value),
            Err(CryptoError::UnknownKey { id }) => Err(StoreError::UnknownKey { key_id: id }),
            Err(_) => Ok(false),
        }
    }
}

impl Tx {
    /// Keeps other writers out of an environment until the end of the unit of work.
    async fn lock_environment(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
    ) -> Result<(), StoreError> {
        let dialect = self.dialect();
        let found: Option<Uuid> = on!(self, |conn| async {
            let mut query = QueryBuilder::new("SELECT id FROM environments WHERE id = ");
            query.push_bind(environment_id);
            query.push(" AND vault_id = ").push_bind(vault_id);
            query.push(" ").push(dialect.for_update);
            query.build_query_scalar().fetch_optional(conn).await
        })?;
        found
            .map(|_| ())
            .ok_or_else(|| none_met("environments", environment_id))
    }

    /// Keeps other writers out of the environment of a secret; `None` when there is no such secret.
    async fn lock_environment_of(
        &mut self,
        vault_id: Uuid,
        secret_id: Uuid,
    ) -> Result<Option<Uuid>, StoreError> {
        let dialect = self.dialect();
        Ok(on!(self, |conn| async {
            let mut query = QueryBuilder::new(
                "SELECT id FROM environments WHERE id =
                     (SELECT environment_id FROM secrets WHERE id = ",
            );
            query.push_bind(secret_id);
            query.push(" AND vault_id = ").push_bind(vault_id);
            query.push(") ").push(dialect.for_update);
            query.build_query_scalar().fetch_optional(conn).await
        })?)
    }

    /// Notes that the secrets of an environment changed.
    async fn environment_changed(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.bump_revision(environment_id).await?;
        self.environment_links_due(environment_id, at).await?;
        self.touch_vault(vault_id, at).await
    }
}

fn none_met(table: &'static str, id: Uuid) -> StoreError {
    StoreError::RowsAffected {
        table,
        id: id.to_string(),
        rows: 0,
    }
}
