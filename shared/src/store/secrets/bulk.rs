//! Changing many secrets of an environment at once, in a handful of statements.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{PushStats, SealedRow};
use crate::crypto::{Aad, Sealed};
use crate::domain::names;
use crate::secret::Secret;
use crate::store::tx::{changed, on};
use crate::store::{CHUNK, StoreError, Tx};

/// A value ready to be written.
struct Write<'a> {
    id: Uuid,
    key: &'a str,
    version: i64,
    sealed: Sealed,
}

impl Tx {
    /// Makes the environment hold `values`; what else it holds stays, or goes to the trash with
    /// `allow_delete`. Old values stay as versions; equal ones are not written.
    /// [`StoreError::TooMany`] when the environment would hold too many.
    #[expect(clippy::too_many_arguments, reason = "each is another thing")]
    pub async fn replace_secrets(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
        values: &BTreeMap<String, Secret>,
        allow_delete: bool,
        by: Option<Uuid>,
        at: DateTime<Utc>,
        trash_until: DateTime<Utc>,
    ) -> Result<PushStats, StoreError> {
        self.lock_environment(vault_id, environment_id).await?;
        let mut present = self.living_rows(environment_id).await?;
        let mut stats = PushStats::default();
        let mut created = Vec::new();
        let mut updated = Vec::new();
        let mut replaced = Vec::new();
        for (key, value) in values {
            let Some(row) = present.remove(key) else {
                let aad = Aad::secret(vault_id, environment_id, key, 1);
                created.push(Write {
                    id: self.context.ambient.new_id(),
                    key,
                    version: 1,
                    sealed: self.seal_text(&aad, value),
                });
                continue;
            };
            if row.holds(&self.context.ring, vault_id, environment_id, value)? {
                stats.unchanged += 1;
                continue;
            }
            let version = row.version + 1;
            let aad = Aad::secret(vault_id, environment_id, key, version);
            updated.push(Write {
                id: row.id,
                key,
                version,
                sealed: self.seal_text(&aad, value),
            });
            replaced.push(row);
        }
        // What is left of `present` is not in `values`.
        let mut kept = values.len();
        let mut dropped = Vec::new();
        if allow_delete {
            dropped = present.into_values().map(|row| row.id).collect();
        } else {
            kept += present.len();
        }
        if kept > names::MAX_SECRETS && !created.is_empty() {
            return Err(StoreError::TooMany {
                limit: names::MAX_SECRETS,
            });
        }
        stats.created = created.len() as u64;
        stats.updated = updated.len() as u64;
        stats.deleted = dropped.len() as u64;
        self.keep_versions(&replaced).await?;
        self.update_values(&updated, by, at).await?;
        self.insert_values(vault_id, environment_id, &created, by, at)
            .await?;
        self.trash_ids(&dropped, at, trash_until).await?;
        if stats.created + stats.updated + stats.deleted > 0 {
            self.environment_changed(vault_id, environment_id, at)
                .await?;
        }
        Ok(stats)
    }

    /// Moves living secrets to the trash by name; how many there were.
    pub async fn delete_keys(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
        keys: &[String],
        at: DateTime<Utc>,
        trash_until: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        self.lock_environment(vault_id, environment_id).await?;
        let mut rows = 0;
        for chunk in keys.chunks(CHUNK) {
            rows += changed!(self, |conn| async {
                let mut query = QueryBuilder::new("UPDATE secrets SET deleted_at = ");
                query.push_bind(at);
                query.push(", expires_at = ").push_bind(trash_until);
                query.push(" WHERE deleted_at IS NULL AND environment_id = ");
                query.push_bind(environment_id).push(" AND key IN (");
                let mut list = query.separated(", ");
                for key in chunk {
                    list.push_bind(key);
                }
                query.push(")");
                query.build().persistent(false).execute(conn).await
            })?;
        }
        if rows > 0 {
            self.environment_changed(vault_id, environment_id, at)
                .await?;
        }
        Ok(rows as i64)
    }

