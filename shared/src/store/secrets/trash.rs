//! The trash.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::none_met;
use crate::store::tx::{changed, one_row};
use crate::store::{StoreError, Tx};

impl Tx {
    /// Moves a living secret to the trash until `expires_at`; false when there is none.
    pub async fn trash_secret(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
        at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let Some(environment_id) = self.lock_environment_of(vault_id, id).await? else {
            return Ok(false);
        };
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE secrets SET deleted_at = $3, expires_at = $4
             WHERE vault_id = $1 AND id = $2 AND deleted_at IS NULL"
        )
        .bind(vault_id)
        .bind(id)
        .bind(at)
        .bind(expires_at)
        .execute(conn))?;
        if rows == 0 {
            return Ok(false);
        }
        self.environment_changed(vault_id, environment_id, at)
            .await?;
        Ok(true)
    }

    /// Takes a secret out of the trash. [`Constraint::SecretsKey`](crate::store::Constraint) when its
    /// name lives again, [`StoreError::TooMany`] when the environment is full,
    /// [`StoreError::RowsAffected`] when it is not in the trash.
    pub async fn restore_secret(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let environment = self.lock_environment_of(vault_id, id).await?;
        let environment_id = environment.ok_or_else(|| none_met("secrets", id))?;
        self.check_room(environment_id).await?;
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE secrets SET deleted_at = NULL, expires_at = NULL, updated_at = $3
             WHERE vault_id = $1 AND id = $2 AND deleted_at IS NOT NULL"
        )
        .bind(vault_id)
        .bind(id)
        .bind(at)
        .execute(conn))?;
        one_row(rows, "secrets", id)?;
        self.environment_changed(vault_id, environment_id, at).await
    }

    /// Removes a secret from the trash for good; false when it is not there.
    pub async fn purge_secret(&mut self, vault_id: Uuid, id: Uuid) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM secrets WHERE vault_id = $1 AND id = $2 AND deleted_at IS NOT NULL"
        )
        .bind(vault_id)
        .bind(id)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Empties the trash of a vault; how many there were.
    pub async fn purge_trash(&mut self, vault_id: Uuid) -> Result<i64, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM secrets WHERE vault_id = $1 AND deleted_at IS NOT NULL"
        )
        .bind(vault_id)
        .execute(conn))?;
        Ok(rows as i64)
    }

    /// Removes what the trash is to forget by now, of all vaults, at most `limit` at a time; how many
    /// there were. For the service itself.
    pub async fn prune_trash(&mut self, now: DateTime<Utc>, limit: i64) -> Result<i64, StoreError> {
        let rows = changed!(self, |conn| {
            sqlx::query(
            "DELETE FROM secrets WHERE id IN
                 (SELECT id FROM secrets WHERE deleted_at IS NOT NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2)"
        )
        .bind(now)
        .bind(limit)
        .execute(conn)
        })?;
        Ok(rows as i64)
    }
}
