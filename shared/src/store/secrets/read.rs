//! Reading secrets and their old values.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{SealedRow, SecretVersion};
use crate::crypto::{Aad, CryptoError};
use crate::domain::vault::{SecretInfo, VaultSnapshot};
use crate::secret::Secret;
use crate::store::tx::{on, open_text};
use crate::store::{StoreError, Tx};

/// Secrets with the names of their environments and of who changed them, to be narrowed.
macro_rules! select_info {
    () => {
        "SELECT s.id, s.environment_id, e.name AS environment, s.key, s.version, s.created_at,
             s.updated_at, u.username AS updated_by, s.deleted_at, s.expires_at
         FROM secrets s
             JOIN environments e ON e.id = s.environment_id
             LEFT JOIN users u ON u.id = s.updated_by "
    };
}

#[derive(sqlx::FromRow)]
struct InfoRow {
    id: Uuid,
    environment_id: Uuid,
    environment: String,
    key: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    updated_by: Option<String>,
    deleted_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

impl From<InfoRow> for SecretInfo {
    fn from(row: InfoRow) -> Self {
        Self {
            id: row.id,
            environment_id: row.environment_id,
            environment: row.environment,
            key: row.key,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            updated_by: row.updated_by,
            deleted_at: row.deleted_at,
            expires_at: row.expires_at,
        }
    }
}

/// An environment's revision with one of its secrets, or with none when it is empty.
#[derive(sqlx::FromRow)]
struct SnapshotRow {
    revision: i64,
    key: Option<String>,
    version: Option<i64>,
    ciphertext: Option<Vec<u8>>,
    key_id: Option<String>,
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    created_by: Option<String>,
}

impl Tx {
    /// Living secrets of a vault or of one environment, last changed first, and how many there are.
    pub async fn list_secrets(
        &mut self,
        vault_id: Uuid,
        environment: Option<Uuid>,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<SecretInfo>, i64), StoreError> {
        let rows: Vec<InfoRow> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(concat!(
                select_info!(),
                "WHERE s.deleted_at IS NULL AND s.vault_id = "
            ));
            query.push_bind(vault_id);
            if let Some(environment) = environment {
                query
                    .push(" AND s.environment_id = ")
                    .push_bind(environment);
            }
            query.push(" ORDER BY s.updated_at DESC, s.id DESC LIMIT ");
            query.push_bind(limit).push(" OFFSET ").push_bind(offset);
            query.build_query_as().fetch_all(conn).await
        })?;
        let total: i64 = on!(self, |conn| async {
            let mut query = QueryBuilder::new(
                "SELECT COUNT(*) FROM secrets WHERE deleted_at IS NULL AND vault_id = ",
            );
            query.push_bind(vault_id);
            if let Some(environment) = environment {
                query.push(" AND environment_id = ").push_bind(environment);
            }
            query.build_query_scalar().fetch_one(conn).await
        })?;
        Ok((rows.into_iter().map(SecretInfo::from).collect(), total))
    }

    /// A living secret.
    pub async fn find_secret(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
    ) -> Result<Option<SecretInfo>, StoreError> {
        let row: Option<InfoRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_info!(),
            "WHERE s.vault_id = $1 AND s.id = $2 AND s.deleted_at IS NULL"
        ))
        .bind(vault_id)
        .bind(id)
        .fetch_optional(conn))?;
        Ok(row.map(SecretInfo::from))
    }

    /// A secret in the trash.
    pub async fn find_trashed_secret(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
    ) -> Result<Option<SecretInfo>, StoreError> {
        let row: Option<InfoRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_info!(),
            "WHERE s.vault_id = $1 AND s.id = $2 AND s.deleted_at IS NOT NULL"
        ))
        .bind(vault_id)
        .bind(id)
        .fetch_optional(conn))?;
        Ok(row.map(SecretInfo::from))
    }

    /// A living secret by name.
    pub async fn find_secret_by_key(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
        key: &str,
    ) -> Result<Option<SecretInfo>, StoreError> {
        let row: Option<InfoRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_info!(),
            "WHERE s.vault_id = $1 AND s.environment_id = $2 AND s.key = $3
                 AND s.deleted_at IS NULL"
        ))
        .bind(vault_id)
        .bind(environment_id)
        .bind(key)
        .fetch_optional(conn))?;
        Ok(row.map(SecretInfo::from))
    }

    /// The value of a living secret. [`StoreError::Corrupt`] when it does not decrypt.
    pub async fn secret_value(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
    ) -> Result<Option<Secret>, StoreError> {
        let Some((row, environment_id)) = self.sealed_secret(vault_id, id).await? else {
            return Ok(None);
        };
        row.open(&self.context.ring, vault_id, environment_id)
            .map(Some)
            .map_err(|error| StoreError::from_crypto(error, "secrets", id, &row.key))
    }

    /// A living secret's row and its environment.
    pub(super) async fn sealed_secret(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
    ) -> Result<Option<(SealedRow, Uuid)>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Row {
            environment_id: Uuid,
            #[sqlx(flatten)]
            sealed: SealedRow,
        }
        let row: Option<Row> = on!(self, |conn| {
            sqlx::query_as(
            "SELECT environment_id, id, key, version, ciphertext, key_id, written_at, written_by
             FROM secrets WHERE vault_id = $1 AND id = $2 AND deleted_at IS NULL"
        )
        .bind(vault_id)
        .bind(id)
        .fetch_optional(conn)
        })?;
        Ok(row.map(|row| (row.sealed, row.environment_id)))
    }

    /// Every living secret of an environment, decrypted, with the revision they belong to, in one
    /// query. What does not decrypt is named in `corrupt`.
    pub async fn read_environment(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
    ) -> Result<VaultSnapshot, StoreError> {
        let rows: Vec<SnapshotRow> = on!(self, |conn| sqlx::query_as(
            "SELECT e.revision, s.key, s.version, s.ciphertext, s.key_id
             FROM environments e
                 LEFT JOIN secrets s ON s.environment_id = e.id AND s.deleted_at IS NULL
             WHERE e.vault_id = $1 AND e.id = $2"
        )
        .bind(vault_id)
        .bind(environment_id)
        .fetch_all(conn))?;
        let first = rows.first();
        let mut snapshot = VaultSnapshot {
            revision: first
                .ok_or_else(|| super::none_met("environments", environment_id))?
                .revision,
            ..VaultSnapshot::default()
        };
        for row in rows {
            let (Some(key), Some(version), Some(ciphertext), Some(key_id)) =
                (row.key, row.version, row.ciphertext, row.key_id)
            else {
                continue;
            };
            let aad = Aad::secret(vault_id, environment_id, &key, version);
            match open_text(&self.context.ring, &key_id, &ciphertext, &aad) {
                Ok(value) => {
                    snapshot.values.insert(key, value);
                }
                Err(CryptoError::UnknownKey { id }) => {
                    return Err(StoreError::UnknownKey { key_id: id });
                }
                Err(_) => snapshot.corrupt.push(key),
            }
        }
        snapshot.corrupt.sort_unstable();
        Ok(snapshot)
    }

    /// How many living secrets an environment has.
    pub async fn count_secrets(&mut self, environment_id: Uuid) -> Result<i64, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM secrets WHERE environment_id = $1 AND deleted_at IS NULL"
        )
        .bind(environment_id)
        .fetch_one(conn))?)
    }

    /// The old values of a living secret, newest first.
    pub async fn list_versions(
        &mut self,
        vault_id: Uuid,
        secret_id: Uuid,
    ) -> Result<Vec<SecretVersion>, StoreError> {
        let rows: Vec<VersionRow> = on!(self, |conn| sqlx::query_as(
            "SELECT v.id, v.version, v.created_at, u.username AS created_by
             FROM secret_versions v
                 JOIN secrets s ON s.id = v.secret_id
                 LEFT JOIN users u ON u.id = v.created_by
             WHERE s.vault_id = $1 AND s.id = $2 AND s.deleted_at IS NULL
             ORDER BY v.version DESC"
        )
        .bind(vault_id)
        .bind(secret_id)
        .fetch_all(conn))?;
        Ok(rows
            .into_iter()
            .map(|row| SecretVersion {
                id: row.id,
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
            })
            .collect())
    }

    /// An old value of a living secret, and its number. [`StoreError::Corrupt`] when it does not
    /// decrypt.
    pub async fn version_value(
        &mut self,
        vault_id: Uuid,
        secret_id: Uuid,
        version_id: Uuid,
    ) -> Result<Option<(Secret, i64)>, StoreError> {
        let row: Option<(Uuid, String, i64, Vec<u8>, String)> = on!(self, |conn| sqlx::query_as(
            "SELECT s.environment_id, v.key, v.version, v.ciphertext, v.key_id
             FROM secret_versions v JOIN secrets s ON s.id = v.secret_id
             WHERE s.vault_id = $1 AND s.id = $2 AND v.id = $3 AND s.deleted_at IS NULL"
        )
        .bind(vault_id)
        .bind(secret_id)
        .bind(version_id)
        .fetch_optional(conn))?;
        let Some((environment_id, key, version, ciphertext, key_id)) = row else {
            return Ok(None);
        };
        let aad = Aad::secret(vault_id, environment_id, &key, version);
        open_text(&self.context.ring, &key_id, &ciphertext, &aad)
            .map(|value| Some((value, version)))
            .map_err(|error| StoreError::from_crypto(error, "secret_versions", version_id, &key))
    }

    /// The trash of a vault, last trashed first, and how much there is.
    pub async fn list_trash(
        &mut self,
        vault_id: Uuid,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<SecretInfo>, i64), StoreError> {
        let rows: Vec<InfoRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_info!(),
            "WHERE s.vault_id = $1 AND s.deleted_at IS NOT NULL
             ORDER BY s.deleted_at DESC, s.id DESC LIMIT $2 OFFSET $3"
        ))
        .bind(vault_id)
        .bind(limit)
        .bind(offset)
        .fetch_all(conn))?;
        let total: i64 = on!(self, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM secrets WHERE vault_id = $1 AND deleted_at IS NOT NULL"
        )
        .bind(vault_id)
        .fetch_one(conn))?;
        Ok((rows.into_iter().map(SecretInfo::from).collect(), total))
    }
}