    async fn living_rows(
        &mut self,
        environment_id: Uuid,
    ) -> Result<BTreeMap<String, SealedRow>, StoreError> {
        let rows: Vec<SealedRow> = on!(self, |conn| sqlx::query_as(
            "SELECT id, key, version, ciphertext, key_id, written_at, written_by
             FROM secrets WHERE environment_id = $1 AND deleted_at IS NULL"
        )
        .bind(environment_id)
        .fetch_all(conn))?;
        Ok(rows.into_iter().map(|row| (row.key.clone(), row)).collect())
    }

    /// Keeps the values of rows that are about to get others. The ciphertexts move as they are: what
    /// they are bound to goes with them.
    pub(super) async fn keep_versions(&mut self, rows: &[SealedRow]) -> Result<(), StoreError> {
        let ambient = self.context.ambient.clone();
        for chunk in rows.chunks(CHUNK) {
            changed!(self, |conn| async {
                let mut query = QueryBuilder::new(
                    "INSERT INTO secret_versions
                         (id, secret_id, key, version, ciphertext, key_id, created_at, created_by) ",
                );
                query.push_values(chunk, |mut values, row| {
                    values
                        .push_bind(ambient.new_id())
                        .push_bind(row.id)
                        .push_bind(&row.key)
                        .push_bind(row.version)
                        .push_bind(&row.ciphertext)
                        .push_bind(&row.key_id)
                        .push_bind(row.written_at)
                        .push_bind(row.written_by);
                });
                query.build().persistent(false).execute(conn).await
            })?;
        }
        Ok(())
    }

    async fn update_values(
        &mut self,
        writes: &[Write<'_>],
        by: Option<Uuid>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        for chunk in writes.chunks(CHUNK) {
            let rows = changed!(self, |conn| async {
                let mut query = QueryBuilder::new("UPDATE secrets SET updated_at = ");
                query.push_bind(at);
                query.push(", written_at = ").push_bind(at);
                query.push(", updated_by = ").push_bind(by);
                query.push(", written_by = ").push_bind(by);
                // Both databases name the columns of a list of values so.
                query.push(
                    ", version = v.column2, ciphertext = v.column3, key_id = v.column4 FROM (",
                );
                query.push_values(chunk, |mut values, write| {
                    values
                        .push_bind(write.id)
                        .push_bind(write.version)
                        .push_bind(&write.sealed.bytes)
                        .push_bind(&write.sealed.key_id);
                });
                query.push(") AS v WHERE secrets.id = v.column1");
                query.build().persistent(false).execute(conn).await
            })?;
            if rows != chunk.len() as u64 {
                return Err(StoreError::RowsAffected {
                    table: "secrets",
                    id: format!("{} rows", chunk.len()),
                    rows,
                });
            }
        }
        Ok(())
    }

    async fn insert_values(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
        writes: &[Write<'_>],
        by: Option<Uuid>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        for chunk in writes.chunks(CHUNK) {
            changed!(self, |conn| async {
                let mut query = QueryBuilder::new(
                    "INSERT INTO secrets (id, vault_id, environment_id, key, version, ciphertext,
                         key_id, created_at, updated_at, updated_by, written_at, written_by) ",
                );
                query.push_values(chunk, |mut values, write| {
                    values
                        .push_bind(write.id)
                        .push_bind(vault_id)
                        .push_bind(environment_id)
                        .push_bind(write.key)
                        .push_bind(write.version)
                        .push_bind(&write.sealed.bytes)
                        .push_bind(&write.sealed.key_id)
                        .push_bind(at)
                        .push_bind(at)
                        .push_bind(by)
                        .push_bind(at)
                        .push_bind(by);
                });
                query.build().persistent(false).execute(conn).await
            })?;
        }
        Ok(())
    }

    async fn trash_ids(
        &mut self,
        ids: &[Uuid],
        at: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        for chunk in ids.chunks(CHUNK) {
            changed!(self, |conn| async {
                let mut query = QueryBuilder::new("UPDATE secrets SET deleted_at = ");
                query.push_bind(at);
                query.push(", expires_at = ").push_bind(until);
                query.push(" WHERE id IN (");
                let mut list = query.separated(", ");
                for id in chunk {
                    list.push_bind(*id);
                }
                query.push(")");
                query.build().persistent(false).execute(conn).await
            })?;
        }
        Ok(())
    }
}
