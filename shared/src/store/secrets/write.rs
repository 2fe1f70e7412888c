//! Changing one secret.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{PutOutcome, SealedRow, none_met};
use crate::crypto::Aad;
use crate::domain::names;
use crate::secret::Secret;
use crate::store::tx::{changed, on, one_row};
use crate::store::{StoreError, Tx};

impl Tx {
    /// Writes a value. The one before stays as a version; an equal one is not written again.
    /// [`StoreError::TooMany`] when the environment is full.
    pub async fn put_secret(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
        key: &str,
        value: &Secret,
        by: Option<Uuid>,
        at: DateTime<Utc>,
    ) -> Result<PutOutcome, StoreError> {
        self.lock_environment(vault_id, environment_id).await?;
        let row: Option<SealedRow> = on!(self, |conn| sqlx::query_as(
            "SELECT id, key, version, ciphertext, key_id, written_at, written_by
             FROM secrets WHERE environment_id = $1 AND key = $2 AND deleted_at IS NULL"
        )
        .bind(environment_id)
        .bind(key)
        .fetch_optional(conn))?;
        let outcome = match row {
            None => {
                self.check_room(environment_id).await?;
                let id = self.context.ambient.new_id();
                self.insert_secret(id, vault_id, environment_id, key, value, by, at)
                    .await?;
                PutOutcome::Created(id)
            }
            Some(row) if row.holds(&self.context.ring, vault_id, environment_id, value)? => {
                return Ok(PutOutcome::Unchanged(row.id));
            }
            Some(row) => {
                self.keep_versions(std::slice::from_ref(&row)).await?;
                let aad = Aad::secret(vault_id, environment_id, key, row.version + 1);
                let sealed = self.seal_text(&aad, value);
                let rows = changed!(self, |conn| sqlx::query(
                    "UPDATE secrets SET version = $2, ciphertext = $3, key_id = $4,
                         updated_at = $5, updated_by = $6, written_at = $5, written_by = $6
                     WHERE id = $1"
                )
                .bind(row.id)
                .bind(row.version + 1)
                .bind(&sealed.bytes)
                .bind(&sealed.key_id)
                .bind(at)
                .bind(by)
                .execute(conn))?;
                one_row(rows, "secrets", row.id)?;
                PutOutcome::Updated(row.id)
            }
        };
        self.environment_changed(vault_id, environment_id, at)
            .await?;
        Ok(outcome)
    }

    /// Renames a living secret. [`Constraint::SecretsKey`](crate::store::Constraint) when the name is
    /// taken, [`StoreError::RowsAffected`] when there is no such secret, [`StoreError::Corrupt`] when
    /// its value does not decrypt: it is sealed anew, since the name is part of what it is bound to.
    pub async fn rename_secret(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
        new_key: &str,
        by: Option<Uuid>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.lock_environment_of(vault_id, id).await?;
        let found = self.sealed_secret(vault_id, id).await?;
        let (row, environment_id) = found.ok_or_else(|| none_met("secrets", id))?;
        let value = row
            .open(&self.context.ring, vault_id, environment_id)
            .map_err(|error| StoreError::from_crypto(error, "secrets", id, &row.key))?;
        let aad = Aad::secret(vault_id, environment_id, new_key, row.version);
        let sealed = self.seal_text(&aad, &value);
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE secrets SET key = $2, ciphertext = $3, key_id = $4, updated_at = $5,
                 updated_by = $6
             WHERE id = $1"
        )
        .bind(id)
        .bind(new_key)
        .bind(&sealed.bytes)
        .bind(&sealed.key_id)
        .bind(at)
        .bind(by)
        .execute(conn))?;
        one_row(rows, "secrets", id)?;
        self.environment_changed(vault_id, environment_id, at).await
    }

    /// Whether one more living secret may come to an environment.
    pub(super) async fn check_room(&mut self, environment_id: Uuid) -> Result<(), StoreError> {
        if self.count_secrets(environment_id).await? >= names::MAX_SECRETS as i64 {
            return Err(StoreError::TooMany {
                limit: names::MAX_SECRETS,
            });
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of the row")]
    async fn insert_secret(
        &mut self,
        id: Uuid,
        vault_id: Uuid,
        environment_id: Uuid,
        key: &str,
        value: &Secret,
        by: Option<Uuid>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let aad = Aad::secret(vault_id, environment_id, key, 1);
        let sealed = self.seal_text(&aad, value);
        changed!(self, |conn| sqlx::query(
            "INSERT INTO secrets (id, vault_id, environment_id, key, version, ciphertext, key_id,
                 created_at, updated_at, updated_by, written_at, written_by)
             VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $7, $8, $7, $8)"
        )
        .bind(id)
        .bind(vault_id)
        .bind(environment_id)
        .bind(key)
        .bind(&sealed.bytes)
        .bind(&sealed.key_id)
        .bind(at)
        .bind(by)
        .execute(conn))?;
        Ok(())
    }
}
